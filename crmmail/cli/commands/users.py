"""`crmmail users`: the people who work here."""

from __future__ import annotations

from collections.abc import Callable

import click

from crmmail.cli.acts import changed, each
from crmmail.cli.command import noun
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core.typed import Any
from crmmail.services.acts import records
from crmmail.services.keeping import people
from crmmail.services.shared import leave
from crmmail.store.people import directory

COLUMNS = (
    Column("login", "login"),
    Column("name", "name", flex=True),
    Column("email", "address", width=34),
    Column("notify", "hears by"),
    Column("lang", "lang"),
    Column("admin", "", lambda row: "admin" if row["admin"] else ""),
    Column("active", "", lambda row: "" if row["active"] else "left"),
    Column("away_until", "away until"),
    Column("deputy", "deputy"),
)


def listing(session: Session, users: list[directory.User]) -> None:
    """Users; on a screen the columns about leave only where somebody is on leave."""
    rows = [shape(one, leave.is_away(session.workspace, one)) for one in users]
    here = session.voice.terminal and not any(row["away_until"] for row in rows)
    columns = tuple(one for one in COLUMNS if not here or one.key not in ("away_until", "deputy"))
    session.voice.listing(rows, columns, empty="No users yet: crmmail init")


def shape(one: directory.User, away: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "login": one.login,
        "name": one.name,
        "email": one.email or None,
        "addresses": list(one.addresses),
        "virtual": sorted(one.virtual),
        "os_login": one.os_login or None,
        "admin": one.admin,
        "notify": one.notify,
        "lang": one.lang,
        "active": one.active,
        "away_until": one.away_until if away else None,
        "deputy": one.deputy or None,
    }


@noun("users", examples=("crmmail users", "crmmail users add agent --email agent@crm.example"))
def users_command() -> None:
    """The people who work here."""


@users_command.command("list", examples=("crmmail users list --json",))
@listing_options
@pass_session
def users_list(session: Session) -> None:
    """All users."""
    session.open()
    listing(session, directory.users())


@users_command.command("show", examples=("crmmail users show agent --json",))
@click.argument("login")
@listing_options
@pass_session
def users_show(session: Session, login: str) -> None:
    """One user."""
    session.open()
    listing(session, [directory.user(login)])


def facts(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that add and set share."""
    for decorate in (
        click.option("--name", metavar="NAME", help="As customers see it."),
        click.option("--address", "addresses", multiple=True, metavar="ADDRESS", help="A further (virtual) address."),
        click.option("--login", "os_login", metavar="OSNAME", help="His login on this machine."),
        click.option("--notify", type=click.Choice(people.NOTIFY), help="How he hears of messages."),
        click.option("--lang", metavar="CODE", help="The language we write to him in."),
        click.option("--admin/--no-admin", default=None, help="May change users, sections, aliases, messages."),
    ):
        function = decorate(function)
    return function


@users_command.command(
    "add", examples=('crmmail users add agent --email agent@crm.example --name "An Agent" --notify both',)
)
@click.argument("login")
@click.option("--email", required=True, metavar="ADDRESS", help="His address; in a domain of ours it is virtual, too.")
@facts
@pass_session
def users_add(
    session: Session,
    login: str,
    email: str,
    name: str | None,
    addresses: tuple[str, ...],
    os_login: str | None,
    notify: str | None,
    lang: str | None,
    admin: bool | None,
) -> None:
    """Add a user (admin)."""
    one = people.add_user(
        session.workspace,
        login,
        email=email,
        name=name or "",
        addresses_too=addresses,
        login_of_os=os_login,
        notify=notify or "inbox",
        lang=lang or "en",
        admin=bool(admin),
    )
    session.voice.say(f"user {one.login} <{one.email}>")


@users_command.command(
    "set", examples=("crmmail users set agent --notify email --lang ru", "crmmail users set agent --active")
)
@click.argument("login")
@click.option("--email", metavar="ADDRESS", help="His main address from now on; the old one stays his.")
@click.option("--active/--inactive", "active", default=None, help="Works here, or not any more.")
@facts
@pass_session
def users_set(session: Session, login: str, email: str | None, addresses: tuple[str, ...], **columns: Any) -> None:
    """Change a user; of yourself you may change name, login, notify and lang."""
    given = {key: value for key, value in columns.items() if value is not None}
    one = people.set_user(session.workspace, login, email=email, addresses_too=addresses, **given)
    session.voice.say(f"user {one.login} <{one.email}>: {one.notify}, {one.lang}{'' if one.active else ', left'}")


@users_command.command("remove", examples=("crmmail users remove agent",))
@click.argument("login")
@pass_session
def users_remove(session: Session, login: str) -> None:
    """Note that a user has left (admin); history keeps his name, and his addresses stay his."""
    one = people.remove_user(session.workspace, login)
    session.voice.say(f"user {one.login} has left (crmmail users set {one.login} --active takes it back)")


@users_command.command(
    "away",
    examples=(
        "crmmail users away agent --until 2026-12-07 --deputy bob",
        "crmmail users away agent --until +14d --deputy bob --hand-over",
    ),
)
@click.argument("login")
@click.option(
    "--until", required=True, metavar="DATE", help="When he is back: +14d, monday 9:00; monday: as it begins."
)
@click.option("--deputy", metavar="LOGIN", help="Who gets his new work meanwhile; '' for nobody.")
@click.option("--hand-over", is_flag=True, help="Make the deputy responsible for what he has to do, too.")
@pass_session
def users_away(session: Session, login: str, until: str, deputy: str | None, hand_over: bool) -> int:
    """Note that a user is on leave: you yourself, or anybody (admin).

    New work goes to his deputy; what he has stays his, unless it is handed over.  It ends by itself.
    """
    one = people.go_away(session.workspace, login, until=until, deputy=deputy, hand_over=hand_over)
    session.voice.say(f"{leave.sentence(session.workspace, one)}   (back earlier: crmmail users back {one.login})")
    if not hand_over:
        return 0
    wanted = {"responsible": leave.present(session.workspace, one).login}
    return each(
        session,
        people.unfinished_of(one),
        lambda number: changed(records.set_fields(session.workspace, number, wanted, "assign")),
    )


@users_command.command("back", examples=("crmmail users back agent",))
@click.argument("login")
@pass_session
def users_back(session: Session, login: str) -> None:
    """Note that a user is back from leave: you yourself, or anybody (admin)."""
    one = people.come_back(session.workspace, login)
    session.voice.say(f"{one.login} is back")
