"""`crmmail db`: the store itself."""

from __future__ import annotations

import click

from crmmail.cli.command import noun
from crmmail.cli.line import size
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.errors import StoreDamaged
from crmmail.services.keeping import upkeep
from crmmail.store.engine.database import LOOK_CLOSER, RESTORE

DAMAGES = (
    Column("check", "check"),
    Column("table", "table"),
    Column("row", "row"),
    Column("sentence", "damage", flex=True),
)


@noun("db", examples=("crmmail db", "crmmail db backup crmmail-copy.db", "crmmail db check"), default="status")
def db_command() -> None:
    """The store: status, migrate, backup, check, copy, reindex."""


@db_command.command("status", examples=("crmmail db status --json",))
@listing_options
@pass_session
def db_status(session: Session) -> int:
    """The migrations, and which are applied; exit 1 where some are pending."""
    found = upkeep.status(session.open(check=False))
    rows = [{"name": one.name, "applied": one.applied or None} for one in found]
    columns = (
        Column("name", "migration", flex=True),
        Column("applied", "", lambda row: row["applied"] or "pending"),
    )
    session.voice.listing(rows, columns)
    return int(any(not one.applied for one in found))


@db_command.command("migrate", examples=("crmmail db migrate",))
@pass_session
def db_migrate(session: Session) -> None:
    """Bring the schema up to date."""
    workspace = session.open(check=False)
    with session.voice.progress(upkeep.messages(workspace), "Indexing") as step:
        names = upkeep.migrate(workspace, step)
    for name in names:
        session.voice.say(f"applied {name}")
    if not names:
        session.voice.say("the schema is up to date")


@db_command.command("reindex", examples=("crmmail db reindex",))
@pass_session
def db_reindex(session: Session) -> None:
    """Make the index of words anew, which `search` looks into; others go on working."""
    workspace = session.workspace
    with session.voice.progress(upkeep.messages(workspace), "Indexing") as step:
        count = upkeep.reindex(workspace, step)
    session.voice.say(f"{count} message{'' if count == 1 else 's'} indexed")


@db_command.command("check", examples=("crmmail db check && echo well", "crmmail db check --json"))
@listing_options
@pass_session
def db_check(session: Session) -> int:
    """Look for damage: integrity, foreign keys, attachments; exit 1 where there is any.

    It also reads what must hold between the rows, every text, and every letter that was kept.  Others go on working.
    """
    try:
        workspace, voice = session.open(check=False), session.voice
    except StoreDamaged as error:
        raise StoreDamaged(str(error).replace(LOOK_CLOSER, f"; {RESTORE}")) from error
    with voice.progress(upkeep.steps(workspace), "Checking") as step:
        found = upkeep.damages(workspace, step)
    if voice.form or voice.fields:
        voice.listing([one._asdict() for one in found], DAMAGES)
    elif found:
        for one in found:
            voice.warn(one.sentence)
        if remedy := upkeep.remedy(found):
            voice.warn(remedy)
    elif any(not one.applied for one in upkeep.status(workspace)):
        voice.say("the file is sound; its rows can be looked at after: crmmail db migrate")
    else:
        voice.say("the store is sound")
    return int(bool(found))


@db_command.command("backup", examples=("crmmail db backup /var/backups/crmmail.db",))
@click.argument("file")
@pass_session
def db_backup(session: Session, file: str) -> None:
    """Write a whole copy of the store, while others go on working."""
    session.voice.say(f"{file} ({size(upkeep.backup(session.open(check=False), file))})")


@db_command.command("copy", examples=("crmmail db copy sqlite:/srv/crm.db postgresql://crm@db.example.com/crm",))
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@pass_session
def db_copy(session: Session, source: str, target: str) -> None:
    """Copy a whole store into an empty one: from a file to PostgreSQL, or back.

    Every row is compared before anything counts; where something goes wrong, nothing was copied.  Afterwards --db,
    $CRMMAIL_DB or `db` in the settings has to name the new place.
    """
    from crmmail.services.keeping.copying import Copy  # a rare act

    with Copy(source, target) as copy, session.voice.progress(copy.rows(), "Copying") as step:
        done = copy.run(step)
    session.voice.say(
        f"{done.rows} rows of {done.tables} tables are in {done.place}, compared; the old store is as it was"
    )
