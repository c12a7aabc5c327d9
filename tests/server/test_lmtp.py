"""The LMTP door, word for word: what it says to what, and that behind the text of a mail it says 250 or nothing."""

from __future__ import annotations

import pytest
from lmtp import KEPT, Client, Desk

from crmmail.errors import StoreBroken
from crmmail.server import connection, lmtp

START = ("LHLO client.example", "MAIL FROM:<ann@customer.example>", "RCPT TO:<support@crm.test>")
MAIL = b"From: ann@customer.example\r\nSubject: Hi\r\n\r\nHello\r\n"


def codes(replies: list[str]) -> str:
    """`250 354 …`, one a reply: lines that go on are left out."""
    return " ".join(line[:3] for line in replies if line[3:4] != "-")


def deliver(client: Client, text: bytes = MAIL, *start: str) -> bytes:
    """One mail; what is said behind its dot."""
    said = client.says(*(start or START), "DATA")
    assert said[-1][:3] == "354", said
    return client.sends(text + b".\r\n")


def test_it_greets_and_says_what_it_can() -> None:
    client = Client(Desk())
    assert client.wire.out.startswith(b"220 crmmail LMTP")
    said = client.says("LHLO client.example")
    assert [line[4:] for line in said] == [
        "crmmail",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "SMTPUTF8",
        "SIZE",
    ]
    assert [line[3] for line in said] == ["-"] * 5 + [" "]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["NOOP", "RSET", "VRFY ann", "QUIT"], "250 250 252 221"),
        (["noop", "lhlo me", "mail from:<a@b.c>", "rcpt to:<d@e.f>", "data"], "250 250 250 250 354"),
        (["HELO me", "EHLO me"], "500 500"),
        (["LHLO"], "501"),
        (["MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>", "DATA"], "503 503 503"),
        (["LHLO me", "RCPT TO:<d@e.f>", "DATA"], "250 503 503"),
        (["LHLO me", "MAIL FROM:<a@b.c>", "MAIL FROM:<a@b.c>", "DATA"], "250 250 503 503"),
        (["LHLO me", "MAIL FROM:<>", "RCPT TO:<>", "RCPT TO:d@e.f", "RCPT TO:<d@e.f>"], "250 250 501 501 250"),
        (["LHLO me", "MAIL a@b.c", "MAIL FROM:a@b.c", "MAIL FROM: <a@b.c> "], "250 501 501 250"),
        (["LHLO me", "MAIL FROM:<a@b.c> SIZE=100 BODY=8BITMIME SMTPUTF8 AUTH=<> X=y"], "250 250"),
        (["LHLO me", "MAIL FROM:<a@b.c>", "RSET", "RCPT TO:<d@e.f>"], "250 250 250 503"),
        (["LHLO me", "MAIL FROM:<a@b.c>", "LHLO me", "RCPT TO:<d@e.f>"], "250 250 250 503"),
        (["LHLO me", 'MAIL FROM:<"a> b"@c.d>', "RCPT TO:<@relay,@other:d@e.f>"], "250 250 250"),
        (["STARTTLS", "AUTH PLAIN x", "BDAT 3", "", "\x00\x01", "МAIL FROM:<a@b.c>"], "500 500 500 500 500 500"),
    ],
)
def test_every_command_has_its_reply(lines: list[str], expected: str) -> None:
    together, alone = Client(Desk()), Client(Desk())
    assert codes(together.says(*lines)) == expected
    assert " ".join(codes(alone.says(one)) for one in lines) == expected


def test_a_mail_is_handed_over_and_its_fate_told() -> None:
    client = Client(desk := Desk())
    assert deliver(client) == b"250 2.0.0 stored #101\r\n"
    (mail,) = desk.mails
    assert mail.letter.whole() == MAIL
    assert mail.options.envelope.recipients == ("support@crm.test",)
    assert not mail.options.envelope.null_sender
    assert deliver(client, MAIL, *START[1:]) == b"250 2.0.0 stored #101\r\n", "and one behind the other"
    assert (len(desk.mails), desk.places) == (2, 0)


