"""A state machine over everything: letters, people, rules, the mail server, undo and power cuts in any order, against a
plain dictionary (behaviour §1, §4, §5; safety: "a model-based test").

The model is what was seen before an act, changed as the tables below say.  What an act may not touch must be as it was:
an act that is refused, or struck down before its commit, has changed nothing; an act that is taken back leaves what
there was before it.  `model.NEVER` is asked after each step, and every letter ever delivered is looked for.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conversation import RECEIVED, SHOP, START, founded
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from model import BROKEN, REFUSED, SECRET, STRUCK, Difference, House, Sent, Server, World, difference

from crmmail.core.query import Query
from crmmail.errors import CrmmailError
from crmmail.mda import envelope
from crmmail.services.acts import escalate, letters, merge, post, records, undo
from crmmail.services.automatic import rule_admin, run_rules
from crmmail.services.desk import explain, inbox, reading
from crmmail.services.hearing import follow
from crmmail.services.incoming import held, unconfirmed
from crmmail.services.incoming.deliver import deliver
from crmmail.services.incoming.judge import Outcome
from crmmail.services.keeping import upkeep
from crmmail.services.sending import preview, send
from crmmail.workspace import Workspace

HOUSE = (
    *SHOP,
    "users add clerk --email clerk@crm.test",
    "users set agent --notify both",
    "users set clerk --notify email",
    "sections add head --name Head --manager boss",
    "sections set support --parent head",
    "config set mail.bounce bounce@crm.test",
    "config set smtp.url smtp://localhost:2525",
    "config set loop.new_records 0",
    "config set loop.messages 0",
)
USERS = ("boss", "agent", "clerk")
PEOPLE = ("ana@example.com", "ben@example.com", "eve@evil.example")
EXPERT = "expert@expert.example"

# behaviour §5, written out once more: button → (from, to).
BUTTONS = {
    "case": {
        "open": (("draft", "pending", "done", "cancel"), "open"),
        "pending": (("draft", "open"), "pending"),
        "close": (("draft", "open", "pending"), "done"),
        "cancel": (("draft", "open", "pending"), "cancel"),
        "reset": (("done", "cancel"), "draft"),
    },
    "lead": {
        "qualify": (("new",), "qualified"),
        "lose": (("new", "qualified"), "lost"),
        "reset": (("qualified", "lost"), "new"),
    },
}
# Who writes → state → state after his letter.
AFTER_PARTNER = {"draft": "draft", "open": "open", "pending": "open", "done": "open", "cancel": "cancel"}
AFTER_USER = {"draft": "done", "open": "done", "pending": "done", "done": "done", "cancel": "cancel"}
FIRST = {"case": "draft", "lead": "new"}
# What of a world no act may change beyond what the model says of it.
STRICT = {
    "record",
    "title",
    "moved_to",
    "state",
    "section_id",
    "responsible_id",
    "message",
    "superseded",
    "star",
    "letter",
}

NUMBER = st.integers(0, 10_000)
USER = st.sampled_from(USERS)
PERSON = st.sampled_from(PEOPLE)
# At which SQL statement an act is struck down; most are not.
STRIKE = st.integers(0, 500).map(lambda number: number - 400 if number >= 400 else None)


class Letter(NamedTuple):
    """A letter that came, as the model knows it."""

    id: str
    sender: str
    raw: bytes
    recipient: str
    answerable: bool  # its Message-ID is nobody else's
    whole: bytes = b""  # of a half: the letter that the line cut short


class Act(NamedTuple):
    """What somebody did, for undo."""

    number: int
    what: str
    changed: Difference
    final: bool  # it left, and cannot be taken back


class Shop(RuleBasedStateMachine):
    founded: Path
    folder: str | None = None  # where the store is made: in memory where that is to be had

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="crmmail-machine-", dir=self.folder))
        self.house = House(self.founded, self.home, START)
        Server.mode, Server.log = "accept", self.house.sent
        self.world: World = self.house.seen()
        self.letters: list[Letter] = []
        self.people: dict[int, set[str]] = {}  # message → the addresses outside that stood in it
        self.internal: set[int] = set()  # messages
        self.holders: dict[str, list[int]] = {}  # Message-ID → the messages that have it
        self.acts: dict[str, list[Act]] = {user: [] for user in USERS}
        self.steps = 0
        self.highest = 0  # record number ever given
        self.strikes = 0  # passes over the outbox that were struck down
        self.user_id = dict(self.house.rows("SELECT login, id FROM crm_user"))
        self.section_id = dict(self.house.rows("SELECT code, id FROM crm_section"))

    def teardown(self) -> None:
        try:
            assert self.house.act("boss", upkeep.damages) == []
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    # --- what the model knows ------------------------------------------------------------------------------------

    def of(self, what: str) -> dict[Any, Any]:
        """One column of the world."""
        return {key[1] if len(key) == 2 else key[1:]: value for key, value in self.world.items() if key[0] == what}

    def live(self, number: int) -> int:
        while ("moved_to", number) in self.world:
            number = self.world["moved_to", number]
        return number

    def some(self, number: int, among: Any) -> Any:
        """One of them, by any number."""
        found = sorted(among)
        return found[number % len(found)] if found else None

    def takes_part(self, address: str, record: int) -> bool:
        """behaviour §2: its e-mail, an external follower, or named in what was said in it or in what became of it."""
        these = {one for one in self.of("record") if self.live(one) == record}
        return (
            any(self.world.get(("email", one)) == address for one in these)
            or any((("follower", one, address) in self.world) for one in these)
            or any(
                address in self.people.get(message, ()) and thread in these and message not in self.internal
                for message, thread in self.of("message").items()
            )
        )

    # --- doing ---------------------------------------------------------------------------------------------------

    def attempt(
        self, user: str, act: Callable[[Workspace], object], strike: int | None, *, whole: bool = True
    ) -> tuple[Any, bool]:
        """Does it, after a strike once more as somebody would who does not know how far it came; (result, done?).

        Args:
            whole: it is one transaction, so after a strike nothing of it may be there, or all of it.
        """
        self.steps += 1
        if strike is not None:
            ended = self.house.struck(user, act, strike)
            assert ended != BROKEN
            if ended == STRUCK:
                note(f"struck down at statement {strike}")
            # Struck behind its commit it is done, and whoever calls this looks whether all of it is.
            if ended == 0 or (whole and self.house.seen() != self.world):
                assert ended != REFUSED, "refused, and yet something changed"
                return None, True
            if not whole and ended == REFUSED:
                return None, False
        try:
            return self.house.act(user, act), True
        except CrmmailError as error:
            assert not error.retry, error
            assert self.house.seen() == self.world, f"refused, and yet something changed: {error}"
            note(f"refused: {error}")
            return None, False

    def check(
        self,
        expected: World | None = None,
        *,
        records: Mapping[int, str] | None = None,
        new: list[str] | None = None,
        joined: list[int] | None = None,
        read: set[Any] | None = None,
        gone: set[Any] | None = None,
        free: set[Any] | None = None,
    ) -> Difference:
        """What has changed is what was to be expected; the difference.

        Args:
            expected: key → value now, of what the act changes (None: gone).
            new: the kinds of the records that it makes, each with one message.
            joined: the records that get one more message each.
            read: unread items that are none any more.
            gone: followers who are none any more.
            free: keys of which nothing is expected.
        """
        after = self.house.seen()
        changed = difference(self.world, after)
        expected = dict(expected or {})
        made = sorted(key[1] for key in changed if key[0] == "record" and changed[key][0] is None)
        assert [after["record", one] for one in made] == (new or []), changed
        for one in made:
            assert one > self.highest, "a number was given twice"
            self.highest = one
        came = Counter(value[1] for key, value in changed.items() if key[0] == "message" and value[0] is None)
        assert came == Counter([*made, *(joined or [])])
        for key, (before, now) in changed.items():
            if key[0] not in STRICT or key in (free or ()) or (key[0] != "letter" and key[1] in made):
                continue
            if before is None and key[0] in ("message", "superseded", "letter"):
                continue  # counted above, or by who delivers
            assert key in expected, (key, before, now)
            assert expected[key] == now, (key, before, now)
        for key, value in expected.items():
            assert after.get(key) == value, (key, after.get(key), value)
        lost = {key for key, value in changed.items() if key[0] == "unread" and value[1] is None}
        assert lost == (read or set()), "an item vanished, or stayed"
        left = {key for key, value in changed.items() if key[0] == "follower" and key not in after}
        assert left == (gone or set()), "a follower vanished, or stayed"
        self.world = after
        return changed

    def remember(self, user: str, what: str, changed: Difference, *, final: bool = False) -> None:
        self.acts[user].append(Act(self.steps, what, changed, final))

    # --- letters -------------------------------------------------------------------------------------------------

    @initialize()
    def two_customers(self) -> None:
        """Something to work on."""
        self.a_new_letter(sender=PEOPLE[0], to=0, machine=False, named=1, strike=None)
        self.a_new_letter(sender=PEOPLE[1], to=1, machine=False, named=1, strike=None)

    def write(
        self,
        sender: str,
        to: str,
        subject: str,
        text: str,
        *,
        id: str | None = None,
        answers: str = "",
        machine: bool = False,
    ) -> tuple[str, bytes]:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Date"] = format_datetime(self.house.clock)
        name = f"l{len(self.letters)}@example.com" if id is None else id
        if name:
            mail["Message-ID"] = f"<{name}>"
        if answers:
            mail["In-Reply-To"] = f"<{answers}>"
        if machine:
            mail["Auto-Submitted"] = "auto-replied"
        mail.set_content(text + "\n")
        return name, mail.as_bytes()

    def deliver(self, raw: bytes, strike: int | None, recipient: str = "") -> list[Outcome]:
        """The letter through the door; struck down, it is offered again."""

        def offer(workspace: Workspace) -> list[Outcome]:
            return deliver(workspace, raw, envelope(recipients=[recipient]))

        outcomes, done = self.attempt("boss", offer, strike)
        assert done
        if outcomes is None:  # it was through, and fetchmail did not hear of it
            committed = self.house.seen()
            (again, *_) = self.house.act("boss", offer)
            assert again.outcome in ("duplicate", "ignored")
            assert self.house.seen() == committed
        return outcomes or []

    def after(self, record: int, table: Mapping[str, str]) -> World:
        """The state of a case after a letter."""
        if self.world["record", record] != "case":
            return {}
        return {("state", record): table[self.world["state", record]]}

    def came(
        self, letter: Letter, changed: Difference, outcomes: list[Outcome], *expected: str, internal: bool = False
    ) -> list[int]:
        """Remembers a letter that came; the messages that it made.  `expected`: its outcomes, in words."""
        if outcomes:
            assert [f"{one.outcome} {one.reason}" for one in outcomes] == list(expected)
        self.letters.append(letter)
        made = sorted(key[1] for key, value in changed.items() if key[0] == "message" and value[0] is None)
        waits = [key[1] for key, value in changed.items() if key == ("letter", key[1]) and value == (None, "waiting")]
        assert len(made) + len(waits) == len(expected), "each outcome is one message, or one row in quarantine"
        for message in made:
            self.people[message] = {letter.sender}
            if internal:
                self.internal.add(message)
            if letter.answerable and letter.id:
                self.holders.setdefault(letter.id, []).append(message)
        return made

    def heard(self, messages: list[int]) -> None:
        """A letter that a person wrote comes before somebody's eyes."""
        for message in messages:
            item = any(key[0] == "unread" and key[2] == f"m{message}" for key in self.world)
            mailed = self.house.rows("SELECT 1 FROM crm_delivery WHERE message_id = ? AND user_id NOT NULL", message)
            assert item or mailed, f"nobody hears of message {message}"

    @rule(sender=PERSON, to=st.integers(0, 3), machine=st.booleans(), named=st.integers(0, 4), strike=STRIKE)
    def a_new_letter(self, sender: str, to: int, machine: bool, named: int, strike: int | None) -> None:
        address, kinds = (
            ("support@crm.test", ["case"]),
            ("sales@crm.test", ["lead"]),
            ("support@crm.test, sales@crm.test", ["case", "lead"]),
            ("nobody@crm.test", []),
        )[to]
        number = len(self.letters)
        id, raw = self.write(
            sender, address, f"Subject {number}", f"Words {number}.", id=None if named else "", machine=machine
        )
        outcomes = self.deliver(raw, strike)
        changed = self.check(new=kinds)
        expected = ["stored alias"] * len(kinds) or ["quarantined no-route"]
        made = self.came(Letter(id, sender, raw, "", True), changed, outcomes, *expected)
        for kind, record in zip(kinds, sorted({self.world["message", one] for one in made}), strict=True):
            assert self.world["state", record] == FIRST[kind]
            assert self.world.get(("responsible_id", record)) is None
        self.heard(made)

    @precondition(lambda self: self.letters)
    @rule(which=NUMBER, sender=PERSON, machine=st.booleans(), strike=STRIKE)
    def an_answer(self, which: int, sender: str, machine: bool, strike: int | None) -> None:
        """It names a letter of somebody outside: evidence from participants only."""
        answered = self.letters[which % len(self.letters)].id
        if not answered:
            return
        number = len(self.letters)
        id, raw = self.write(
            sender, "support@crm.test", f"Re: {number}", f"Words {number}.", answers=answered, machine=machine
        )
        holder = next((one for one in sorted(self.holders.get(answered, ())) if ("message", one) in self.world), None)
        target = None if holder is None else self.live(self.world["message", holder])
        self._answered(id, sender, raw, target, "reference", machine, strike)

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, sender=PERSON, strike=STRIKE)
    def an_answer_by_its_subject(self, which: int, sender: str, strike: int | None) -> None:
        """`[101]` is evidence from participants; from others it is a footnote, and the letter a new one."""
        named = self.some(which, self.of("record"))
        number = len(self.letters)
        id, raw = self.write(sender, "support@crm.test", f"AW: [{named}] {number}", f"Words {number}.")
        target = self.live(named)
        if self.takes_part(sender, target):
            self._answered(id, sender, raw, target, "subject", False, strike)
        else:
            self._answered(id, sender, raw, None, "subject", False, strike)

    def _answered(
        self, id: str, sender: str, raw: bytes, target: int | None, how: str, machine: bool, strike: int | None
    ) -> None:
        letter = Letter(id, sender, raw, "", True)
        if target is None:
            outcomes = self.deliver(raw, strike)
            self.heard(self.came(letter, self.check(new=["case"]), outcomes, "stored alias"))
        elif self.takes_part(sender, target):
            expected = {} if machine else self.after(target, AFTER_PARTNER)
            outcomes = self.deliver(raw, strike)
            changed = self.check(expected, joined=[target])
            self.heard(self.came(letter, changed, outcomes, f"stored {how}"))
        else:
            outcomes = self.deliver(raw, strike)
            changed = self.check()
            self.came(letter, changed, outcomes, "unconfirmed unconfirmed")
            (row,) = (key[1] for key, value in changed.items() if key[0] == "letter")
            assert self.world["candidate", row] == target
            assert not any(key[0] == "mail" for key in changed), "a stranger notifies nobody by mail"

    def mails(self, condition: str) -> list[tuple[int, str, str, int, str]]:
        """(number, Message-ID, address, message, purpose) of mails of ours."""
        return self.house.rows(
            f"SELECT id, identifier, address, message_id, purpose FROM crm_delivery WHERE {condition} ORDER BY id"
        )

    @rule(which=NUMBER, sender=PERSON, strike=STRIKE)
    def an_answer_to_a_letter_of_ours(self, which: int, sender: str, strike: int | None) -> None:
        """Our signed Message-ID is believed from anybody."""
        ours = self.mails("user_id IS NULL")
        if not ours:
            return
        identifier = ours[which % len(ours)][1]
        number = len(self.letters)
        id, raw = self.write(sender, "support@crm.test", f"Re: {number}", f"Words {number}.", answers=identifier)
        token_of = int(identifier.partition(".")[0])
        if ("record", token_of) not in self.world:
            self._answered(id, sender, raw, None, "own-id", False, strike)
            return
        target = self.live(token_of)
        outcomes = self.deliver(raw, strike)
        changed = self.check(self.after(target, AFTER_PARTNER), joined=[target])
        self.heard(self.came(Letter(id, sender, raw, "", True), changed, outcomes, "stored own-id"))

    @rule(which=NUMBER, user=st.sampled_from(("agent", "clerk")), inside=st.booleans(), strike=STRIKE)
    def an_answer_of_a_users(self, which: int, user: str, inside: bool, strike: int | None) -> None:
        """By mail, to what was made for him: he is proven, and the customer gets it, unless it stays inside."""
        told = self.mails(f"user_id = {self.user_id[user]} AND purpose = 'notification'")
        if not told:
            return
        identifier = told[which % len(told)][1]
        record = int(identifier.partition(".")[0])
        if ("record", record) not in self.world:
            return
        target, number = self.live(record), len(self.letters)
        internal = inside or identifier.split(".")[1].endswith("n")
        words = f"#note\n{SECRET} {number}" if inside else f"{SECRET} {number}" if internal else f"Words {number}."
        id, raw = self.write(f"{user}@crm.test", "support@crm.test", f"Re: {number}", words, answers=identifier)
        expected = {} if internal else self.after(target, AFTER_USER)
        outcomes = self.deliver(raw, strike)
        changed = self.check(expected, joined=[target])
        (message,) = self.came(
            Letter(id, f"{user}@crm.test", raw, "", True), changed, outcomes, "stored own-id", internal=internal
        )
        ((kind, kept),) = self.house.rows("SELECT kind, internal FROM crm_message WHERE id = ?", message)
        assert (kind, bool(kept)) == (("note", True) if internal else ("email_out", False))
        assert ("follower", target, f"u{self.user_id[user]}") in self.world
        self._left(message)

    @precondition(lambda self: self.letters)
    @rule(which=NUMBER, strike=STRIKE)
    def the_same_letter_again(self, which: int, strike: int | None) -> None:
        letter = self.letters[which % len(self.letters)]
        outcomes = self.deliver(RECEIVED + letter.raw, strike, letter.recipient)
        assert difference(self.world, self.house.seen()) == {}
        assert [one.outcome for one in outcomes] in ([], ["duplicate"])

    @rule(sender=PERSON, cut=st.integers(0, 200), strike=STRIKE)
    def half_a_letter(self, sender: str, cut: int, strike: int | None) -> None:
        number = len(self.letters)
        words = f"Первые слова {number}: принтер горит.\nВторые слова {number}: приезжайте скорее.\n"
        id, whole = self.write(sender, "support@crm.test", f"Long {number}", words)
        begin = whole.index(b"\n\n") + 2
        raw = whole[: begin + cut % (len(whole) - begin - 4)]
        outcomes = self.deliver(raw, strike)
        changed = self.check(new=["case"])
        self.came(Letter(id, sender, raw, "", True, whole), changed, outcomes, "stored alias")

    @precondition(lambda self: any(one.whole for one in self.letters))
    @rule(which=NUMBER, strike=STRIKE)
    def the_whole_of_it(self, which: int, strike: int | None) -> None:
        at = self.some(which, [at for at, one in enumerate(self.letters) if one.whole])
        half = self.letters[at]
        beside = [one for one in self.holders[half.id] if ("message", one) in self.world]
        assert len(beside) == 1  # nobody takes back a letter that came
        target = self.world["message", beside[0]]
        outcomes = self.deliver(half.whole, strike)
        changed = self.check(
            {("superseded", beside[0]): max(self.of("message") | self._new_messages())}, joined=[target]
        )
        self.letters[at] = half._replace(whole=b"")
        self.came(Letter(half.id, half.sender, half.whole, "", False), changed, outcomes, "stored whole")

    def _new_messages(self) -> dict[int, int]:
        return dict(self.house.rows("SELECT id, thread_id FROM crm_message WHERE kind <> 'system'"))

    @precondition(lambda self: any(one.id for one in self.letters))
    @rule(which=NUMBER, sender=PERSON, strike=STRIKE)
    def a_stolen_message_id(self, which: int, sender: str, strike: int | None) -> None:
        """Other content under an id that is taken: a letter like any other, and its id is evidence of nothing."""
        stolen = self.some(which, {one.id for one in self.letters} - {""})
        number = len(self.letters)
        _, raw = self.write(sender, "support@crm.test", f"Other {number}", f"Other words {number}.", id=stolen)
        outcomes = self.deliver(raw, strike)
        changed = self.check(new=["case"])
        self.heard(self.came(Letter(stolen, sender, raw, "", False), changed, outcomes, "stored alias"))

    @rule(which=NUMBER, strike=STRIKE)
    def a_bounce(self, which: int, strike: int | None) -> None:
        """It goes to the letter it speaks of, reopens nothing and makes nothing."""
        ours = self.mails("state IN ('sent', 'failed')")
        if not ours:
            return
        _, identifier, address, *_ = ours[which % len(ours)]
        ((thread,),) = self.house.rows("SELECT thread_id FROM crm_delivery WHERE identifier = ?", identifier)
        number = len(self.letters)
        raw = BOUNCE.format(number=number, identifier=identifier, address=address).encode()
        target = self.live(thread)
        outcomes = self.deliver(raw, strike)
        changed = self.check(joined=[target])
        self.came(
            Letter(f"b{number}@mx.example.com", "", raw, "", True), changed, outcomes, "stored bounce", internal=True
        )
        ((state,),) = self.house.rows("SELECT state FROM crm_delivery WHERE identifier = ?", identifier)
        assert state == "bounced"

    # --- people --------------------------------------------------------------------------------------------------

    def _left(self, message: int) -> None:
        """Of a letter of ours: who takes part because of it."""
        self.people.setdefault(message, set()).update(
            one[2] for one in self.mails(f"message_id = {message} AND user_id IS NULL AND purpose = 'mail'")
        )

    @precondition(lambda self: self.of("record"))
    @rule(
        which=NUMBER, user=USER, verb=st.sampled_from(("reply", "note", "forward")), to=PERSON, strike=STRIKE,
        named=st.booleans(),
    )  # fmt: skip
    def somebody_writes(self, which: int, user: str, verb: str, to: str, named: bool, strike: int | None) -> None:
        record = self.some(which, self.of("record"))
        text = f"{SECRET} {self.steps} @clerk" if verb == "note" else f"Answer {self.steps}."
        people = (to,) if verb == "forward" or (verb == "reply" and named) else ()

        def act(workspace: Workspace) -> object:
            return post.post(workspace, preview.plan(workspace, verb, record, preview.Words(text, to=people)))

        _, done = self.attempt(user, act, strike)
        if not done:
            assert ("moved_to", record) in self.world or verb != "note"
            return
        assert ("moved_to", record) not in self.world
        changed = self.check(joined=[record])
        (message,) = (key[1] for key, value in changed.items() if key[0] == "message" and value[0] is None)
        if verb == "note":
            self.internal.add(message)
        self._left(message)
        assert verb != "note" or not self.people[message]
        self.remember(user, verb, changed, final=True)

    @precondition(lambda self: self.of("record"))
    @rule(
        which=NUMBER,
        user=USER,
        button=st.sampled_from(("open", "pending", "close", "cancel", "reset", "qualify", "lose")),
        strike=STRIKE,
    )
    def a_button(self, which: int, user: str, button: str, strike: int | None) -> None:
        record = self.some(which, self.of("record"))
        table = BUTTONS.get(self.world["record", record], {})
        sources, target = table.get(button, ((), ""))
        _, done = self.attempt(user, lambda workspace: records.press(workspace, record, button), strike)
        assert done == (self.world["state", record] in sources and ("moved_to", record) not in self.world)
        if done:
            expected: World = {("state", record): target}
            if button == "open" and self.world.get(("responsible_id", record)) is None:
                expected["responsible_id", record] = self.user_id[user]
            self.remember(user, button, self.check(expected))

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, user=USER, to=USER, strike=STRIKE)
    def assign(self, which: int, user: str, to: str, strike: int | None) -> None:
        record = self.some(which, self.of("record"))
        key = ("responsible_id", record)
        act = "take" if to == user else "assign"
        _, done = self.attempt(
            user, lambda workspace: records.set_fields(workspace, record, {"responsible": to}, act), strike
        )
        assert done == (("moved_to", record) not in self.world and self.world.get(key) != self.user_id[to])
        if done:
            self.remember(user, act, self.check({key: self.user_id[to]}))

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, user=USER, title=st.sampled_from(("One", "Two")), strike=STRIKE)
    def set_fields(self, which: int, user: str, title: str, strike: int | None) -> None:
        record = self.some(which, self.of("record"))
        _, done = self.attempt(
            user, lambda workspace: records.set_fields(workspace, record, {"title": title, "priority": "low"}), strike
        )
        if done:
            self.remember(user, "set", self.check({("title", record): title}))
            assert self.world["priority", record] in (2, 4)

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, user=USER, code=st.sampled_from(("support", "head")), strike=STRIKE)
    def move(self, which: int, user: str, code: str, strike: int | None) -> None:
        record, wanted = self.some(which, self.of("record")), self.section_id[code]
        there = self.world.get(("section_id", record))
        _, done = self.attempt(user, lambda workspace: escalate.move(workspace, record, code), strike)
        assert done == (("moved_to", record) not in self.world and there != wanted)
        if done:
            self.remember(user, "move", self.check({("section_id", record): wanted}))

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, user=USER, strike=STRIKE)
    def escalate(self, which: int, user: str, strike: int | None) -> None:
        record = self.some(which, self.of("record"))
        possible = (
            self.world["record", record] == "case"
            and self.world["state", record] in ("draft", "open", "pending")
            and self.world.get(("section_id", record)) == self.section_id["support"]
            and ("moved_to", record) not in self.world
        )

        def act(workspace: Workspace) -> object:
            return escalate.escalate(workspace, record, actor=workspace.user().id)

        former = self.world.get(("responsible_id", record))
        _, done = self.attempt(user, act, strike)
        assert done == possible
        if done:
            expected = {
                ("section_id", record): self.section_id["head"],
                ("responsible_id", record): self.user_id["boss"],
            }
            self.remember(user, "escalate", self.check(expected))
            assert former is None or ("follower", record, f"u{former}") in self.world

    @precondition(lambda self: len(self.of("record")) > 1)
    @rule(which=NUMBER, into=NUMBER, user=USER, strike=STRIKE)
    def merge(self, which: int, into: int, user: str, strike: int | None) -> None:
        this, to = self.some(which, self.of("record")), self.some(into, self.of("record"))
        kinds = (self.world["record", this], self.world["record", to])
        possible = (
            this != to
            and ("moved_to", this) not in self.world
            and ("moved_to", to) not in self.world
            and kinds in (("case", "case"), ("lead", "lead"), ("lead", "case"))
        )
        _, done = self.attempt(user, lambda workspace: merge.merge(workspace, this, to), strike)
        assert done == possible
        if not done:
            return
        state = {("case", "case"): "cancel", ("lead", "lead"): "lost", ("lead", "case"): "converted"}[kinds]
        moved = {("message", one): to for one, thread in self.of("message").items() if thread == this}
        expected: World = {**moved, ("moved_to", this): to, ("state", this): state}
        gone = {key for key in self.world if key[0] == "follower" and key[1] == this}
        free = {("responsible_id", to), ("section_id", to)}
        had = {key[2] for key in gone} | {key[2] for key in self.world if key[0] == "follower" and key[1] == to}
        self.remember(user, "merge", self.check(expected, gone=gone, free=free))
        assert {key[2] for key in self.world if key[0] == "follower" and key[1] == to} == had

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, user=USER, who=st.sampled_from((*USERS, *PEOPLE)), strike=STRIKE)
    def follow(self, which: int, user: str, who: str, strike: int | None) -> None:
        record = self.some(which, self.of("record"))
        key = ("follower", record, who if "@" in who else f"u{self.user_id[who]}")
        on = key not in self.world
        act = follow.follow if on else follow.unfollow
        more = (None,) if on else ()
        _, done = self.attempt(user, lambda workspace: act(workspace, record, who, *more), strike)
        assert done == (("moved_to", record) not in self.world)
        if done:
            self.remember(user, "follow" if on else "unfollow", self.check(gone=set() if on else {key}))
            assert (key in self.world) == on

    @precondition(lambda self: self.of("message"))
    @rule(which=NUMBER, user=USER, on=st.booleans(), strike=STRIKE)
    def star(self, which: int, user: str, on: bool, strike: int | None) -> None:
        message = self.some(which, self.of("message"))
        key = ("star", self.user_id[user], message)
        there = key in self.world
        self.attempt(user, lambda workspace: inbox.star(workspace, [message], on=on), strike)
        changed = self.check({key: 1 if on else None})
        if there != on:
            self.remember(user, "star", changed)

    def unread(self, user: str) -> set[Any]:
        return {key for key in self.world if key[0] == "unread" and key[1] == self.user_id[user]}

    @rule(which=NUMBER, user=USER, everything=st.booleans(), strike=STRIKE)
    def done(self, which: int, user: str, everything: bool, strike: int | None) -> None:
        mine = self.house.rows(
            """SELECT id, COALESCE('m' || message_id, 'q' || quarantine_id) FROM crm_notification
            WHERE user_id = ? AND done IS NULL ORDER BY id""",
            self.user_id[user],
        )
        if not mine:
            return
        number, about = mine[which % len(mine)]
        self.attempt(user, lambda workspace: inbox.done(workspace, None if everything else [number]), strike)
        read = self.unread(user) & (self.unread(user) if everything else {("unread", self.user_id[user], about)})
        self.remember(user, "done", self.check(read=read))

    @precondition(lambda self: self.of("record"))
    @rule(which=NUMBER, user=USER, peek=st.booleans())
    def show(self, which: int, user: str, peek: bool) -> None:
        """Reading marks what was read; peeking nothing (F36, F37)."""
        record = self.some(which, self.of("record"))
        here = {f"m{one}" for one, thread in self.of("message").items() if thread == record}
        read = set() if peek else {key for key in self.unread(user) if key[2] in here}
        self.steps += 1
        view = self.house.act(user, lambda workspace: reading.show(workspace, record, peek=peek))
        assert {one.id for one in view.messages if one.kind != "system"} == {int(one[1:]) for one in here}
        self.check(read=read)

    @precondition(lambda self: self.of("message"))
    @rule(which=NUMBER, into=NUMBER, strike=STRIKE)
    def move_a_message(self, which: int, into: int, strike: int | None) -> None:
        message, to = self.some(which, self.of("message")), self.some(into, self.of("record"))
        _, done = self.attempt("boss", lambda workspace: letters.move(workspace, message, to), strike)
        if done:
            self.remember("boss", "move-message", self.check({("message", message): to}))

    # --- quarantine ----------------------------------------------------------------------------------------------

    def waiting(self, unconfirmed_ones: bool = False) -> list[int]:
        """The letters that wait: all, or those that may belong to a record."""
        waits = [number for number, state in self.of("letter").items() if state == "waiting"]
        return [one for one in waits if ("candidate", one) in self.world or not unconfirmed_ones]

    def _settled(self, number: int) -> tuple[Letter, set[Any], bool]:
        """The letter, the items about it, and whether a machine wrote it."""
        ((subject,),) = self.house.rows("SELECT subject FROM crm_quarantine WHERE id = ?", number)
        letter = next(one for one in self.letters if f"Subject: {subject}\n".encode() in one.raw)
        items = {key for key in self.world if key[0] == "unread" and key[2] == f"q{number}"}
        return letter, items, b"Auto-Submitted" in letter.raw

    def _filed(self, letter: Letter, changed: Difference, contested: bool) -> None:
        (message,) = (key[1] for key, value in changed.items() if key[0] == "message" and value[0] is None)
        self.people[message] = {letter.sender}
        if letter.id and not contested:
            self.holders.setdefault(letter.id, []).append(message)
        self.heard([message])

    def _contested(self, letter: Letter) -> bool:
        return any(("message", one) in self.world for one in self.holders.get(letter.id, ()))

    @precondition(lambda self: "waiting" in self.of("letter").values())
    @rule(which=NUMBER, into=NUMBER, user=USER, how=st.sampled_from(("route", "create", "spam")), strike=STRIKE)
    def quarantine(self, which: int, into: int, user: str, how: str, strike: int | None) -> None:
        number = self.some(which, self.waiting())
        record = self.some(into, self.of("record"))
        if number is None or (how == "route" and record is None):
            return
        letter, items, machine = self._settled(number)
        contested = self._contested(letter)
        if how == "spam":
            self.attempt(user, lambda workspace: held.mark_spam(workspace, number), strike)
            self.remember(user, how, self.check({("letter", number): "spam"}, read=items))
            return
        if how == "create":
            self.attempt(user, lambda workspace: held.create_from(workspace, number, "case", "support"), strike)
            changed = self.check({("letter", number): "created"}, new=["case"], read=items)
        else:
            target = self.live(record)
            expected: World = {} if machine else self.after(target, AFTER_PARTNER)
            self.attempt(user, lambda workspace: held.route_to(workspace, number, record), strike)
            changed = self.check({**expected, ("letter", number): "routed"}, joined=[target], read=items)
        self._filed(letter, changed, contested)
        self.remember(user, how, changed)

    @precondition(lambda self: self.waiting(True))
    @rule(which=NUMBER, user=USER, accepted=st.booleans(), strike=STRIKE)
    def a_word_about_an_answer(self, which: int, user: str, accepted: bool, strike: int | None) -> None:
        number = self.some(which, self.waiting(True))
        if number is None:
            return
        letter, items, machine = self._settled(number)
        contested = self._contested(letter)
        target = self.live(self.world["candidate", number])
        if not accepted:
            self.attempt(user, lambda workspace: unconfirmed.refuse(workspace, number), strike)
            self.remember(user, "refuse", self.check({("letter", number): "refused"}, read=items))
            return
        expected: World = {} if machine else self.after(target, AFTER_PARTNER)
        self.attempt(user, lambda workspace: unconfirmed.accept(workspace, number), strike)
        changed = self.check({**expected, ("letter", number): "accepted"}, joined=[target], read=items)
        self._filed(letter, changed, contested)
        self.remember(user, "accept", changed)

    # --- by itself -----------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 2), strike=STRIKE)
    def add_a_rule(self, which: int, strike: int | None) -> None:
        table = (
            {"state_to": "open", "set_priority": "high"},
            {"trigger": "last-action", "delay": "2 days", "watch": [EXPERT]},
            {"state_from": "none", "watch": ["clerk"]},
        )[which]
        _, done = self.attempt("boss", lambda workspace: rule_admin.add(workspace, f"rule {which}", table), strike)
        if done:
            self.remember("boss", "rule", self.check())

    @rule(hours=st.integers(1, 72), mode=st.sampled_from(("accept", "accept", "refuse", "drop", "shut")), strike=STRIKE)
    def tick(self, hours: int, mode: str, strike: int | None) -> None:
        """Cron: time passes, rules act, mail leaves or does not."""
        self.house.wait(hours=hours)
        Server.mode = mode

        def minute(workspace: Workspace) -> None:
            run_rules.run(workspace)
            send.send(workspace)

        self.strikes += strike is not None
        self.attempt("boss", minute, strike, whole=False)
        before = self.world
        after = self.house.seen()
        for key, (was, now) in difference(before, after).items():
            assert key[0] not in STRICT, (key, was, now)
            assert key[0] != "follower" or was is None or now is not None
        self.world = after
        sent = Sent(self.house.sent)
        assert not sent.leaks, "an internal note left"
        assert not sent.twice(self.strikes), "a mail left twice"

    # --- undo ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(self.acts.values()))
    @rule(which=NUMBER, count=st.sampled_from((1, 1, 1, 2, 3)), skip=st.booleans(), strike=STRIKE)
    def take_back(self, which: int, count: int, skip: bool, strike: int | None) -> None:
        user = self.some(which, [user for user, acts in self.acts.items() if acts])
        acts = list(self.acts[user])
        if skip and acts:
            last = acts[-1]
            acts = [one for one in acts if not one.final] if last.final else acts[:-1]
        chosen = [one for one in acts if not one.final][::-1][:count]
        final = max((one.number for one in acts if one.final), default=0)
        wanted, clash = dict(self.world), False
        for one in chosen:
            for key, (before, after) in one.changed.items():
                clash |= wanted.get(key) != after
                wanted.pop(key, None)
                if before is not None:
                    wanted[key] = before
        impossible = not chosen or final > chosen[-1].number
        since = [one for one in chosen if one.number < self.steps - len(chosen)]
        _, done = self.attempt(user, lambda workspace: undo.undo(workspace, count, skip=skip), strike)
        if not done:
            assert impossible or clash or since, "nobody did anything since, and yet it is refused"
            return
        assert not impossible, ("what left cannot be taken back, nor what was before it", self.acts[user])
        after_it = self.house.seen()
        wanted = {
            key: value for key, value in wanted.items() if ("record", key[1]) in after_it or key[0] not in COLUMNS
        }
        assert difference(wanted, after_it) == {}, ([one.what for one in chosen], difference(wanted, after_it))
        self.world = after_it
        self.acts[user] = [one for one in acts if one not in chosen]

    # --- always --------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert list(self.house.wrong()) == []

    @invariant()
    def looking_changes_nothing(self) -> None:
        """At times: a random letter is explained, a random record shown twice, and no row is written."""
        found = self.of("record")
        if self.steps % 6 or not found:
            return
        chance = random.Random(self.steps)
        record = chance.choice(sorted(found))
        message = chance.choice(sorted(self.of("message")) or [0])
        user = chance.choice(USERS)

        def look(workspace: Workspace) -> None:
            first = reading.show(workspace, record, peek=True)
            assert first == reading.show(workspace, record, peek=True)
            list(reading.listing(workspace, None, Query()))
            inbox.items(workspace, Query())
            list(held.listing(workspace))
            if message:
                (came,) = self.house.rows("SELECT original_id FROM crm_message WHERE id = ?", message)[0]
                assert bool(explain.why(workspace, message=message)) == (came is not None)
            assert workspace.store.database.connection().total_changes == 0

        self.house.act(user, look)


COLUMNS = ("title", "moved_to", "state", "section_id", "responsible_id", "priority", "email", "closed", "assigned")

BOUNCE = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.com
To: bounce@crm.test
Subject: Undelivered Mail Returned to Sender {number}
Message-ID: <b{number}@mx.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
--b
Content-Type: message/rfc822

Message-ID: <{identifier}>
Subject: What we wrote

Words.
--b--
"""


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> type[Shop]:
    monkeypatch.setattr("crmmail.mail.smtp.Connection", Server)
    monkeypatch.setattr(Shop, "founded", founded(tmp_path_factory.mktemp("machine"), HOUSE), raising=False)
    memory = Path("/dev/shm")
    monkeypatch.setattr(Shop, "folder", str(memory) if memory.is_dir() else None)
    return Shop


@pytest.mark.timeout(3600)
def test_any_order_of_anything(machine: type[Shop], thorough: bool) -> None:
    # Nothing is made shorter: a step costs too much, and mails have real random numbers in them.
    short = settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=6,
        stateful_step_count=40,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    long = settings(short, derandomize=False, max_examples=200, stateful_step_count=60, print_blob=True)
    run_state_machine_as_test(machine, settings=long if thorough else short)
