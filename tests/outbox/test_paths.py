"""Every path out of the house: which rows of the outbox become mail, and whom a letter reaches (safety.md 3).

The first test knows nothing of how the program decides: it puts every kind of row into the store, whoever should be
able to make it or not, lets all of them leave, and holds what arrived against a rule of a few lines.
"""

from __future__ import annotations

import random
from itertools import product
from typing import NamedTuple

import pytest
from mailsink import Sink
from outgoing import Office, identifier, raw_store, read, words

from crmmail.core import token
from crmmail.services.acts import post
from crmmail.services.sending import preview, send
from crmmail.services.sending.preview import Words
from crmmail.store import tables
from crmmail.store.letters import outbox

KINDS = ("email_in", "email_out", "note", "system", "call", "auto")
ANA, BOB, EVE = "ana@example.com", "bob@example.com", "eve@example.com"


class Reader(NamedTuple):
    """Somebody for whom a row says that its mail is."""

    name: str
    user: str = ""  # his login; "" is nobody of ours
    contact: bool = False
    address: str = ""
    token: str = ""  # for whom the id of the mail is made: a login, "contact", "" for a bare address


READERS = (
    Reader("user", "agent", address="agent@crm.test", token="agent"),
    Reader("user, written to another's address", "agent", address=EVE, token="agent"),
    Reader("user, under another user's id", "agent", address="agent@crm.test", token="boss"),
    Reader("user who has left", "gone", address="gone@crm.test", token="gone"),
    Reader("user who is a customer here", "dora", address="dora@home.example", token="dora"),
    Reader("contact", contact=True, address=BOB, token="contact"),
    Reader("contact, under a user's id", contact=True, address=BOB, token="agent"),
    Reader("address", address=EVE),
    Reader("address, under a user's id", address=EVE, token="agent"),
    Reader("address of a user", address="agent@crm.test"),
)


def may_leave(kind: str, internal: bool, purpose: str, reader: Reader, marked: bool) -> bool:
    """Safety.md 3 in few words: `marked`, the id says that its answer stays inside."""
    letter = kind in ("email_out", "auto")
    if reader.name.endswith("user's id") or reader.name == "user who has left":
        return False
    if purpose == "mail" and (internal or not letter):
        return False
    if reader.user:
        return not internal or (marked and reader.user != "dora")
    return not internal and (letter or kind == "email_in")


def test_every_kind_of_row(office: Office, sink: Sink) -> None:
    talk = office.talk
    talk.do("config set mail.plus_addresses yes")
    talk.do(f"follow {office.case} --who dora@home.example")  # before she works here
    for login, address in (("gone", "gone@crm.test"), ("dora", "dora@home.example")):
        talk.do(f"users add {login} --email {address}")
    card = int(talk.do(f"contacts add Bob --email {BOB}"))
    rows: dict[str, tuple[str, bool, str, Reader, bool]] = {}
    with talk.open() as workspace, workspace.store.transaction():
        users = {one.login: one.id for one in tables.User.select()}
        now = workspace.now()
        cases = product(KINDS, (False, True), ("mail", "notification"), READERS, (False, True))
        for number, (kind, internal, purpose, reader, marked) in enumerate(cases):
            message = tables.Message.create(
                thread=office.case, kind=kind, subtype="discussion", internal=internal, from_name="Somebody",
                subject=f"secret{number}x", text=f"secret{number}x", date=now, received=now,
            )  # fmt: skip
            who = f"u{users[reader.token]}" if reader.token in users else f"c{card}" if reader.token else "x"
            mark = token.message_id(
                workspace.secret, token.Token(office.case, who, marked), f"{number:08x}", "crm.test"
            )
            outbox.put_delivery(
                message.id, office.case, user=users.get(reader.user), contact=card if reader.contact else None,
                address=reader.address, purpose=purpose, role="to", identifier=mark, due=now, created=now,
            )  # fmt: skip
            rows[mark] = (kind, internal, purpose, reader, marked)
    talk.do("users remove gone")
    with talk.open() as workspace:
        send.send(workspace)

    came = {identifier(read(one)): one for one in sink.received}
    assert len(came) == len(sink.received)
    wrong = [row for mark, row in rows.items() if (mark in came) is not may_leave(*row)]
    assert wrong == []
    assert len(came) > len(rows) / 6
    for number, (mark, (_, internal, _, reader, _)) in enumerate(rows.items()):
        seen = [one.recipient for one in sink.received if f"secret{number}x".encode() in one.data]
        if not may_leave(*rows[mark]):
            assert seen == [], rows[mark]
            continue
        home = {"agent": "agent@crm.test", "dora": "dora@home.example"}.get(reader.user, reader.address)
        assert seen == [home], rows[mark]
        mail = read(came[mark])
        answer = token.read_tag(workspace.secret, str(mail["Reply-To"]).partition("+")[2].partition("@")[0])
        assert answer is not None and (not internal or answer.internal), "its answer would leave the house"
    assert {row.state for row in office.rows() if row.identifier not in came} == {"failed", "cancelled"}


