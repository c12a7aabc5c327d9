"""Who is believed to have written a letter, from its bytes on, whatever its header tries (safety 2, CVE-2023-27043)."""

from __future__ import annotations

import time

import pytest
from conversation import OURS, RECEIVED, Letter, Talk
from quick import QUICK

from crmmail.core.known import Envelope, Known, Settings
from crmmail.core.sender import Sender, identify
from crmmail.mail.parse import parse

BOSS, EVIL = "boss@crm.example", "evil@evil.example"
HOST = "mx.crm.example"
PASS = f"Authentication-Results: {HOST}; dmarc=pass header.from=crm.example\r\n".encode()


def identified(head: bytes) -> Sender:
    """Whom the program takes for the sender of a letter with these header fields; boss is user 1."""
    mail = parse(head + b"\r\nTo: support@crm.example\r\n\r\nClose it.\r\n")
    facts = Known(users={BOSS: 1})
    return identify(mail, Envelope(), facts, Settings(secret=b"x" * 32, trusted_authserv_id=HOST))


# --- From -------------------------------------------------------------------------------------------------------------

# The header, and who is believed to have written it; "" is nobody.
FROM: dict[str, tuple[str | bytes, str]] = {
    "an address": ("From: boss@crm.example", BOSS),
    "a name and an address": ("From: The Boss <boss@crm.example>", BOSS),
    "capitals, no blank": ("FROM:<BOSS@Crm.Example>", BOSS),
    "folded before the address": ("From: The\r\n Boss\r\n\t<boss@crm.example>", BOSS),
    "on the next line": ("From:\r\n boss@crm.example", BOSS),
    "a name in quotes with all that may stand there": (r'From: "Boss, \"the\" <boss>; (x):" <boss@crm.example>', BOSS),
    "a comment behind": ("From: boss@crm.example (The Boss)", BOSS),
    "a comment between": ("From: Boss (really (the) boss) <boss@crm.example>", BOSS),
    "quotes that need not be there": ('From: "boss"@crm.example', BOSS),
    "the same address as its name": ("From: boss@crm.example <boss@crm.example>", BOSS),
    # CVE-2023-27043 and its kin: the address of another in the place of a name.
    "closed bracket": ("From: boss@crm.example)<evil@evil.example>", ""),
    "open bracket": ("From: boss@crm.example(<evil@evil.example>", ""),
    "square bracket": ("From: boss@crm.example]<evil@evil.example>", ""),
    "open square bracket": ("From: boss@crm.example[<evil@evil.example>", ""),
    "at once": ("From: boss@crm.example<evil@evil.example>", ""),
    "with a blank": ("From: boss@crm.example <evil@evil.example>", ""),
    "with a tab": ("From: boss@crm.example\t<evil@evil.example>", ""),
    "with a comma": ("From: boss@crm.example,<evil@evil.example>", ""),
    "with a colon": ("From: boss@crm.example:<evil@evil.example>", ""),
    "with a semicolon": ("From: boss@crm.example;<evil@evil.example>", ""),
    "with a backslash": ("From: boss@crm.example\\<evil@evil.example>", ""),
    "with a point": ("From: boss@crm.example.<evil@evil.example>", ""),
    "with an @": ("From: boss@crm.example@<evil@evil.example>", ""),
    "with a quote": ('From: boss@crm.example"<evil@evil.example>', ""),
    "behind the angles": ("From: <boss@crm.example>evil@evil.example", ""),
    "two in angles": ("From: <boss@crm.example> <evil@evil.example>", ""),
    "angles in angles": ("From: <<boss@crm.example>>", ""),
    "half an angle": ("From: <boss@crm.example", ""),
    "the other half": ("From: boss@crm.example>", ""),
    "on behalf of": ("From: Boss <boss@crm.example> on behalf of evil@evil.example", ""),
    "a name of one word and an address": ("From: Boss boss@crm.example", ""),
    "an open quote": ('From: "Boss <boss@crm.example>', ""),
    "an open comment": ("From: boss@crm.example (evil@evil.example", ""),
    "a name that is an address, in quotes": ('From: "boss@crm.example" <evil@evil.example>', EVIL),
    "a name that is a whole mailbox": ('From: "Boss <boss@crm.example>" <evil@evil.example>', EVIL),
    "a name with a hidden quote": (r'From: "Boss\" <boss@crm.example>" <evil@evil.example>', EVIL),
    "another address as a comment": ("From: evil@evil.example (boss@crm.example)", EVIL),
    # Several.
    "two addresses": ("From: evil@evil.example, boss@crm.example", ""),
    "two addresses, folded": ("From: boss@crm.example,\r\n evil@evil.example", ""),
    "twice the same": ("From: boss@crm.example, boss@crm.example", ""),
    "one and a comma": ("From: boss@crm.example,", ""),
    "two fields": ("From: evil@evil.example\r\nFrom: boss@crm.example", ""),
    "two fields, other case": ("From: boss@crm.example\r\nfROM: evil@evil.example", ""),
    "two fields, one with a blank before the colon": ("From: evil@evil.example\r\nFrom : boss@crm.example", ""),
    "two fields, one empty": ("From:\r\nFrom: boss@crm.example", ""),
    "two fields, a bare CR between": ("From: evil@evil.example\rFrom: boss@crm.example", ""),
    "a field in a fold": ("From: evil@evil.example\r\n From: boss@crm.example", ""),
    "a second one behind 32 KB of blanks": ("From: boss@crm.example," + " " * 33_000 + "evil@evil.example", ""),
    "a second one behind a long name": (f'From: boss@crm.example, "{"x" * 33_000}" <evil@evil.example>', ""),
    # Groups and routes.
    "a group": ("From: Friends: boss@crm.example, evil@evil.example;", ""),
    "a group of one": ("From: Friends: boss@crm.example;", ""),
    "an empty group": ("From: Undisclosed:;", ""),
    "a group and an address": ("From: A:evil@evil.example; boss@crm.example", ""),
    "a route": ("From: <@relay.example:boss@crm.example>", ""),
    "a longer route": ("From: <@a.example,@b.example:boss@crm.example>", ""),
    "a source route in the local part": ("From: boss%crm.example@evil.example", "boss%crm.example@evil.example"),
    "a bang path": ("From: crm.example!boss@evil.example", "crm.example!boss@evil.example"),
    # Inside the address.
    "a comment in it": ("From: boss(x)@crm.example", ""),
    "a comment behind the @": ("From: boss@(evil.example)crm.example", ""),
    "blanks in it": ("From: boss @ crm.example", ""),
    "a fold in it": ("From: boss@\r\n crm.example", ""),
    "two hosts": ("From: boss@crm.example@evil.example", ""),
    "an address as local part": ('From: "boss@crm.example"@evil.example', ""),
    "a blank in quotes": ('From: "boss "@crm.example', ""),
    "a number for a host": ("From: boss@[127.0.0.1]", ""),
    "a port": ("From: boss@crm.example:25", ""),
    "mailto": ("From: <mailto:boss@crm.example>", ""),
    "points": ("From: .boss@crm.example", ""),
    # Encoded words (RFC 2047 §5: never in an address).
    "all in an encoded word": ("From: =?utf-8?q?boss=40crm.example?=", ""),
    "in angles": ("From: <=?utf-8?q?boss=40crm.example?=>", ""),
    "a mailbox in an encoded word": ("From: =?utf-8?q?Boss_=3Cboss=40crm.example=3E?=", ""),
    "the local part": ("From: =?utf-8?q?boss?=@crm.example", "=?utf-8?q?boss?=@crm.example"),
    "a name that closes the angle": ("From: =?utf-8?q?boss=40crm.example=3E?= <evil@evil.example>", EVIL),
    "a name in base64": ("From: =?utf-8?b?Ym9zc0Bjcm0uZXhhbXBsZT4=?= <evil@evil.example>", EVIL),
    "a name that opens a line": (
        "From: =?utf-8?q?x=0D=0AFrom:_boss=40crm.example?= <evil@evil.example>",
        EVIL,
    ),
    "raw structure in an encoded word": ("From: =?utf-8?q?boss@crm.example,?= <evil@evil.example>", EVIL),
    # Letters that are none.
    "NUL before": (b"From: \0boss@crm.example", ""),
    "NUL behind": (b"From: boss@crm.example\0", ""),
    "NUL between two": (b"From: boss@crm.example\0<evil@evil.example>", ""),
    "NUL in it": (b"From: boss@crm.example\0.evil.example", ""),
    "NUL in the field's name": (b"From: evil@evil.example\r\nFrom\0: boss@crm.example", EVIL),
    "DEL": (b"From: bo\x7fss@crm.example", ""),
    "ESC": (b"From: boss@crm.example\x1b[2D", ""),
    "a soft hyphen": ("From: bo\u00adss@crm.example", ""),
    "a zero-width space": ("From: boss\u200b@crm.example", ""),
    "a no-break space": ("From: boss@crm.example\u00a0", ""),
    "a line separator": ("From: boss@crm.example\u2028evil@evil.example", ""),
    "next line, in latin-1": (b"From: boss@crm.example\x85evil@evil.example", ""),
    "right to left": ("From: \u202eboss@crm.example", ""),
    "8-bit in no charset": (b"From: b\xf6ss@crm.example", ""),
    "8-bit in the name": (b"From: B\xf6ss <boss@crm.example>", BOSS),
    # Look-alikes are somebody else (they are marked where they are shown).
    "full-width @": ("From: boss＠crm.example", ""),
    "a full-width letter": ("From: ｂoss@crm.example", "ｂoss@crm.example"),
    "a full-width host": ("From: boss@ｃrm.example", "boss@xn--rm-hz3n.example"),
    "an ideographic full stop": ("From: boss@crm。example", ""),
    "a Cyrillic letter": ("From: bоss@crm.example", "bоss@crm.example"),
    "a Cyrillic host": ("From: boss@сrm.example", "boss@xn--rm-nmc.example"),
    "the Kelvin sign": ("From: \u212aate@crm.example", ""),
    # Other fields say nothing.
    "no From": ("Sender: boss@crm.example", ""),
    "Sender": ("From: evil@evil.example\r\nSender: boss@crm.example", EVIL),
    "Reply-To": ("From: evil@evil.example\r\nReply-To: boss@crm.example", EVIL),
    "Resent": ("From: evil@evil.example\r\nResent-From: boss@crm.example\r\nResent-Sender: boss@crm.example", EVIL),
    "Return-Path": ("Return-Path: <boss@crm.example>\r\nFrom: evil@evil.example", EVIL),
    "X-Original-From": (
        "From: evil@evil.example\r\nX-Original-From: boss@crm.example\r\nX-From: boss@crm.example",
        EVIL,
    ),
    "From in a body": ("From: evil@evil.example\r\n\r\nFrom: boss@crm.example", EVIL),
}


