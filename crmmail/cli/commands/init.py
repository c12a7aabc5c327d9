"""`crmmail init`: a working store, without a question."""

from __future__ import annotations

import click

from crmmail.cli.command import command
from crmmail.cli.session import Session, pass_session
from crmmail.services.keeping import setup


@command("init", examples=('crmmail init --domain crm.example --user boss:boss@crm.example --name "The Boss"',))
@click.option("--domain", "domains", multiple=True, required=True, metavar="HOST", help="A mail domain of ours.")
@click.option("--user", "users", multiple=True, required=True, metavar="LOGIN:ADDRESS", help="Who; the first is admin.")
@click.option("--name", default="", metavar="NAME", help="The first user's name.")
@click.option("--catchall", default="", metavar="ADDRESS", help="The mailbox that gets all other mail for the domain.")
@click.option("--group", default="", metavar="G", help="Let this group share the store.")
@pass_session
def init_command(
    session: Session, domains: tuple[str, ...], users: tuple[str, ...], name: str, catchall: str, group: str
) -> None:
    """Make a store.

    Everything works with no configuration file.  It prints the lines for cron and for fetchmailrc.
    """
    made = setup.init(
        session.choice,
        domains=domains,
        users=[setup.first_user(one) for one in users],
        name=name,
        catchall=catchall,
        group=group,
    )
    for line in (  # each unbroken: they are there to be copied
        f"store: {made.place}   admin: {made.user}",
        "for cron (crontab -e), every minute:",
        f"    {made.cron}",
        "for fetchmailrc, in the line of the mailbox:",
        f"    {made.fetchmail}",
        f"next: crmmail sections add support --name Support --email support@{domains[0]} --manager {made.user}",
    ):
        session.voice.say(line, whole=True)