def test_bytes_come_as_they_are() -> None:
    client = Client(desk := Desk())
    text = (
        b"Subject: \xd0\x9f\r\n\r\n" + b"\xff\x00" * 3000 + b"\r\n..dot\r\nbare\nlines\r\n" + b"x" * 100_000 + b"\r\n"
    )
    client.says(*START, "DATA")
    for at in range(0, len(text), 997):
        assert client.sends(text[at : at + 997]) == b""
    assert client.sends(b".\r\nQUIT\r\n").startswith(b"250 2.0.0 stored #101\r\n221 ")
    assert desk.mails[0].letter.whole() == text.replace(b"\r\n..", b"\r\n.")
    assert not client.wire.open


def test_a_mail_that_comes_with_all_its_commands_in_one_packet_or_byte_by_byte() -> None:
    """Nobody may send the text before he has read 354; but what is pipelined up to there comes as it likes."""
    sent = "".join(f"{line}\r\n" for line in (*START, "DATA")).encode() + MAIL + b".\r\n"
    whole, crumbs = Client(Desk()), Client(Desk())
    said = whole.sends(sent)
    assert said.endswith(
        b"250 2.1.5 OK\r\n354 end the mail with a dot on a line of its own\r\n250 2.0.0 stored #101\r\n"
    )
    assert b"".join(crumbs.sends(sent[at : at + 1]) for at in range(len(sent))) == said
    assert [client.desk.mails[0].letter.whole() for client in (whole, crumbs)] == [MAIL, MAIL]


@pytest.mark.parametrize("slow", [False, True])
def test_however_much_is_sent_ahead(slow: bool) -> None:
    """Hundreds of mails begun and given up, in one packet, behind the text of another."""
    client = Client(desk := Desk(slow=slow))
    client.says(*START)
    desk.catch_up()
    client.says("DATA")
    desk.slow = False
    client.sends(MAIL + b".\r\n" + f"{START[1]}\r\n{START[2]}\r\nRSET\r\n".encode() * 1000)
    desk.catch_up()
    assert codes(client.wire.out.decode().split("\r\n")[-3002:-1]) == " ".join(["250"] * 3001)
    assert (desk.places, client.wire.open) == (0, True)


def test_however_many_recipients_are_refused() -> None:
    client = Client(Desk("too many mails wait already: try again"))
    said = client.says(*START[:2], *[START[2]] * 1000, "NOOP")
    assert codes(said[-1001:]) == " ".join(["451"] * 1000 + ["250"])


def test_a_recipient_is_not_taken_out_of_anothers_quotes() -> None:
    client = Client(desk := Desk())
    deliver(client, MAIL, *START[:2], 'RCPT TO:<"x sales@crm.test y"@other.example>', "RCPT TO:<ben@crm.test>")
    assert desk.mails[0].options.envelope.recipients == ("ben@crm.test",)


def test_several_recipients_are_one_mail_and_all_hear_the_same() -> None:
    client = Client(desk := Desk())
    said = deliver(client, MAIL, *START, "RCPT TO:<Sales@CRM.test>", "RCPT TO:<info@crm.test>")
    assert said == b"250 2.0.0 stored #101\r\n" * 3
    assert [one.options.envelope.recipients for one in desk.mails] == [
        ("support@crm.test", "sales@crm.test", "info@crm.test")
    ]
    assert desk.asked == [0], "the store is asked once a mail"


def test_a_hundred_recipients_and_no_more() -> None:
    client = Client(desk := Desk())
    said = client.says(*START[:2], *(f"RCPT TO:<a{number}@crm.test>" for number in range(101)), "DATA")
    assert codes(said[-102:]) == " ".join(["250"] * 100 + ["452", "354"])
    assert client.sends(MAIL + b".\r\n").count(b"250 ") == 100
    assert len(desk.mails[0].options.envelope.recipients) == 100


