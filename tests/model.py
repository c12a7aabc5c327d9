"""The shop of the state machine: a store that can be looked at as one dictionary, and struck down at any statement.

    house = House(founded, folder)
    before = house.seen()
    house.act("agent", lambda workspace: records.press(workspace, 1, "close"))
    difference(before, house.seen())                # {("state", 1): ("draft", "done"), …}

`seen` reads the tables themselves and not through the code under test.  `struck` forks, and the child ends itself at
the n-th SQL statement as a power cut would.  The mail server is `Server`, which writes down in a file what it was
given, for the child has no other way to tell.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from crmmail.core.failure import Failure
from crmmail.errors import CrmmailError
from crmmail.mail.smtp_talk import UNWANTED
from crmmail.workspace import Workspace

T = TypeVar("T")
Key = tuple[Any, ...]
World = dict[Key, Any]
Difference = dict[Key, tuple[Any, Any]]

STRUCK, REFUSED, BROKEN = 9, 3, 4  # how a child ends
SECRET = "quite-inside"  # stands in every internal note, and never in a mail to somebody outside

# What is seen, each as key columns and one value.  What the program says of itself (system messages) is left out: undo
# adds to it and takes nothing away.
_SEEN = {
    "record": "SELECT id, kind FROM crm_thread",
    "title": "SELECT id, title FROM crm_thread",
    "moved_to": "SELECT id, moved_to_id FROM crm_thread",
    **{
        column: " UNION ALL ".join(f"SELECT thread_id, {column} FROM {table}" for table in ("crm_case", "crm_lead"))
        for column in ("state", "section_id", "responsible_id", "priority", "email", "closed", "assigned")
    },
    "message": "SELECT id, thread_id FROM crm_message WHERE kind <> 'system'",
    "superseded": "SELECT id, superseded_by_id FROM crm_message WHERE kind <> 'system'",
    "follower": """
        SELECT thread_id, COALESCE('u' || user_id, 'c' || contact_id, address), COALESCE(types, 'all')
        FROM crm_follower""",
    "star": "SELECT user_id, message_id, 1 FROM crm_star",
    "unread": """
        SELECT user_id, COALESCE('m' || message_id, 'q' || quarantine_id), 1 FROM crm_notification
        WHERE done IS NULL AND (message_id IS NULL OR message_id NOT IN
            (SELECT id FROM crm_message WHERE kind = 'system'))""",
    "letter": "SELECT id, state FROM crm_quarantine",
    "candidate": "SELECT id, candidate_id FROM crm_quarantine",
    "mail": """
        SELECT id, state FROM crm_delivery
        WHERE message_id NOT IN (SELECT id FROM crm_message WHERE kind = 'system')""",
}


class House:
    """One store, its clock, and whoever works on it."""

    def __init__(self, founded: Path, folder: Path, clock: datetime) -> None:
        self.place = folder / "crmmail.db"
        self.sent = folder / "sent"  # what the mail server was given
        self.clock = clock
        shutil.copy(founded, self.place)
        self.sent.touch()
        with closing(sqlite3.connect(self.place)) as store, store:
            store.execute("DELETE FROM crm_journal")  # nobody takes back what made the shop

    def wait(self, **more: float) -> None:
        self.clock += timedelta(**more)

    def open(self, user: str = "boss") -> Workspace:
        return Workspace(
            environ={"CRMMAIL_DB": str(self.place), "CRMMAIL_USER": user, "CRMMAIL_NOW": self.clock.isoformat()}
        )

    def act(self, user: str, do: Callable[[Workspace], T]) -> T:
        with self.open(user) as workspace:
            return do(workspace)

    def struck(self, user: str, do: Callable[[Workspace], object], statement: int) -> int:
        """The same in a child that ends itself before it comes to this statement; how it ended: 0, it was through
        before that, and nobody heard of it; STRUCK, REFUSED or BROKEN."""
        child = os.fork()
        if not child:
            try:
                with self.open(user) as workspace:
                    left = iter(range(statement))
                    strike = lambda _: None if next(left, None) is not None else os._exit(STRUCK)  # noqa: E731
                    workspace.store.database.connection().set_trace_callback(strike)
                    do(workspace)
            except CrmmailError:
                os._exit(REFUSED)
            except BaseException:
                os._exit(BROKEN)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    # --- looking -------------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """rw: after a strike the next who opens the store takes back what was half done."""
        with closing(sqlite3.connect(f"file:{self.place}?mode=rw", uri=True)) as store:
            return store.execute(query, values).fetchall()

    def seen(self) -> World:
        """All that somebody could see, and undo must bring back: (what, of which row …) → value."""
        with closing(sqlite3.connect(f"file:{self.place}?mode=rw", uri=True)) as store:
            return {
                (what, *row[:-1]): row[-1]
                for what, query in _SEEN.items()
                for row in store.execute(query)
                if row[-1] is not None
            }

    def wrong(self) -> Iterator[str]:
        """What must never be true of a store, a line each."""
        with closing(sqlite3.connect(f"file:{self.place}?mode=rw", uri=True)) as store:
            for sentence, query in NEVER.items():
                for row in store.execute(query):
                    yield f"{sentence}: {row}"


# What must never be found in a store, and the query that finds it.
NEVER = {
    "a row points to one that is gone": "PRAGMA foreign_key_check",
    "a letter without a decision": """
        SELECT id FROM crm_original WHERE id NOT IN (SELECT original_id FROM crm_decision)""",
    "a letter that is nowhere": """
        SELECT id FROM crm_original WHERE id NOT IN (SELECT original_id FROM crm_message WHERE original_id NOT NULL)
        AND id NOT IN (SELECT original_id FROM crm_quarantine)
        AND id NOT IN (SELECT original_id FROM crm_decision WHERE outcome = 'ignored')""",
    "a letter that was filed more often than decided": """
        SELECT original_id FROM crm_message AS m WHERE original_id NOT NULL GROUP BY original_id HAVING COUNT(*) >
        (SELECT COUNT(*) FROM crm_decision AS d WHERE d.original_id = m.original_id AND d.outcome = 'stored')""",
    "a letter that waits, and was filed": """
        SELECT id FROM crm_quarantine WHERE state = 'waiting' AND message_id NOT NULL""",
    "a letter twice in quarantine": """
        SELECT original_id FROM crm_quarantine GROUP BY original_id HAVING COUNT(*) > 1""",
    "a record of no kind, or of two": """
        SELECT id, kind FROM crm_thread WHERE 1 <>
        (SELECT COUNT(*) FROM crm_case WHERE thread_id = id) + (SELECT COUNT(*) FROM crm_lead WHERE thread_id = id)
        + (SELECT COUNT(*) FROM crm_contact WHERE thread_id = id)""",
    "an item about nothing": """
        SELECT id FROM crm_notification WHERE message_id IS NULL AND quarantine_id IS NULL""",
    "an item in another record than its message": """
        SELECT n.id FROM crm_notification n JOIN crm_message m ON m.id = n.message_id
        WHERE n.thread_id <> m.thread_id""",
    "somebody told twice": """
        SELECT user_id, message_id FROM crm_notification WHERE message_id NOT NULL
        GROUP BY user_id, message_id HAVING COUNT(*) > 1""",
    "somebody told of his own words": """
        SELECT n.id FROM crm_notification n JOIN crm_message m ON m.id = n.message_id
        WHERE n.user_id = m.author_id AND n.why IN ('follower', 'addressed', 'mentioned', 'in charge')""",
    "somebody follows twice": """
        SELECT thread_id, user_id, contact_id, address FROM crm_follower
        GROUP BY thread_id, user_id, contact_id, address HAVING COUNT(*) > 1""",
    "a mail in another record than its message": """
        SELECT d.id FROM crm_delivery d JOIN crm_message m ON m.id = d.message_id WHERE d.thread_id <> m.thread_id""",
    "internal words in a mail to somebody outside": """
        SELECT d.id, d.address FROM crm_delivery d JOIN crm_message m ON m.id = d.message_id
        WHERE d.user_id IS NULL AND (m.internal OR m.kind = 'system')""",
    "a mail to an address of ours": """
        SELECT id, address FROM crm_delivery WHERE address IN (SELECT address FROM crm_alias)""",
    "one address gets a message twice": """
        SELECT message_id, address FROM crm_delivery WHERE state <> 'cancelled'
        GROUP BY message_id, address HAVING COUNT(*) > 1""",
    "two copies that supersede each other": """
        SELECT m.id FROM crm_message m JOIN crm_message n ON n.id = m.superseded_by_id
        WHERE m.id = n.superseded_by_id""",
    "a record that lives on as itself": "SELECT id FROM crm_thread WHERE moved_to_id = id",
    "a finished record without its date": """
        SELECT thread_id, state FROM crm_case WHERE (state IN ('done', 'cancel')) <> (closed NOT NULL)""",
}


def difference(before: World, after: World) -> Difference:
    """What is not as it was: key → (before, after); None: it was, or is, not there."""
    keys = {key for key, _ in before.items() ^ after.items()}
    return {key: (before.get(key), after.get(key)) for key in keys}


class Server:
    """A mail server: stands in for `crmmail.mail.smtp.Connection`.

    `mode`: accept; refuse (550); drop (it takes the mail, and its answer is lost); shut (nobody is there).
    """

    mode = "accept"
    log: Path

    def __init__(self, *_: object, **__: object) -> None:
        self.is_shut = False
        self.named = False
        self._had: bytes | None = None

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def may_have_arrived(self, data: bytes) -> bool:
        return self._had is data

    def send(
        self, sender: str, recipient: str, data: bytes, *, wanted: Callable[[], bool] = lambda: True, **_: object
    ) -> Failure | None:
        self.named = self.mode != "shut"
        if self.mode == "shut":
            self.is_shut = True
            return Failure("no-connection", False, True, "connection refused")
        if self.mode == "refuse":
            return Failure("recipient", True, False, "550 5.1.1 no such user")
        if not wanted():
            return UNWANTED
        self._had = data
        identifier = data.lower().partition(b"message-id: <")[2].partition(b">")[0].decode()
        leaks = SECRET.encode() in data and not recipient.endswith("@crm.test")
        with open(self.log, "a") as file:
            file.write(f"{identifier} {recipient} {self.mode} {'leak' if leaks else 'fine'}\n")
        return Failure("dropped", False, False, "no answer") if self.mode == "drop" else None


class Sent:
    """What the server was given so far."""

    def __init__(self, log: Path) -> None:
        self.lines = [line.split() for line in log.read_text().splitlines()]

    @property
    def leaks(self) -> list[str]:
        return [line[1] for line in self.lines if line[3] == "leak"]

    def twice(self, forgiven: int) -> list[str]:
        """Mails that went out again though nothing excused it.

        Args:
            forgiven: passes that were struck down: each may have left one mail that was sent and not noted.
        """
        sent = Counter(line[0] for line in self.lines)
        dropped = Counter(line[0] for line in self.lines if line[2] == "drop")
        again = {one: count - 1 - dropped[one] for one, count in sent.items() if count - 1 > dropped[one]}
        return sorted(again) if sum(again.values()) > forgiven else []
