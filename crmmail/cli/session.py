"""What a command holds while it runs: the choices of the command line, the open house, the voice.

    @command("take", examples=("crmmail take 101",))
    @click.argument("record", type=RECORD)
    @pass_session
    def take_command(session: Session, record: int) -> None:
        \"\"\"Take a record: you are responsible now.\"\"\"
        done = take(session.workspace, record)
        session.voice.say(f"#{record} {done.title}: yours   (undo: crmmail undo)")

Nothing is opened before it is asked for: `--help` and usage errors never meet the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from crmmail.cli.voice import Voice
from crmmail.errors import CrmmailError

if TYPE_CHECKING:
    from crmmail.workspace import Choice, Workspace

P = ParamSpec("P")
R = TypeVar("R")


class Session:
    """One run of `crmmail`.  The global options fill `db`, `config`, `user`, `verbose` and the voice's `color`."""

    def __init__(self) -> None:
        self.db: str | None = None
        self.config: str | None = None
        self.user: str | None = None
        self.verbose = False
        self.voice = Voice(now=self.now)
        self._as_given: dict[str, list[str]] = {}
        self._workspace: Workspace | None = None

    def understand(self, words: Sequence[str]) -> list[str]:
        """The command line as text.  Bytes that are no UTF-8 come as half surrogates, which no database and no stream
        takes."""
        said = [word.encode("utf-8", "replace").decode() for word in words]
        for text, word in zip(said, words, strict=True):
            self._as_given.setdefault(text, []).append(word)
        return said

    def as_given(self, word: str) -> str:
        """A word of the command line, byte for byte, for the name of a file.  Of several that are one as text each is
        told in its turn."""
        words = self._as_given.get(word)
        return words.pop(0) if words else word

    @property
    def choice(self) -> Choice:
        """What the global options chose, as `Workspace` takes it."""
        from crmmail.workspace import Choice  # peewee comes with it

        return Choice(self.db, self.config, self.user)

    @property
    def workspace(self) -> Workspace:
        """The open house; opened at the first call, closed when the command ends.

        Raises:
            StoreMissing, StoreBehind, ConfigBroken …: as `Workspace` does.
        """
        return self.open()

    def open(self, *, check: bool = True) -> Workspace:
        """Like `workspace`; `check=False` is for `db migrate` and `doctor`, which may find an old store."""
        if self._workspace is None:
            from crmmail.workspace import Workspace

            self._workspace = Workspace(self.choice, check=check)
        return self._workspace

    @cached_property
    def our_names(self) -> frozenset[str]:
        """What whoever works here is called, in lower case: no stranger is shown by such a name alone."""
        from crmmail.store.people import offices  # most commands show no senders

        self.open()
        return offices.our_names()

    def in_our_words(self, error: Exception) -> Exception:
        """What a command died of; trouble of the open store in our words, which only transactions speak."""
        if self._workspace is None or isinstance(error, CrmmailError):
            return error
        from crmmail.store.engine.database import is_trouble, plainly

        return plainly(error, self._workspace.store.place) if is_trouble(error) else error

    def now(self) -> datetime:
        """The house's clock where it is open, so that `$CRMMAIL_NOW` counts; else the real one."""
        return self._workspace.now() if self._workspace else datetime.now(UTC)

    def close(self) -> None:
        """Close what was opened, and say what went wrong beside what was done.  `main` does this."""
        if self._workspace is not None:
            self._workspace.close()
            for sentence in self._workspace.troubles:
                self.voice.warn(sentence)
            self._workspace = None


def session_of(context: click.Context) -> Session:
    """The session of this run; made, and closed with the outermost command, where `main` did not make one."""
    found = context.find_object(Session)
    if found is None:
        root = context.find_root()
        found = root.obj = Session()
        root.call_on_close(found.close)
        for inner in _contexts(context):
            inner.obj = found
    return found


def pass_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Decorator: the command's first argument is the `Session`."""

    def with_session(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(session_of(click.get_current_context()), *args, **kwargs)

    return update_wrapper(with_session, function)


def _contexts(context: click.Context | None) -> list[Any]:
    found = []
    while context is not None:
        found.append(context)
        context = context.parent
    return found