# --- whom a letter reaches: as the preview says -------------------------------------------------------------

PEOPLE = [ANA, BOB, EVE, "cy@example.com", "di@example.com", "agent@crm.test", "boss@crm.test"]
NAMED = ("CHIEFNAME", "secretlogin", "NOTEWORDS")


@pytest.fixture
def crowd(office: Office) -> Office:
    """The case has two customers, followers of every sort, a note, and an address that is dead."""
    talk = office.talk
    talk.do(f"contacts add Bob --email {BOB}")
    talk.do(["users", "add", "secretlogin", "--name", "CHIEFNAME", "--email", "chief@crm.test", "--notify", "both"])
    for who in ("expert@firm.example", "dead@firm.example", "2", "secretlogin"):
        talk.do(f"follow {office.case} --who {who}")
    talk.do(["note", str(office.case), "-m", "NOTEWORDS @boss"], "agent")
    talk.mail(BOB, cc=f"{ANA}, cy@example.com", answers=talk.sent[0], text="BOBSWORDS")
    with talk.open() as workspace, workspace.store.transaction():
        outbox.mark_bad("dead@firm.example", workspace.now(), "550 5.1.1 unknown", 1)
    talk.do("outbox send")
    return office


def test_the_preview_names_exactly_those_outside_who_get_it(crowd: Office, sink: Sink, thorough: bool) -> None:
    chance = random.Random(7)
    numbers = [one["id"] for one in crowd.talk.show(crowd.case)["messages"] if one["kind"] == "email_in"]
    assert "BOBSWORDS" in "".join(one.data.decode() for one in sink.received)
    for turn in range(200 if thorough else 25):
        verb = chance.choice(["reply", "reply", "send", "forward"])
        to, cc, bcc = (chance.sample(PEOPLE, chance.choice(most)) for most in ((0, 1, 2), (0, 0, 2), (0, 0, 2)))
        to = to or ([EVE] if verb == "forward" else [])
        said = Words(
            text=f"TURN{turn}", to=tuple(to), cc=tuple(cc), bcc=tuple(bcc), everybody=chance.random() < 0.3,
            message=chance.choice([None, *numbers]) if verb != "send" else None,
        )  # fmt: skip
        with crowd.talk.open("agent") as workspace:
            plan = preview.plan(workspace, verb, crowd.case, said)
            before = len(sink.received)
            send.send(workspace, numbers=post.post(workspace, plan).deliveries)
        promised = {one.address for one in plan.outside} | {one.who for one in plan.hearers if not one.internal}
        new = sink.received[before:]
        inside = {"agent@crm.test", "boss@crm.test", "chief@crm.test"}
        assert {one.recipient for one in new} - inside == promised, said
        assert len({one.recipient for one in new}) == len(new), "nobody gets it twice"
        hidden = {one.address for one in plan.addressees if one.role == "bcc"} - {plan.sender.address}
        for one in new:
            head = one.data.partition(b"\r\n\r\n")[0].decode()
            others = [address for address in hidden - {one.recipient} if address in head]
            assert others == [], "a Bcc that somebody else can read"
            if one.recipient not in inside:
                assert not [word for word in NAMED if word in one.data.decode()]