@pytest.mark.parametrize(("head", "who"), FROM.values(), ids=FROM)
def test_who_is_believed(head: str | bytes, who: str) -> None:
    """And with our own host's word for his domain only the boss himself is a proven user."""
    raw = head.encode() if isinstance(head, str) else head
    assert identified(raw).address == who
    found = identified(PASS + raw)
    assert (found.user, found.proven) == ((1, True) if who == BOSS else (None, False))


@pytest.mark.parametrize(
    "value",
    [
        "(" * 16_000,
        '"' * 16_001,
        '"a"@' * 8_000,
        "(a" * 16_000 + ")" * 8_000,
        "<" * 32_000,
        "\\" * 32_000,
        "(a\\)" * 8_000,
    ],
)
def test_a_hostile_from_takes_no_time(value: str) -> None:
    start = time.process_time()
    assert identified(f"From: {value} <boss@crm.example>".encode()).address in ("", BOSS)
    assert time.process_time() - start < QUICK


# --- Authentication-Results -------------------------------------------------------------------------------------------


def results(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode() + b"From: boss@crm.example"


VERDICTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "ours": ((f"Authentication-Results: {HOST}; dmarc=pass header.from=crm.example",), True),
    "ours, folded": (
        (f"Authentication-Results: {HOST};", " dkim=none;", "\tdmarc=pass", " header.from=crm.example"),
        True,
    ),
    "ours, in capitals": ((f"AUTHENTICATION-RESULTS: {HOST.upper()}; DMARC=Pass",), True),
    "ours, with a version": ((f"Authentication-Results: {HOST} 1; dmarc=pass",), True),
    "ours on top of another's": (
        (f"Authentication-Results: {HOST}; dmarc=pass", "Authentication-Results: mx.evil.example; dmarc=fail"),
        True,
    ),
    "another's on top of ours": (
        ("Authentication-Results: mx.evil.example; dmarc=fail", f"Authentication-Results: {HOST}; dmarc=pass"),
        False,
    ),
    "another's alone": (("Authentication-Results: mx.evil.example; dmarc=pass",), False),
    "a forged one below ours": (
        (f"Authentication-Results: {HOST}; dmarc=none", f"Authentication-Results: {HOST}; dmarc=pass"),
        False,
    ),
    "a name that begins like ours": ((f"Authentication-Results: {HOST}.evil.example; dmarc=pass",), False),
    "a name that ends like ours": ((f"Authentication-Results: evil.{HOST}; dmarc=pass",), False),
    "a word before our name": ((f"Authentication-Results: evil.example {HOST}; dmarc=pass",), False),
    "our name as a comment": ((f"Authentication-Results: evil.example ({HOST}); dmarc=pass",), False),
    "our name in the first clause": ((f"Authentication-Results: evil.example; {HOST}; dmarc=pass",), False),
    "an address as its name": ((f"Authentication-Results: x@{HOST}; dmarc=pass",), False),
    "a pass for another From": ((f"Authentication-Results: {HOST}; dmarc=pass header.from=evil.example",), False),
    "a pass for his host and another": (
        (f"Authentication-Results: {HOST}; dmarc=pass header.from=crm.example; dmarc=pass header.from=evil.example",),
        False,
    ),
    "a fail": ((f"Authentication-Results: {HOST}; dkim=pass header.d=crm.example; dmarc=fail",), False),
    "an aligned signature": ((f"Authentication-Results: {HOST}; dkim=pass header.d=crm.example",), True),
    "a signature by identity": ((f"Authentication-Results: {HOST}; dkim=pass header.i=boss@crm.example",), True),
    "a signature of a sub-domain": ((f"Authentication-Results: {HOST}; dkim=pass header.i=@x.crm.example",), False),
    "a signature of another": ((f"Authentication-Results: {HOST}; dkim=pass header.d=evil.example",), False),
    "a signature that nobody made": ((f"Authentication-Results: {HOST}; dkim=pass",), False),
    "a login": ((f"Authentication-Results: {HOST}; auth=pass smtp.auth=boss@crm.example",), True),
    "another's login": ((f"Authentication-Results: {HOST}; auth=pass smtp.auth=evil@crm.example",), False),
    "the envelope's host": ((f"Authentication-Results: {HOST}; spf=pass smtp.mailfrom=boss@crm.example",), False),
    "a pass in a comment": ((f"Authentication-Results: {HOST}; dmarc=none (dmarc=pass)",), False),
    "a pass in a return path": (
        (f'Authentication-Results: {HOST}; spf=pass smtp.mailfrom="a; dmarc=pass"@evil.example',),
        False,
    ),
    "a pass in an encoded word": ((f"Authentication-Results: {HOST}; =?utf-8?q?dmarc=3Dpass?=",), False),
    "arc": ((f"Authentication-Results: {HOST}; arc=pass (as.1.crm.example=pass)",), False),
    "arc's own header": ((f"ARC-Authentication-Results: i=1; {HOST}; dmarc=pass header.from=crm.example",), False),
    "an old name of the header": ((f"X-Authentication-Results: {HOST}; dmarc=pass",), False),
    "Received-SPF": (("Received-SPF: pass (crm.example: domain of boss@crm.example)",), False),
    "a fail behind a hundred signatures": (
        (
            f"Authentication-Results: {HOST}; dkim=pass header.d=crm.example; "
            + "; ".join(f"dkim=pass header.d=host{number}.evil.example header.s=selector" for number in range(200))
            + "; dmarc=fail header.from=crm.example",
        ),
        False,
    ),
}