def test_the_null_sender_is_told() -> None:
    client = Client(desk := Desk())
    deliver(client, MAIL, "LHLO me", "MAIL FROM:<>", "RCPT TO:<bounces+d7@crm.test>")
    envelope = desk.mails[0].options.envelope
    assert (envelope.null_sender, envelope.recipients) == (True, ("bounces+d7@crm.test",))


def test_an_empty_mail_that_has_its_dot_is_a_mail() -> None:
    """Nothing on the MDA's stdin is a fetchmail that was stopped.  Here it is all there is, and would come for ever."""
    client = Client(desk := Desk())
    assert deliver(client, b"") == b"250 2.0.0 stored #101\r\n"
    assert desk.mails[0].letter.whole() == b"\r\n"


def test_a_big_mail_waits_in_a_file_and_is_kept_whole() -> None:
    client = Client(desk := Desk())
    line = b"x" * 998 + b"\r\n"
    client.says(*START, "DATA")
    for _ in range(3):
        client.sends(line * 1000)
    assert client.sends(b".\r\n") == b"250 2.0.0 stored #101\r\n"
    letter = desk.mails[0].letter
    assert (letter.size, letter.whole() == line * 3000) == (3_000_000, True)
    assert not hasattr(letter._bytes, "getvalue"), "it is in a file"


# -- behind the dot ---------------------------------------------------------------------------------------------------


def test_nothing_is_said_before_the_verdict() -> None:
    client = Client(desk := Desk(slow=True))
    client.says(*START)
    desk.catch_up()
    assert client.says("DATA")[0][:3] == "354"
    assert client.sends(MAIL + b".\r\nNOOP\r\n") == b""
    assert len(desk.mails) == 1
    desk.catch_up()
    assert client.wire.out.endswith(
        b"354 end the mail with a dot on a line of its own\r\n250 2.0.0 stored #101\r\n250 2.0.0 OK\r\n"
    )


def test_what_is_not_committed_is_a_connection_that_ends() -> None:
    client = Client(desk := Desk(verdict=StoreBroken("no room left on the disk")))
    assert deliver(client) == b""
    assert not client.wire.open
    assert (len(desk.mails), desk.places, client.others) == (1, 0, set())


def test_a_client_that_went_before_its_verdict_gets_none() -> None:
    client = Client(desk := Desk(slow=True))
    client.says(*START)
    desk.catch_up()
    client.says("DATA")
    client.sends(MAIL + b".\r\n")
    client.door.connection_lost(None)
    client.wire.open = False
    desk.catch_up()
    assert (len(desk.mails), desk.places, client.others) == (1, 0, set())


def test_a_mail_without_room_for_its_file_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    client = Client(desk := Desk())
    client.says(*START, "DATA")
    for _ in range(3):
        assert client.sends(b"x" * 1_000_000) == b""
    client.sends(b"\r\n.\r\n")
    assert "no room in /nowhere" in desk.mails[0].letter.trouble, "which a delivery says is to come again"


# -- before it --------------------------------------------------------------------------------------------------------


def test_trouble_with_the_store_is_a_451_for_the_recipient() -> None:
    client = Client(desk := Desk("/srv/crm.db is locked by another process: try again"))
    said = client.says(*START, "DATA")
    assert said[-2:] == [
        "451 4.3.0 /srv/crm.db is locked by another process: try again",
        "503 5.5.1 no recipient is accepted yet",
    ]
    assert desk.places == 0
    desk.trouble = ""
    assert client.says(START[2], "DATA")[-1][:3] == "354", "the next one is asked for anew"


