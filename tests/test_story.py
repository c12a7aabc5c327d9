"""S2's whole story, from the first mail to the statistics: OpenERP's manual of case management, as one conversation.

Sales, support on two levels and supplier quality; rules for the expert, the gold partners, the main client, the
trainee, the leave, the thank-you mail and the late supplier.  Customers, suppliers and level 1 use nothing but mail.
"""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from conversation import OURS, Talk, founded, opened
from mailsink import Sink

SHOP = (
    "init --domain crm.test --user boss:boss@crm.test",
    *(f"users add {login} --email {login}@crm.test --notify email" for login in ("demo", "chief", "trainee", "second")),
    # Sections: the child first, for the order of definition is free (F198).
    'sections add level1 --name "Support Level 1" --parent level2 --create-parent --email support@crm.test',
    'sections set level2 --name "Support Level 2" --manager chief',
    'sections add sales --name "Sales" --manager boss --email sales@crm.test',
    'sections add quality --name "Quality" --manager boss --email complaints@crm.test --on-partner-reply close',
    *(
        f'categories add "{name}" --section {section}'
        for section, names in (
            ("sales", ("Installation Requests", "Potential Distributor", "Interest in Training")),
            ("level1", ("Fault Fix", "Functional Problem")),
            ("quality", ("Corrective Actions", "Preventative Actions")),
        )
        for name in names
    ),
    'templates add thanks --subject "Thank you, {partner.name}" -m "Your case {record.id} is done. Answer to open it."',
    # Before all: somebody gets the new requests (F166).
    'rules add "New requests" --state-from none --section level1 --set-responsible demo --sequence 1',
    # What the manual says that rules can do, and its two examples.
    'rules add "Copy to an expert after 2 days" --state-from open --state-to open --responsible demo '
    "--trigger created --delay 2d --watch expert@mycompany.com --remind responsible",
    'rules add "Priority to Gold Partners" --state-to open --partner-category "Support Contract / Gold" '
    "--set-priority high",
    'rules add "Main clients are urgent" --partner-category "Main client" --set-priority highest',
    'rules add "Technical faults" --section sales --contains "does not work" --set-section level1',
    'rules add "The chief reads along" --responsible trainee --watch chief',
    'rules add "Thank you" --section level2 --subsections --state-to done --mail thanks',
    'rules add "Late supplier" --section quality --trigger action --delay 3d --state-from open --remind partner',
    'rules add "Call the supplier" --section quality --trigger created --delay 1w --remind responsible '
    '--activity "Call the supplier" --activity-due 1d',
)


@pytest.fixture
def talk(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, sink: Sink) -> Talk:
    """S2's shop, with a mail server.  Mail of its own users is vouched for by its own host."""
    shop = opened(founded(tmp_path_factory.mktemp("s2"), SHOP), tmp_path, monkeypatch)
    shop.environ(CRMMAIL_SMTP_URL=sink.url, CRMMAIL_MAIL_TRUSTED_AUTHSERV_ID=OURS)
    return shop


class Post:
    """The postman: what left since he was here last."""

    def __init__(self, talk: Talk, sink: Sink) -> None:
        self.talk, self.sink, self.read = talk, sink, 0

    def brings(self) -> dict[str, list[str]]:
        """Cron's minute: mail leaves; recipient → subjects, in their order."""
        assert (self.talk.do("tick"), self.talk.cli("tick").err) == ("", "")
        found: dict[str, list[str]] = {}
        for one in self.sink.received[self.read :]:
            mail = message_from_bytes(one.data, policy=policy.default)
            found.setdefault(one.recipient, []).append(str(mail["Subject"]))
        self.read = len(self.sink.received)
        return found

    def mails(self, recipient: str) -> list[tuple[str, str]]:
        """(Message-ID, text) of every mail that somebody got."""
        found = []
        for one in self.sink.received:
            if one.recipient == recipient:
                mail = message_from_bytes(one.data, policy=policy.default)
                body = mail.get_body(("plain",))
                assert body is not None
                found.append((str(mail["Message-ID"]).strip("<>"), body.get_content()))
        return found

    def last(self, recipient: str) -> tuple[str, str]:
        """The last of them."""
        return self.mails(recipient)[-1]


