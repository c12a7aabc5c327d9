"""Two shops, and the machines of this world between them, all answering by themselves: soon nobody says anything more.

Each shop is a store of its own and sends by real SMTP; what a machine does with a mail is said by a function.  In the
worst company, where machines tell nobody that they are machines, at most LIMIT mails go each way (safety.md 4): as
many as `loop.mails` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from conversation import SHOP, Talk, founded, opened
from mailsink import Received, Sink

LIMIT = 10  # mails each way
ROUNDS = 60  # a minute each, and the counters look back two hours: nothing is forgotten meanwhile
ANA = "ana@example.com"
OURS, THEIRS = "crm.test", "other.test"


class Posted(NamedTuple):
    """A mail that a machine hands to its server."""

    sender: str  # of the envelope
    to: str
    mail: EmailMessage


Machine: TypeAlias = Callable[[EmailMessage, Received, int], list[Posted]]  # the last is a number never used before


class World:
    """The mail that leaves the shops goes where it is addressed: to a shop, or to a machine."""

    def __init__(self, shops: dict[str, Talk], sink: Sink) -> None:
        self.shops, self.sink = shops, sink
        self.machines: dict[str, Machine] = {}
        self.relay: Machine | None = None  # stands between the shops and everybody
        self.ways: Counter[tuple[str, str]] = Counter()  # (from whom, to whom) → mails; a shop by its domain
        self._busy: list[str] = []  # the shops that take part
        self._numbers = iter(range(1, 10_000))
        self._seen = 0

    def at(self, domain: str) -> Talk:
        """A shop, in whose house everything happens until the next."""
        shop = self.shops[domain]
        self._busy = list(dict.fromkeys([*self._busy, domain]))
        shop.environ(CRMMAIL_DB=str(shop.db), HOME=str(shop.home), CRMMAIL_SMTP_URL=self.sink.url)
        shop.wait()
        return shop

    def run(self) -> None:
        """Until nobody has anything more to say."""
        for _ in range(ROUNDS):
            for domain in self._busy:
                shop = self.at(domain)
                shop.wait(minutes=1)
                said = shop.cli("tick")
                assert said.code == 0, said.err
            new = self.sink.received[self._seen :]
            self._seen = len(self.sink.received)
            if not new:
                return
            for mail in new:
                self._carry(mail)
        raise AssertionError(f"they do not fall silent: {self.ways}")

    def post(self, sender: str, to: str, mail: EmailMessage) -> None:
        """A mail arrives at a shop, or at a machine."""
        domain = to.partition("@")[2]
        if domain in self.shops:
            trace = f"Return-Path: <{sender}>\r\nDelivered-To: {to}\r\n".encode()
            self.at(domain).post(trace + mail.as_bytes(policy=policy.SMTP), f"--sender={sender}", f"--recipient={to}")
        elif to in self.machines:
            self._answer(self.machines[to], Received(sender, to, mail.as_bytes(policy=policy.SMTP), []))

    def _carry(self, mail: Received) -> None:
        home = mail.sender.partition("@")[2]
        here = home if home in self.shops else "nobody"
        domain = mail.recipient.partition("@")[2]
        if mail.recipient.endswith("@home.example") and mail.recipient not in self.machines:
            return  # a person of ours reads it
        self.ways[here, domain if domain in self.shops else mail.recipient] += 1
        if self.relay and domain in self.shops:
            self._answer(self.relay, mail)
        elif domain in self.shops:
            self.post(mail.sender, mail.recipient, read(mail.data))
        elif mail.recipient in self.machines:
            self._answer(self.machines[mail.recipient], mail)

    def _answer(self, machine: Machine, mail: Received) -> None:
        for one in machine(read(mail.data), mail, next(self._numbers)):
            self.ways[mail.recipient, one.to.partition("@")[2]] += 1
            self.post(one.sender, one.to, one.mail)

    def waiting(self) -> list[str]:
        """To whom mail of the shops that take part still waits."""
        return [
            one["to"]
            for domain in self._busy
            for one in self.at(domain).cli("outbox --json").json
            if one["state"] == "queued"
        ]

    def loops(self, domain: str) -> tuple[int, int]:
        """(letters in quarantine for it, inbox items about them)."""
        shop = self.at(domain)
        items = [one for user in ("boss", "agent") for one in shop.inbox(user) if one["reason"] == "loop"]
        return [reason for reason, _ in shop.quarantine()].count("loop"), len(items)


def read(data: bytes) -> EmailMessage:
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def written(sender: str, to: str, subject: str, text: str, number: int, **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Message-ID"] = f"<machine{number}@{sender.partition('@')[2]}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(f"{text} {number}\n")
    return mail


# --- machines -----------------------------------------------------------------------------------------------


def answers_all(subject: str = "", *, to: str = "Reply-To", threaded: bool = True, **headers: str) -> Machine:
    """Whoever writes to it has an answer: at Reply-To, or From, or at the return path."""

    def machine(mail: EmailMessage, came: Received, number: int) -> list[Posted]:
        where = came.sender if to == "path" else (mail[to] or mail["From"]).addresses[0].addr_spec
        more = dict(headers)
        if threaded:
            more |= {"In_Reply_To": str(mail["Message-ID"]), "References": str(mail["Message-ID"])}
        said = subject or f"Re: {mail['Subject']}"
        answer = written(came.recipient, where, said.format(number=number), "Got it.", number, **more)
        return [Posted(came.recipient if not headers else "", where, answer)]

    return machine


def vacation(to: str) -> Machine:
    return answers_all("Away", to=to, Auto_Submitted="auto-replied", Precedence="bulk")


def bounces(report: bool) -> Machine:
    """There is nobody: the mailer says so each time, at the return path."""

    def machine(mail: EmailMessage, came: Received, number: int) -> list[Posted]:
        domain = came.recipient.partition("@")[2]
        said = written(f"MAILER-DAEMON@{domain}", came.sender, "Undelivered Mail Returned to Sender", "Alas.", number)
        if report:
            said.add_attachment(f"<{came.recipient}>: 550 5.1.1 unknown\n")
            said.add_attachment(mail)
            said.set_param("report-type", "delivery-status")
        else:
            said.set_content(f"<{came.recipient}>: 550 5.1.1 unknown\n\n{number}\n")
        return [Posted("", came.sender, said)]

    return machine


def forwards(to: str, *, footer: bool = False, own_name: bool = False, stripped: bool = False) -> Machine:
    """Passes everything on, as it is, or below its own words, or as if it had written it."""

    def machine(mail: EmailMessage, came: Received, number: int) -> list[Posted]:
        body = mail.get_body(("plain",))
        assert body is not None
        if stripped:
            text = str(body.get_content()) + "\n-- \nsent by a gateway\n"
            new = written(str(mail["From"]), to, f"Ticket {number}", text, number)
            return [Posted(came.sender, to, new)]
        if own_name:
            mail.replace_header("From", came.recipient)
        if footer:
            body.set_content(str(body.get_content()) + "\n-- \nvirus free\n")
        return [Posted(came.sender, to, mail)]

    return machine


def list_of(*members: str, marked: bool) -> Machine:
    """A mailing list: everybody on it gets what anybody writes, from the list, with a footer."""

    def machine(mail: EmailMessage, came: Received, number: int) -> list[Posted]:
        copies = []
        for member in members:
            copy = read(mail.as_bytes(policy=policy.SMTP))
            copy.replace_header("From", f"Somebody via list <{came.recipient}>")
            copy.replace_header("Message-ID", f"<list{number}@lists.example>")
            del copy["Reply-To"], copy["X-Crmmail-Sent"]
            if marked:
                copy["List-Id"], copy["Precedence"] = "<talk.lists.example>", "list"
            else:
                del copy["Auto-Submitted"], copy["X-Loop"], copy["X-Auto-Response-Suppress"]
            copies.append(Posted("talk-bounces@lists.example", member, copy))
        return copies

    return machine


def gateway(world: World) -> Machine:
    """Stands between the shops: takes out every header that is not needed, and writes a subject of its own."""

    def machine(mail: EmailMessage, came: Received, number: int) -> list[Posted]:
        sender = str(mail["From"].addresses[0].addr_spec)
        body = mail.get_body(("plain",))
        text = str(body.get_content()) if body else ""
        to = came.recipient.partition("+")[0] + "@" + came.recipient.partition("@")[2]
        to = to if "+" in came.recipient else came.recipient
        return [Posted(sender, to, written(sender, to, f"Ticket {number}", text, number))]

    return machine


# --- the shops ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two shops; their agents hear by inbox and by mail, in mailboxes of their own."""
    more = [
        "templates add thanks --subject 'Thank you' -m 'We have got your letter: {record.title}'",
        "users set agent --notify both --email agent@home.example --address agent@crm.test",
        "config set mail.bounce bounce@crm.test",
    ]
    made = {}
    for domain in (OURS, THEIRS):
        lines = [line.replace(OURS, domain) for line in (*SHOP, *more)]
        made[domain] = founded(tmp_path_factory.mktemp(domain), lines)
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Without plus-addresses fewer mails say what they answer; with them is for the long form."""
    if "plus" in metafunc.fixturenames:
        metafunc.parametrize("plus", ["no", "yes"] if metafunc.config.getoption("--thorough") else ["no"])


@pytest.fixture
def world(plus: str, stores: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sink: Sink) -> World:
    shops = {}
    for domain, store in stores.items():
        folder = tmp_path / domain
        folder.mkdir()
        shops[domain] = opened(store, folder, monkeypatch)
        shops[domain].environ(CRMMAIL_MAIL_PLUS_ADDRESSES=plus)
    return World(shops, sink)


def thanks(world: World, *domains: str) -> None:
    for domain in domains:
        world.at(domain).do("rules add Thanks --state-from none --mail thanks")


def begins(world: World, domain: str = OURS, sender: str = ANA, subject: str = "Printer broken") -> int:
    """Somebody's letter makes a case of the shop's."""
    letter = world.at(domain).mail(sender, f"support@{domain}", subject, "It smokes.")
    assert letter.record is not None
    return letter.record


def silent(world: World, *, at_least: int = 1, user: str = "") -> None:
    """It has ended, and in time; something was said at all.

    Args:
        user: an address of ours who hears of each letter, the one too with which a person began it.
    """
    world.run()
    assert sum(world.ways.values()) >= at_least
    assert all(count <= LIMIT + (user in way) for way, count in world.ways.items()), world.ways
    assert world.waiting() == []


# --- one shop and a machine ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "machine",
    [
        vacation("Reply-To"),
        vacation("From"),
        vacation("path"),
        answers_all("Automatic reply: away"),
        answers_all(),
        answers_all(to="path"),
        answers_all("Ticket {number}", threaded=False),
        answers_all("Ticket {number}", to="From", threaded=False),
    ],
    ids=["Reply-To", "From", "path", "by subject", "unmarked", "unmarked, path", "stripped", "stripped, From"],
)
def test_a_customer_who_answers_by_himself(world: World, machine: Machine) -> None:
    """A receipt for each new case, and a customer whose machine answers each receipt."""
    thanks(world, OURS)
    world.machines[ANA] = machine
    begins(world)
    silent(world, at_least=2)


def test_followers_who_answer_by_themselves_and_do_not_say_so(world: World) -> None:
    case = begins(world)
    for who in ("ben@firm.example", "eva@firm.example"):
        world.at(OURS).do(f"follow {case} --who {who}")
        world.machines[who] = answers_all()
    world.machines[ANA] = answers_all()
    world.at(OURS).do(f"reply {case} -m 'Pull the plug!' --yes", user="agent")
    silent(world, at_least=8)


def test_a_user_and_a_customer_who_are_both_away(world: World) -> None:
    """Neither machine says that it is one: the user's words go to the customer, the customer's to the user."""
    world.machines[ANA] = answers_all()
    world.machines["agent@home.example"] = answers_all()
    begins(world)
    silent(world, at_least=4, user="agent@home.example")


@pytest.mark.parametrize("report", [True, False], ids=["report", "words"])
def test_an_address_that_bounces_everything(world: World, report: bool) -> None:
    thanks(world, OURS)
    expert = "expert@firm.example"
    world.machines |= dict.fromkeys((ANA, expert, "bounce@crm.test"), bounces(report))
    case = begins(world)
    world.at(OURS).do(f"follow {case} --who {expert}")
    for words in ("More.", "And more."):
        world.at(OURS).mail("bob@example.com", answers=world.at(OURS).sent[0], text=words)
    world.at(OURS).do(f"reply {case} -m 'Pull the plug!' --to bob@example.com --yes", user="agent")
    silent(world, at_least=2)
    assert world.at(OURS).all("case") == [case]


def test_a_bounce_of_a_bounce(world: World) -> None:
    """Bounces come back for bounces that somebody else sent in our name: they answer nothing and make nothing."""
    shop = world.at(OURS)
    for number in range(5):
        said = written(
            "MAILER-DAEMON@firm.example", "bounce@crm.test", "Undelivered Mail Returned to Sender", "", number
        )
        assert shop.post(b"Return-Path: <>\r\n" + said.as_bytes(policy=policy.SMTP)).reason == "bounce-unmatched"
    world.run()
    assert (world.sink.received, shop.all("case")) == ([], [])


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_a_mailing_list_on_which_we_are_ourselves(world: World, marked: bool) -> None:
    case = begins(world)
    world.machines["talk@lists.example"] = list_of("support@crm.test", marked=marked)
    world.at(OURS).do(f"follow {case} --who talk@lists.example")
    world.at(OURS).do(f"reply {case} -m 'Pull the plug!' --yes", user="agent")
    world.at(OURS).mail(ANA, answers=world.at(OURS).sent[0], text="More.")
    silent(world, at_least=2)


@pytest.mark.parametrize(
    "how",
    [{}, {"footer": True}, {"own_name": True, "footer": True}, {"stripped": True}],
    ids=["as it is", "footer", "own name", "stripped"],
)
def test_an_address_that_forwards_to_us(world: World, how: dict[str, bool]) -> None:
    """A rule copies the conversation to it, and it follows."""
    world.at(OURS).do("rules add Copy --state-from none --copy chief@firm.example")
    world.machines["chief@firm.example"] = forwards("support@crm.test", **how)
    case = begins(world)
    world.at(OURS).do(f"follow {case} --who chief@firm.example")
    world.at(OURS).mail(ANA, answers=world.at(OURS).sent[0], text="More.")
    silent(world, at_least=2)


def test_a_follower_at_our_own_catchall(world: World) -> None:
    world.at(OURS).do("config set mail.catchall all@crm.test")
    thanks(world, OURS)
    case = begins(world)
    world.at(OURS).do(f"follow {case} --who nobody@crm.test")
    world.at(OURS).mail(ANA, answers=world.at(OURS).sent[0], text="More.")
    silent(world, at_least=2)


# --- two shops ----------------------------------------------------------------------------------------------


def test_two_shops_that_thank_each_other(world: World) -> None:
    thanks(world, OURS, THEIRS)
    begins(world, sender="support@other.test")
    silent(world)
    assert world.ways == {(OURS, THEIRS): 1}


def test_two_shops_that_follow_and_thank_each_other(world: World) -> None:
    thanks(world, OURS, THEIRS)
    ours, theirs = begins(world), begins(world, THEIRS, "bea@example.com", "Scanner broken")
    world.at(OURS).do(f"follow {ours} --who support@other.test")
    world.at(THEIRS).do(f"follow {theirs} --who support@crm.test")
    world.at(OURS).mail(ANA, answers=world.at(OURS).sent[0], text="It burns.")
    world.at(THEIRS).mail("bea@example.com", "support@other.test", answers=world.at(THEIRS).sent[0], text="It sings.")
    silent(world, at_least=2)


def test_two_shops_and_a_gateway_that_takes_out_every_header(world: World) -> None:
    """The worst of all: each receipt makes a new case at the other's, which thanks for it."""
    thanks(world, OURS, THEIRS)
    world.relay = gateway(world)
    begins(world, sender="support@other.test")
    silent(world, at_least=8)
    for domain in (OURS, THEIRS):
        letters, items = world.loops(domain)
        assert items <= 1, (letters, items)


def test_counters_hold_what_goes_on_and_say_so_once(world: World) -> None:
    """A machine that needs no answer of ours: what it writes waits in quarantine, with one item a day."""
    shop = world.at(OURS)
    for number in range(60):
        shop.mail("robot@firm.example", "support@crm.test", f"Ticket {number}", "Beep.")
    assert len(shop.all("case")) == 20
    assert world.loops(OURS) == (40, 1)
