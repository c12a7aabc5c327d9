"""The buttons: one command a button, made from one table; which kinds and states know it is `core.record`'s to say."""

from __future__ import annotations

from collections.abc import Callable

from crmmail.cli.acts import changed, each
from crmmail.cli.command import Command, command
from crmmail.cli.options import ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.core.typed import Any
from crmmail.services.acts import records


def button(name: str, *lines: str) -> Command:
    """The command that presses one button on each record."""

    def press(session: Session, ids: tuple[int, ...]) -> int:
        return each(session, ids, lambda number: changed(records.press(session.workspace, number, name)))

    press.__doc__ = "\n\n".join(lines)
    decorated: Callable[..., Any] = ids_argument(metavar="RECORD…")(pass_session(press))
    examples = (f"crmmail {name} 101", f"crmmail list case mine -o ids | crmmail {name} -")
    return command(name, examples=examples)(decorated)


open_command = button(
    "open",
    "Open records: work on them begins.",
    "Where nobody is responsible, you are from now on.",
)
pending_command = button("pending", "Set records pending: we wait for somebody.")
close_command = button("close", "Close records: the work is done.", "An answer of the customer opens a case again.")
cancel_command = button("cancel", "Cancel records: nothing will be done.")
reset_command = button("reset", "Set records back to draft.", "A lead goes back to new.")
qualify_command = button("qualify", "Qualify leads: they are worth pursuing.")
lose_command = button("lose", "Mark leads as lost.")
