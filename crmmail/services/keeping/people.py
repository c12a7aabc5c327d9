"""The people who work here, and the contacts outside: `users` and `contacts`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from crmmail.core import address as addresses
from crmmail.core import text
from crmmail.core.query import Query
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import Refused, Taken, UsageError
from crmmail.services.acts.records import Done, create
from crmmail.services.shared import fields, leave
from crmmail.services.shared.rights import need_admin
from crmmail.store.history import journal, undoable
from crmmail.store.letters import messages
from crmmail.store.lists import finding
from crmmail.store.people import directory, offices
from crmmail.store.work import records
from crmmail.workspace import Workspace, os_login

NOTIFY = ("inbox", "email", "both", "none")


def check_free(address: str, user: str = "") -> None:
    """Refuses an address that belongs to somebody else than `user`."""
    owner = offices.owner(address)
    if owner and owner != f"user {user}":
        raise Taken(f"{address} is taken: it belongs to {owner}")


# --- users --------------------------------------------------------------------------------------------------


def add_user(
    workspace: Workspace,
    login: str,
    *,
    email: str,
    name: str = "",
    addresses_too: Sequence[str] = (),
    login_of_os: str | None = None,
    notify: str = "inbox",
    lang: str = "en",
    admin: bool = False,
    first: bool = False,
) -> directory.User:
    """A new user.  His e-mail in a domain of ours is a virtual address of his, too (F145).

    Args:
        addresses_too: further addresses, virtual where they lie in our domains.
        first: he is made by `init`, when there is nobody yet to be admin.
    """
    me = None if first else need_admin(workspace, "add users")
    login = text.one_line(login).lower()
    if not login or " " in login or login.isdigit() or "@" in login:
        raise UsageError(f"{login!r} is no login: one word that is neither a number nor an address")
    main = fields.address(email)
    with workspace.store.transaction():
        if any(one.login == login for one in directory.users()):
            raise Taken(f"there is a user {login} already")
        number = directory.add_user(
            login,
            name=text.one_line(name) or login,
            admin=admin,
            notify=notify,
            lang=lang,
            os_login=login_of_os,
            created=workspace.now(),
        )
        put_addresses(workspace, number, login, main, addresses_too)
        _note(workspace, me.id if me else None, "users", f"user {login} added")
    return directory.user(login)


def put_addresses(workspace: Workspace, number: int, login: str, main: str | None, others: Sequence[str]) -> None:
    """Gives a user addresses, each of which must be free."""
    own = set(workspace.config.mail_domains)
    for one, is_main in [*([(main, True)] if main else []), *((fields.address(other), False) for other in others)]:
        check_free(one, login)
        directory.put_user_address(number, one, main=is_main, virtual=addresses.host_of(one) in own)


def set_user(
    workspace: Workspace,
    login: str,
    *,
    email: str | None = None,
    addresses_too: Sequence[str] = (),
    **columns: Any,
) -> directory.User:
    """Changes a user; an old address stays his, so that letters to it still find him."""
    me = workspace.user()
    this = directory.user(login)
    if me.id != this.id or "admin" in columns or "active" in columns or email or addresses_too:
        need_admin(workspace, "change this of a user")
    if columns.get("admin") is False and [one.id for one in directory.admins()] == [this.id]:
        raise Refused(f"{this.login} is the only admin: make another first (crmmail users set LOGIN --admin)")
    with workspace.store.transaction():
        if columns:
            directory.change_user(this.id, **columns)
        put_addresses(workspace, this.id, this.login, fields.address(email) if email else None, addresses_too)
        _note(workspace, me.id, "users", f"user {this.login} changed")
    return directory.user(login)


def remove_user(workspace: Workspace, login: str) -> directory.User:
    """Deactivates a user; history keeps naming him, and his addresses stay his (F147)."""
    this = directory.user(login)
    if [one.id for one in directory.admins()] == [this.id]:
        raise Refused(f"{this.login} is the only admin: make another first (crmmail users set LOGIN --admin)")
    return set_user(workspace, login, active=False)


def go_away(
    workspace: Workspace, login: str, *, until: str, deputy: str | None = None, hand_over: bool = False
) -> directory.User:
    """Notes that somebody is on leave, and who stands in for him (F231); he himself, or an admin.

    Args:
        until: a date in words.
        deputy: a login; "" for nobody, None: as it was the last time.
        hand_over: what he has to do shall go to his deputy, so there must be one who is here.
    """
    this = _himself_or_admin(workspace, login, "send others on leave")
    ends = fields.moment(workspace, until)
    if ends <= workspace.now():
        raise UsageError(f"{until!r} is over already ({ends.astimezone():%Y-%m-%d %H:%M})")
    columns: dict[str, Any] = {"away_until": ends}
    if deputy is not None:
        stands_in = fields.active_user(deputy) if deputy else None
        if stands_in and stands_in.id == this.id:
            raise Refused(f"nobody stands in for himself: {this.login} needs another deputy")
        columns["deputy"] = stands_in.id if stands_in else None
    with workspace.store.transaction():
        changes = undoable.update("user", this.id, **columns)
        after = directory.user(login)
        if hand_over and leave.present(workspace, after).id == this.id:
            raise UsageError(f"{this.login} has no deputy who is here, to hand over to: say --deputy LOGIN")
        sentence = leave.sentence(workspace, after)
        journal.write(workspace.user().id, os_login(), workspace.now(), "users", sentence, changes)
    return after


def come_back(workspace: Workspace, login: str) -> directory.User:
    """Notes that somebody is back; his deputy stays noted for the next time."""
    this = _himself_or_admin(workspace, login, "call others back")
    if not leave.is_away(workspace, this):
        raise Refused(f"{this.login} is not on leave")
    with workspace.store.transaction():
        changes = undoable.update("user", this.id, away_until=None)
        sentence = f"{this.login} is back from leave"
        journal.write(workspace.user().id, os_login(), workspace.now(), "users", sentence, changes)
    return directory.user(login)


def unfinished_of(user: directory.User) -> list[int]:
    """The numbers of all that somebody has to do."""
    found = finding.numbers(None, Query(responsible=user.login.lower(), unfinished=True))
    return sorted(one.id for one in records.listed(found) if not one.moved_to)


def _himself_or_admin(workspace: Workspace, login: str, what: str) -> directory.User:
    this = directory.user(login)
    if workspace.user().id != this.id:
        need_admin(workspace, what)
    return this


def _note(workspace: Workspace, user: int | None, act: str, sentence: str) -> None:
    journal.write(user, os_login(), workspace.now(), act, sentence, undoable=False)


# --- contacts -----------------------------------------------------------------------------------------------


def contacts(
    workspace: Workspace, words: Sequence[str] = (), *, limit: int | None = None, before: int | None = None
) -> list[directory.Contact]:
    """The contacts in whose name, company and addresses all the words occur, by name.

    Args:
        limit: the newest so many of them.
        before: of those that are older than this contact.
    """
    wanted = [word.lower() for word in words]
    numbers = directory.contact_numbers(limit=None if words else limit, before=before)
    fitting = (one for one in directory.contacts(numbers) if all(word in _searched(one) for word in wanted))
    return sorted(islice(fitting, limit), key=lambda one: (one.name.lower(), one.id))


def _searched(one: directory.Contact) -> str:
    return " ".join((one.name, one.company, *one.addresses)).lower()


class Saved(NamedTuple):
    contact: directory.Contact
    linked: list[int]  # records that got it as partner
    note: str


def add_contact(
    workspace: Workspace,
    name: str,
    *,
    emails: Sequence[str] = (),
    company: str = "",
    category: str = "",
    lang: str = "",
    from_message: int | None = None,
) -> Saved:
    """A contact by hand; it follows its own card, and the records that came from its address get it as partner.

    Args:
        from_message: save the sender of that message (F298).
    """
    if from_message is not None:
        letter = messages.message(from_message)
        if not letter.from_address:
            raise Refused(f"the sender of message {from_message} is unclear, so there is no address to save")
        name = name or text.one_line(letter.from_name) or letter.from_address
        emails = [letter.from_address, *emails]
    if not name:
        raise UsageError("a contact needs a name, or --from MESSAGE")
    before = {one: {this.id for this in finding.with_address(fields.address(one))} for one in emails}
    values = {"company": company, "category": category, "lang": lang}
    done: Done = create(workspace, "contact", name, {key: value for key, value in values.items() if value}, emails)
    linked = sorted(
        this.id
        for one in emails
        for this in finding.with_address(fields.address(one))
        if this.id in before[one] and this.partner and this.partner.id == done.record
    )
    return Saved(directory.contact(done.record), linked, done.note)


def set_contact(
    workspace: Workspace,
    number: int,
    *,
    name: str | None = None,
    emails: Sequence[str] = (),
    without: Sequence[str] = (),
    company: str | None = None,
    category: str | None = None,
    lang: str | None = None,
) -> directory.Contact:
    """Changes a contact: fields as `set` does, addresses added and taken away."""
    from crmmail.services.acts.records import set_fields

    directory.contact(number)
    wanted = {"title": name, "company": company, "category": category, "lang": lang}
    changes = {field: value for field, value in wanted.items() if value is not None}
    if changes:
        set_fields(workspace, number, changes)
    if emails or without:
        me = workspace.user()
        with workspace.store.transaction():
            done: list[undoable.Change] = []
            for one in emails:
                done += undoable.insert("contact_address", contact=number, address=fields.address(one))
            for one in without:
                row = directory.contact_address(number, fields.address(one))
                done += undoable.delete("contact_address", row)
            sentence = f"addresses of contact {number} changed"
            journal.write(me.id, os_login(), workspace.now(), "contacts", sentence, done, thread=number)
    return directory.contact(number)