def test_trouble_is_told_in_one_line_whatever_is_in_it() -> None:
    (said,) = Client(Desk("a\r\n250 2.0.0 OK\x1b[31m\u202e" + "й" * 900)).says(*START)[-1:]
    assert said.startswith("451 4.3.0 a 250 2.0.0 OK")
    assert said.isascii() and said.isprintable() and len(said) < 512


def test_the_size_that_mail_tells_is_asked_for() -> None:
    client = Client(desk := Desk())
    client.says("LHLO me", "MAIL FROM:<ann@customer.example> SIZE=123456 BODY=8BITMIME", START[2])
    client.says("RSET", "MAIL FROM:<SIZE=7@customer.example>", START[2])
    assert desk.asked == [123456, 0]


@pytest.mark.parametrize("end", ["RSET", "LHLO me", "QUIT", ""])
def test_a_place_that_is_not_used_is_given_back(end: str) -> None:
    client = Client(desk := Desk())
    client.says(*START)
    assert desk.places == 1
    if end:
        client.says(end)
    else:
        client.door.connection_lost(ConnectionResetError())
    assert desk.places == 0


def test_a_place_that_comes_when_the_client_is_gone_is_given_back() -> None:
    client = Client(desk := Desk(slow=True))
    client.says(*START)
    client.door.connection_lost(None)
    desk.catch_up()
    assert desk.places == 0


# -- manners ----------------------------------------------------------------------------------------------------------


def test_a_line_that_is_too_long_is_none_and_the_next_one_is() -> None:
    client = Client(Desk())
    for _ in range(3):
        assert client.sends(b"A" * 3000) == b""
    assert codes(client.says("", "NOOP")) == "500 250"
    assert codes(client.says("NOOP " + "x" * 5000, "NOOP")) == "500 250"
    assert len(client.door.buffer) == 0


def test_whoever_only_talks_nonsense_is_hung_up_on() -> None:
    client = Client(Desk())
    said = client.says(*(["GET / HTTP/1.1", "Host: crm.test"] * 20))
    assert codes(said) == " ".join(["500"] * 20 + ["421"])
    assert not client.wire.open


def test_there_is_room_for_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST", 1)
    first = Client(desk := Desk())
    wire = type(first.wire)()
    second = lmtp.Lmtp(desk, first.others, first.loop)
    second.connection_made(wire)
    assert (wire.out[:4], wire.open, second in first.others) == (b"421 ", False, False)
    assert first.wire.open


def test_silence_ends_a_connection_but_not_while_we_are_to_answer() -> None:
    client = Client(desk := Desk(slow=True))
    client.says(*START)
    client.loop.now = 1000
    assert not client.door.is_silent(1000.0), "it waits for us"
    desk.catch_up()
    assert not client.door.is_silent(1299.0)
    assert client.door.is_silent(1301.0)


def test_at_the_end_it_says_so_but_never_inside_a_mail() -> None:
    idle, busy = Client(Desk()), Client(Desk())
    idle.door.end("crmmail serve is stopping: try again")
    assert idle.wire.out.endswith(b"421 4.3.2 crmmail serve is stopping: try again\r\n")
    busy.says(*START, "DATA")
    before = busy.wire.out
    busy.door.end("crmmail serve is stopping: try again")
    assert busy.wire.out == before
    assert not idle.wire.open and not busy.wire.open


def test_whoever_sends_ahead_without_end_is_not_read_on() -> None:
    client = Client(desk := Desk(slow=True))
    client.says(*START)
    client.sends(b"NOOP\r\n" * 20_000)
    assert not client.wire.reads
    desk.catch_up()
    assert client.wire.reads
    assert client.wire.out.count(b"250 2.0.0 OK") == 20_000


def test_the_fate_is_told_in_our_words() -> None:
    held = KEPT[0]._replace(outcome="quarantined", record=None, quarantine=7)
    assert lmtp.fate(held) == "quarantined 7"
    assert lmtp.fate(held._replace(outcome="ignored", quarantine=None)) == "ignored"
