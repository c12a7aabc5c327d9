"""`crmmail serve`: the server, in the foreground."""

from __future__ import annotations

import os

import click

from crmmail.cli.command import command
from crmmail.cli.session import Session, pass_session


@command(
    "serve",
    examples=(
        "crmmail serve",
        "crmmail serve --lmtp unix:/run/crmmail/lmtp",
        "crmmail serve --lmtp 127.0.0.1:2424 --no-tick",
    ),
)
@click.option("--lmtp", metavar="ADDRESS", help="unix (beside the store), unix:PATH, HOST:PORT, or off.")
@click.option("--anywhere", is_flag=True, help="HOST may be one that other machines can reach.")
@click.option("--no-tick", is_flag=True, help="Leave to cron what `crmmail tick` does.")
@pass_session
def serve_command(session: Session, lmtp: str | None, anywhere: bool, no_tick: bool) -> None:
    """Stay and take mail: for crmmail-mda, and by LMTP.

    While it runs, crmmail-mda hands its mail over and need not start a program of its own, mail servers deliver by
    LMTP, and what `crmmail tick` does is done too: mail leaves at once, rules act when their day comes.  Without it, or
    when it is killed, nothing is lost: crmmail-mda delivers by itself, mail servers keep their mail and try again.

    250 means that the mail is committed.  TERM and ^C end it when what was handed over is committed.  LMTP has no
    login: who may connect is who may write the store, or, by HOST:PORT, who works on this machine.
    """
    from crmmail.server.serve import Wish, serve  # the event loop, which no other command has a use for

    serve(session.choice, os.environ, Wish(lmtp, anywhere, not no_tick), session.voice.warn)