@pytest.mark.parametrize(("lines", "proven"), VERDICTS.values(), ids=VERDICTS)
def test_what_our_own_host_says(lines: tuple[str, ...], proven: bool) -> None:
    found = identified(results(*lines))
    assert (found.address, found.user, found.proven) == (BOSS, 1, proven)


def test_a_fail_behind_a_hundred_signatures_refutes_a_customer_too() -> None:
    """The value was cut after 4000 letters, and a sender makes as many signatures as he likes."""
    (line,), _ = VERDICTS["a fail behind a hundred signatures"]
    assert identified(f"{line}\r\nFrom: evil@evil.example".encode()).refuted


# --- what it comes to -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"From: agent@crm.test,\r\n evil@evil.example",
        b"From: agent@crm.test <evil@evil.example>",
        b'From: "agent@crm.test" <evil@evil.example>',
        b"From: evil@evil.example\r\nFrom: agent@crm.test",
        b"From: Friends: agent@crm.test;",
        b"From: evil@evil.example\r\nSender: agent@crm.test\r\nReply-To: agent@crm.test",
        b"From: agent@crm.test",
    ],
)
def test_nobody_acts_as_a_user_by_what_he_writes(talk: Talk, case: Letter, head: bytes) -> None:
    """Not even with our own host's word for a domain that is not the user's."""
    talk.do(f"config set mail.trusted_authserv_id {OURS}")
    verdict = f"Authentication-Results: {OURS}; dmarc=pass header.from=evil.example\r\n".encode()
    letter = talk.post(
        RECEIVED + verdict + head + b"\r\nTo: support@crm.test\r\nSubject: Re: [1] Printer broken\r\n"
        b"Message-ID: <1@evil.example>\r\nIn-Reply-To: <m1@example.com>\r\n\r\nSet-State: close\r\n"
    )
    assert letter.outcome == "unconfirmed"
    assert (talk.state(1), talk.words(1), talk.outbox()) == ("draft", ["It burns."], [])


