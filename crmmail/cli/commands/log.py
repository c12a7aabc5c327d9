"""`crmmail log`: what was done, by whom, when (F15)."""

from __future__ import annotations

import click

from crmmail import log
from crmmail.cli.command import command
from crmmail.cli.options import RECORD, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.config import log_file
from crmmail.services import explain

COLUMNS = (
    Column("at", "when", justify="right"),
    Column("login", "who", lambda row: row["login"] or "crmmail", width=14),
    Column("os_login", "as", width=10),
    Column("act", "act"),
    Column("sentence", "what", flex=True),
    Column("undone", "", lambda row: "undone" if row["undone"] else ""),
)
KEYS = ("id", "at", "login", "os_login", "act", "sentence", "record", "undone")


@command("log", examples=("crmmail log 101", "crmmail log --limit 20", "crmmail log --file"))
@click.argument("record", type=RECORD, required=False)
@click.option("--limit", type=click.IntRange(1), default=50, metavar="N", show_default=True, help="The newest N.")
@click.option("--file", "from_file", is_flag=True, help="The log file of the deliveries instead.")
@listing_options
@pass_session
def log_command(session: Session, record: int | None, limit: int, from_file: bool) -> None:
    """What was done, by whom, when.

    The journal of one record, or of everything; with --file the last lines of the log that deliveries write.
    """
    workspace = session.workspace
    if from_file:
        path = log_file(workspace.config, workspace.environ)
        session.voice.page(log.tail(path, limit) or [f"{path} is empty"])
        return
    rows = [
        {
            "id": one.id,
            "at": one.at,
            "login": one.login or None,
            "os_login": one.os_login or None,
            "act": one.act,
            "sentence": one.sentence,
            "record": one.thread,
            "undone": one.undone,
        }
        for one in explain.history(workspace, record, limit)
    ]
    session.voice.listing(rows, COLUMNS, empty="Nothing was done yet.", keys=KEYS)
