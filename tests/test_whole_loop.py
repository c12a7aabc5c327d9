"""The main job on real servers: nobody in the middle but fetchmail, dovecot, Postfix and processes of ours.

A customer's mail lies in dovecot; fetchmail hands it to crmmail-mda; `crmmail tick` sends the agent's notification
through Postfix; he answers from his mail program; Postfix's pipe hands that to crmmail-mda; `crmmail tick` sends it to
the customer; she answers, and the case is open again.
"""

from __future__ import annotations

import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from doors import MDA, SOUND, Shop, letter, open_shop
from mailstack import MailStack, Protocol
from postfix import HOST, Postfix
from programs import quoting, written

ANN, AGENT, LATE = "ann@customer.example", "agent@customer.example", "late@customer.example"
QUESTION = "Hello,\nit smokes.\n"
WORDS = "Hello Ann,\n\npull the plug!\n\n-- \nAgent, Support"


@pytest.fixture(params=["yes", "no"], ids=["plus", "no plus"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, postfix: Postfix) -> Shop:
    """Mail for crm.test comes to our MDA; the agent, who manages support, reads his mail at another host."""
    shop = open_shop(tmp_path)
    shop.crmmail("users", "add", "agent", "--email", AGENT, "--notify", "both")
    shop.crmmail("sections", "set", "support", "--manager", "agent")
    shop.crmmail("config", "set", "smtp.url", postfix.url)
    shop.crmmail("config", "set", "mail.bounce", "bounce@crm.test")
    shop.crmmail("config", "set", "mail.plus_addresses", request.param)
    postfix.deliver_to(
        f"{MDA} --sender=${{sender}} --recipient=${{original_recipient}}", env=shop.settings(), domain="crm.test"
    )
    return shop


def has_plus(shop: Shop) -> bool:
    return "yes" in shop.crmmail("config", "get", "mail.plus_addresses")


def mailbox(postfix: Postfix, address: str) -> list[EmailMessage]:
    mails = [message_from_bytes(raw, policy=policy.default) for raw in postfix.mailbox(address)]
    return [mail for mail in mails if isinstance(mail, EmailMessage)]


def post(postfix: Postfix, mail: EmailMessage) -> None:
    """A mail program hands a mail to its server; returns when it has arrived."""
    with smtplib.SMTP(HOST, postfix.port, timeout=20) as connection:
        connection.send_message(mail)
    postfix.settle()


def answer(mail: EmailMessage, sender: str, text: str, identifier: str) -> EmailMessage:
    """What a mail program makes of Reply: to Reply-To, with both threading headers."""
    made = EmailMessage()
    made["From"], made["To"] = sender, str(mail["Reply-To"] or mail["From"])
    made["Subject"] = f"Re: {str(mail['Subject']).removeprefix('Re: ')}"
    made["Message-ID"] = f"<{identifier}@customer.example>"
    made["In-Reply-To"] = str(mail["Message-ID"])
    made["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    made.set_content(text)
    return made


def state(shop: Shop, case: int) -> str:
    return str(shop.json("show", str(case), "--peek")["record"]["state"])


def conversation(shop: Shop, case: int) -> list[tuple[str, str]]:
    """(kind, first line that is no quote) of what people said."""
    messages = shop.json("show", str(case), "--peek")["messages"]
    return [(one["kind"], one["visible"].strip().split("\n")[0]) for one in messages if one["kind"] != "system"]


def fetched(shop: Shop, mailstack: MailStack, protocol: Protocol, raw: bytes) -> int:
    """A customer's mail comes by fetchmail; its case."""
    mailstack.deliver(raw)
    done = mailstack.fetchmail(protocol, f"{MDA} --sender=%F", env=shop.settings())
    assert (done.returncode, mailstack.count()) == (0, 0), done.stdout + done.stderr
    return max(int(one["id"]) for one in shop.json("list", "case"))


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_by_mail_from_the_customer_to_the_agent_and_back(
    shop: Shop, mailstack: MailStack, postfix: Postfix, protocol: Protocol
) -> None:
    case = fetched(shop, mailstack, protocol, letter("Printer broken", QUESTION, identifier="<one@customer.example>"))
    assert state(shop, case) == "draft"
    shop.crmmail("tick")

    (notice,) = mailbox(postfix, AGENT)
    assert notice["Subject"] == f"[{case}] Printer broken"
    assert "it smokes." in quoting(notice).text
    assert ("+" in str(notice["Reply-To"])) is has_plus(shop)
    post(postfix, answer(notice, AGENT, written("gmail", "en", WORDS, quoting(notice)), "two"))
    assert state(shop, case) == "done"
    assert mailbox(postfix, ANN) == []  # a delivery sends nothing
    shop.crmmail("tick")

    (mail,) = mailbox(postfix, ANN)
    assert quoting(mail).text == WORDS
    assert (mail["From"], mail["To"]) == (f"agent <{AGENT}>", f"Ann <{ANN}>")
    assert (mail["Subject"], mail["In-Reply-To"]) == ("Re: Printer broken", "<one@customer.example>")
    assert str(mail["Reply-To"]).partition("@")[0].partition("+")[0] == "support"
    assert (str(mail["Return-Path"]).strip("<>") == "bounce@crm.test") is not has_plus(shop)
    post(postfix, answer(mail, f"Ann <{ANN}>", written("outlook", "en", "It still smokes.", quoting(mail)), "three"))
    assert state(shop, case) == "open"
    shop.crmmail("tick")

    assert [str(one["Subject"]) for one in mailbox(postfix, AGENT)] == [
        f"[{case}] Printer broken",
        f"[{case}] Re: Printer broken",
    ]
    assert conversation(shop, case) == [
        ("email_in", "Hello,"),
        ("email_out", "Hello Ann,"),
        ("email_in", "It still smokes."),
    ]
    assert len(mailbox(postfix, ANN)) == 1
    assert (shop.held(), postfix.queue(), shop.check()) == ([], [], SOUND)


def test_from_the_terminal_to_the_customer_and_back(shop: Shop, mailstack: MailStack, postfix: Postfix) -> None:
    case = fetched(shop, mailstack, "imap", letter("Printer broken", QUESTION, identifier="<one@customer.example>"))
    shop.crmmail("reply", str(case), "-m", "Pull the *plug*!", "--then", "close", "--yes")  # it leaves at once
    assert state(shop, case) == "done"

    (mail,) = mailbox(postfix, ANN)
    text = quoting(mail).text
    assert text.startswith("Pull the *plug*!\n\nOn ") and "> it smokes." in text
    html = mail.get_body(("html",))
    assert html is not None and "<em>plug</em>" in html.get_content()
    post(postfix, answer(mail, ANN, written("mutt", "en", "It still smokes.", quoting(mail)), "two"))
    assert state(shop, case) == "open"
    assert conversation(shop, case)[-1] == ("email_in", "It still smokes.")
    assert shop.held() == []


def test_an_answer_to_a_note_stays_in_the_house(shop: Shop, mailstack: MailStack, postfix: Postfix) -> None:
    case = fetched(shop, mailstack, "pop3", letter("Printer broken", QUESTION))
    shop.crmmail("tick")
    assert len(mailbox(postfix, AGENT)) == 1
    shop.crmmail("note", str(case), "-m", "Does she pay?")
    shop.crmmail("tick")
    notice = mailbox(postfix, AGENT)[-1]
    assert "Does she pay?" in quoting(notice).text
    post(postfix, answer(notice, AGENT, "Never.", "two"))
    shop.crmmail("tick")
    assert mailbox(postfix, ANN) == []
    assert conversation(shop, case)[-1] == ("note", "Never.")


def test_a_letter_that_comes_back_later(shop: Shop, mailstack: MailStack, postfix: Postfix) -> None:
    """Postfix takes the letter, and bounces it when the customer's own host refuses it."""
    case = fetched(shop, mailstack, "imap", letter("Printer broken", QUESTION, sender=LATE))
    shop.crmmail("done", "--all")
    shop.crmmail("--as", "agent", "done", "--all")
    shop.crmmail("--as", "agent", "reply", str(case), "-m", "Pull the plug!", "--then", "close", "--yes")
    postfix.settle()

    shown = shop.json("show", str(case), "--peek")
    (copy,) = [copy for one in shown["messages"] for copy in one["deliveries"] if copy["to"] == LATE]
    assert (copy["state"], shown["record"]["envelope"]) == ("bounced", "bounced")
    assert "5.1.1" in copy["reason"] and "User unknown" in copy["reason"]
    assert state(shop, case) == "done"
    (item,) = [one for one in shop.json("--as", "agent", "inbox") if one["why"] == "bounced"]
    assert (item["record"], item["envelope"]) == (case, "bounced")
    assert [one["id"] for one in shop.json("list", "case")] in ([], [case])
    said = shop.crmmail("reply", str(case), "-m", "Once more.", "--no-quote", "--dry-run")
    assert f"mail to {LATE} came back before" in said
    assert (shop.held(), postfix.queue()) == ([], [])