# --- whose token it is ------------------------------------------------------------------------------------------------


class TestATokenOfAUsers:
    @pytest.fixture
    def shop(self, talk: Talk, case: Letter) -> Talk:
        talk.do("users add bob --email bob@crm.test")
        talk.do("users set agent --notify both")
        return talk

    def test_makes_nobody_else_a_user(self, shop: Talk, case: Letter) -> None:
        """He forwarded his notification: to a colleague, and to a customer."""
        shop.mail("ana@example.com", answers=case, text="Well?")
        notice = shop.notice("agent", 1)
        for sender in ("bob@crm.test", "cy@example.com", "ana@example.com"):
            letter = shop.mail(sender, answers=notice, text=f"Set-State: close\n\nI am {sender}.")
            assert (letter.fates, "user proven" in letter.evidence) == ([("stored", "own-id")], False)
            assert shop.show(1)["messages"][-1]["author"] is None
            assert shop.state(1) != "done"
        assert shop.mail("agent@crm.test", answers=notice, text="Mine.").record == 1
        assert shop.state(1) == "done"

    def test_of_an_internal_notice_lets_nobody_in(self, shop: Talk, case: Letter) -> None:
        shop.do("note 1 -m 'She never pays.'")
        notice = shop.notice("agent", 1)
        for sender in ("bob@crm.test", "cy@example.com"):
            assert shop.mail(sender, answers=notice, text="What?").outcome == "unconfirmed"
        assert shop.mail("ana@example.com", answers=notice, text="Me?").fates == [("stored", "subject")]
        assert not shop.show(1)["messages"][-1]["internal"]  # what a customer writes never is
        assert shop.mail("agent@crm.test", answers=notice, text="True.").fates == [("stored", "own-id")]
        assert shop.show(1)["messages"][-1]["internal"]

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda id: id.replace("1.u", "2.u", 1),  # another record
            lambda id: id.replace(".u2", ".u1"),  # another user
            lambda id: id.replace("1.u", "１.u", 1),  # full-width digits
            lambda id: id.replace("1.u", "١.u", 1),  # Arabic digits
            lambda id: id.replace("1.u", "01.u", 1),
            lambda id: id.replace(".u2", ".u2n"),  # an internal one
            lambda id: id[: id.index("@") - 1] + ("a" if id[id.index("@") - 1] != "a" else "b") + "@crm.test",
        ],
        ids=["record", "user", "full-width", "Arabic", "zero", "internal", "mac"],
    )
    def test_that_was_changed_is_none(self, shop: Talk, case: Letter, spoil: object) -> None:
        shop.mail("ana@example.com", answers=case, text="Well?")
        notice = shop.notice("agent", 1)
        other = spoil(notice.id)  # type: ignore[operator]
        assert other != notice.id
        letter = shop.mail("agent@crm.test", answers=other.encode("ascii", "replace").decode(), text="Set-State: close")
        assert "user proven" not in letter.evidence
        assert shop.state(1) == "draft"


