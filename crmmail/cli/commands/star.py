"""`crmmail star` and `unstar`: I have read it and cannot do it now (F61)."""

from __future__ import annotations

from crmmail.cli.acts import UNDO
from crmmail.cli.command import command
from crmmail.cli.line import Span
from crmmail.cli.options import NUMBER, ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.services.desk import inbox


@command("star", examples=("crmmail star 45", "crmmail inbox --starred"))
@ids_argument(metavar="MESSAGE…", kind=NUMBER)
@pass_session
def star_command(session: Session, ids: tuple[int, ...]) -> None:
    """Keep a message in sight.

    A star is yours alone, and stays until you take it off, whatever becomes of the message.
    """
    _star(session, ids, True)


@command("unstar", examples=("crmmail unstar 45",))
@ids_argument(metavar="MESSAGE…", kind=NUMBER)
@pass_session
def unstar_command(session: Session, ids: tuple[int, ...]) -> None:
    """Take the star off a message."""
    _star(session, ids, False)


def _star(session: Session, ids: tuple[int, ...], on: bool) -> None:
    for one in inbox.star(session.workspace, ids, on=on):
        title = one.subject or one.text[:60]
        session.voice.say(
            (f"message {one.id} of #{one.thread} {'★' if on else 'unstarred'} {title}", Span(UNDO, "dim"))
        )