class TestTheQuote:
    """Below an answer stands what its reader wrote or was sent, and nothing else."""

    def last(self, crowd: Office, to: str) -> str:
        return words(crowd.mails(to)[-1])

    def test_another_customers_letter_is_not_in_it(self, crowd: Office) -> None:
        crowd.talk.do(f"reply {crowd.case} -m Hello. --to di@example.com --yes", "agent")
        assert self.last(crowd, "di@example.com") == "Hello."
        mail = crowd.mails("di@example.com")[-1]
        assert mail["Subject"] == "Printer broken"

    def test_nor_where_it_is_named(self, crowd: Office) -> None:
        number = next(one["id"] for one in crowd.talk.show(crowd.case)["messages"] if "BOBSWORDS" in one["text"])
        crowd.talk.do(f"reply {crowd.case} -m Hello. --to di@example.com --message {number} --yes", "agent")
        assert "BOBSWORDS" not in self.last(crowd, "di@example.com")

    @pytest.mark.parametrize("to", [BOB, "cy@example.com"], ids=["who wrote it", "who stood in Cc"])
    def test_his_own_is(self, crowd: Office, to: str) -> None:
        crowd.talk.do(f"reply {crowd.case} -m Hello. --to {to} --yes", "agent")
        assert "> BOBSWORDS" in self.last(crowd, to)

    def test_in_cc_whoever_the_writer_wants_reads_it_too(self, crowd: Office) -> None:
        crowd.talk.do(f"reply {crowd.case} -m Hello. --cc di@example.com --yes", "agent")
        assert "> BOBSWORDS" in self.last(crowd, "di@example.com")

    def test_a_note_is_not_and_cannot_be(self, crowd: Office) -> None:
        note = next(one["id"] for one in crowd.talk.show(crowd.case)["messages"] if one["kind"] == "note")
        said = crowd.talk.cli(f"reply {crowd.case} -m Hello. --message {note} --yes", "agent")
        assert said.code == 1 and "is internal" in said.err


# --- who somebody is, is asked again ------------------------------------------------------------------------


class TestAsThingsAreNow:
    """The row was right when it was written."""

    @pytest.fixture
    def notice(self, office: Office, sink: Sink) -> int:
        """The agent is to hear by mail of a note."""
        office.talk.do("users set agent --notify email")
        office.use("")
        office.talk.do(["note", str(office.case), "-m", "She never pays. @agent"])
        office.use(sink.url)
        (row,) = [row for row in office.rows() if row.user is not None]
        return row.id

    def test_he_has_a_customers_address_now(self, office: Office, sink: Sink, notice: int) -> None:
        with raw_store(office.talk.db) as store:
            store.execute("UPDATE crm_user_address SET address = ? WHERE address = 'agent@crm.test'", (ANA,))
        assert office.talk.cli("outbox send").code == 1
        assert (sink.recipients, office.row(notice).state) == ([], "failed")
        assert "is the customer of #" in office.row(notice).reason

    def test_a_colleague_who_is_the_customer_reads_notes_in_his_inbox(self, office: Office, sink: Sink) -> None:
        talk = office.talk
        talk.do("users add dora --email dora@home.example --notify email")
        case = talk.mail("dora@home.example", subject="My laptop").record
        talk.do(["note", str(case), "-m", "She drops it each week. @dora"], "agent")
        talk.do("outbox send")
        assert "dora@home.example" not in sink.recipients
        assert [text for _, text in talk.heard("dora")][-1].startswith("She drops it")