def test_a_customers_token_counts_from_anybody_as_himself(talk: Talk, case: Letter) -> None:
    talk.do("reply 1 -m 'Use water.'")
    mine = talk.show(1)["messages"][-1]["message_id"]
    letter = talk.mail("colleague@example.org", answers=mine, text="She is on leave; I read her mail.")
    assert letter.fates == [("stored", "own-id")]
    assert talk.show(1)["messages"][-1]["from_address"] == "colleague@example.org"


# --- what a door lets in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["contacts", "followers"])
def test_a_colleagues_bare_from_passes_a_policy_and_has_no_power(talk: Talk, policy: str) -> None:
    """As a contact's does: the policy keeps strangers out, it proves nobody."""
    talk.do(f"aliases add vip@crm.test --kind case --section support --policy {policy}")
    assert talk.mail("eve@evil.example", "vip@crm.test", "Hello").fates == [("quarantined", "not-allowed")]
    letter = talk.mail("agent@crm.test", "vip@crm.test, cy@example.com", "Hello", text="Set-State: close")
    assert letter.outcome == "stored"
    made = talk.show(letter.record)
    assert (made["record"]["author"], made["record"]["state"], made["record"]["email"]) == (
        None,
        "draft",
        "agent@crm.test",
    )
    assert talk.outbox() == []


def test_many_in_cc_make_no_contacts_and_get_no_mail(talk: Talk) -> None:
    many = ", ".join(f"cc{number}@example.org" for number in range(300))
    letter = talk.mail("ana@example.com", subject="Storm", text="Hello all.", cc=many)
    assert talk.cli("contacts --json").json == []
    assert talk.outbox() == []
    assert len(talk.show(letter.record)["messages"][-1]["cc"]) == 100
    talk.do("reply 1 -m Hello.", user="agent")
    assert talk.outbox() == ["ana@example.com"]