def test_a_request_is_solved_on_two_levels(talk: Talk, sink: Sink) -> None:
    post = Post(talk, sink)

    # The customer writes; who is responsible for new requests gets it with the number in its subject.
    first = talk.mail("Ana <ana@customer.test>", subject="Printer broken", text="It burns.")
    case = first.record or 0
    assert (talk.field(case, "section"), talk.field(case, "responsible")) == ("level1", "demo")
    assert post.brings() == {"demo@crm.test": [f"[{case}] Printer broken"]}

    # He answers by mail, from any mail program, and keeps the case open.
    notice, _ = post.last("demo@crm.test")
    talk.mail("demo@crm.test", answers=notice, subject="Re: Printer broken", text="Set-State: open\nUse water.")
    assert talk.state(case) == "open"
    assert list(post.brings()) == ["ana@customer.test"]
    answer, words = post.last("ana@customer.test")
    assert words.strip() == "Use water."

    # Two days later it is open still: the expert reads along, and demo is reminded; once.
    talk.wait(days=1, hours=23, minutes=58)
    assert post.brings() == {}
    talk.wait(minutes=2)
    assert list(post.brings()) == ["demo@crm.test"]
    assert "expert@mycompany.com" in talk.followers(case)
    talk.wait(minutes=1)
    assert post.brings() == {}
    talk.mail("Ana <ana@customer.test>", answers=answer, subject="Re: Printer broken", text="It still burns.")
    assert sorted(post.brings()) == ["demo@crm.test", "expert@mycompany.com"]

    # Level 1 gives up.  The chief of level 2 gets it, level 1 goes on hearing of it.
    talk.do(f"escalate {case}", user="demo")
    assert (talk.field(case, "section"), talk.field(case, "responsible")) == ("level2", "chief")
    assert talk.state(case) == "open"
    assert list(post.brings()) == ["chief@crm.test"]  # news; what he answers to that stays in the house
    talk.mail("Ana <ana@customer.test>", answers=answer, subject="Re: Printer broken", text="Is anybody there?")
    assert sorted(post.brings()) == ["chief@crm.test", "demo@crm.test", "expert@mycompany.com"]
    notice, _ = post.last("chief@crm.test")
    talk.mail("chief@crm.test", answers=notice, subject="Re: Printer broken", text="Pull the plug.")
    assert talk.state(case) == "done"  # his answer closes it
    brought = post.brings()
    assert brought["ana@customer.test"] == ["Re: Printer broken", "Thank you, Ana"]
    for reader in ("demo@crm.test", "expert@mycompany.com"):  # so level 1 learns
        assert brought[reader] and any("Pull the plug." in text for _, text in post.mails(reader))
    assert talk.refused(f"escalate {case}").startswith(f"#{case}")

    # She answers the thank-you mail: it opens again, with the whole history.
    thanks, _ = post.last("ana@customer.test")
    talk.mail("Ana <ana@customer.test>", answers=thanks, subject="Re: Thank you", text="It is cold now, but wet.")
    assert talk.state(case) == "open"
    assert [one for one in talk.words(case) if not one.startswith(("Your case", "This case", "#"))][-1] == (
        "It is cold now, but wet."
    )
    assert talk.all("case") == [case]


def test_rules_give_each_request_what_it_needs(talk: Talk, sink: Sink) -> None:
    talk.do('contacts add "Gus" --email gus@gold.test --category "Support Contract / Gold"')
    talk.do('contacts add "Nora" --email nora@normal.test --category "Support Contract / Normal"')
    talk.do('contacts add "Max" --email max@main.test --category "Main client"')

    # Gold goes first, as soon as somebody works on it.
    gold, normal = (talk.mail(f"{who}.test", subject="Help").record for who in ("gus@gold", "nora@normal"))
    talk.do(f"open {gold} {normal}", user="demo")
    assert [talk.field(one, "priority") for one in (gold, normal)] == [2, 3]

    # The main client is always urgent.
    assert talk.field(talk.mail("max@main.test", subject="Help").record, "priority") == 1

    # A technical fault that came to sales goes to support, and is lost nowhere.
    fault = talk.mail("eve@customer.test", "sales@crm.test", "Your plotter does not work").record
    assert (talk.field(fault, "section"), talk.words(fault)) == ("level1", ["Your plotter does not work"])

    # The chief reads what the trainee does.
    talk.do(f"assign {fault} trainee")
    assert "chief" in talk.followers(fault)

    # On holiday: new work goes to the deputy, and comes back when the leave is over.
    talk.do("users away demo --until +7d --deputy second")
    assert talk.field(talk.mail("zoe@customer.test", subject="Help").record, "responsible") == "second"
    talk.wait(days=8)
    assert talk.field(talk.mail("yan@customer.test", subject="Help").record, "responsible") == "demo"


def test_suppliers_are_held_to_their_quality(talk: Talk, sink: Sink) -> None:
    post = Post(talk, sink)
    ours = {"Authentication-Results": f"{OURS}; dmarc=pass header.from=crm.test"}

    # A complaint to the supplier with a copy to complaints@ makes the case, about the supplier.
    cases = []
    for supplier in ("bolts@acme.test", "nuts@zenith.test"):
        letter = talk.mail(
            "demo@crm.test", supplier, "Broken parts", "They break.", cc="complaints@crm.test", headers=ours
        )
        case = letter.record or 0
        cases.append(case)
        assert (talk.field(case, "section"), talk.field(case, "email")) == ("quality", supplier)
        talk.do(f"set {case} category='Corrective Actions' responsible=boss cost={100 * len(cases)}")
        talk.do(f"open {case}")
    post.brings()
    fast, slow = cases

    # One answers: his answer closes the case.
    talk.wait(days=1)
    talk.mail("bolts@acme.test", "complaints@crm.test", f"Re: [{fast}] Broken parts", "New ones are on their way.")
    assert talk.state(fast) == "done"

    # The other does not: after some days he is reminded, after a week somebody calls him.
    talk.wait(days=2, minutes=1)
    assert "nuts@zenith.test" in post.brings()
    assert "bolts@acme.test" not in [one.recipient for one in sink.received]
    talk.do("done --all")
    talk.wait(days=4)
    post.brings()
    assert slow in [one["record"] for one in talk.inbox("boss")]
    (todo,) = talk.show(slow)["activities"]
    assert (todo["summary"], todo["user"]) == ("Call the supplier", "boss")

    # What bad quality costs, by supplier; and a report that exits with 1 when it costs too much.
    rows = talk.cli("stats --section quality --by partner --json").json
    assert [(one["partner"]["name"], one["count"], one["cost"]) for one in rows] == [
        ("bolts@acme.test", 1, 100),
        ("nuts@zenith.test", 1, 200),
    ]
    delays = {one["state"]: one["average_delay_seconds"] for one in talk.cli("stats --by state --json").json}
    assert delays["done"] == 86400
    assert talk.cli("stats --section quality --by partner --assert 'cost<150'").code == 1
    assert talk.cli("stats --section quality --by partner --assert 'cost<250'").code == 0


def test_16_the_numbers_of_the_manual(talk: Talk) -> None:
    """Oracle 16: an average of 3 days 4 hours; weighted revenue = revenue x probability."""
    for title, hours, revenue, probability in (("A", 24, 1000, 20), ("B", 128, 500, 50)):
        number = talk.do(f"new case {title} --section level1 --revenue {revenue} --probability {probability}")
        talk.wait(hours=hours)
        talk.do(f"close {number}")
    talk.do("new case C --section sales --revenue 300")
    rows = {one["section"]: one for one in talk.cli("stats --by section --json").json}
    assert rows["level1"]["count"] == 2
    assert rows["level1"]["average_delay_seconds"] == (3 * 24 + 4) * 3600
    assert (rows["level1"]["revenue"], rows["level1"]["weighted_revenue"]) == (1500, 450)
    assert rows["sales"]["average_delay_seconds"] is None
    assert "3 d 4 h" in talk.do("stats --by section -o table")
