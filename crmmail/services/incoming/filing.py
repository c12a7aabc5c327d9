"""Puts a letter into a record: what `deliver` does with a route, and a person with a letter in quarantine.

A letter that answers joins its thread, and changes the state as behaviour §5 says.  A letter that makes a record does
five things (F124–F128): the record with the alias's defaults; its system message; the followers who want to hear of
new ones; their inbox items; the letter itself as the first message of the conversation.
"""

from __future__ import annotations

from crmmail.core import record, section
from crmmail.core.message import MADE, Mail
from crmmail.core.route import Route
from crmmail.core.sender import Sender
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError
from crmmail.services.acts.records import complete_partner, created, make, stands_in
from crmmail.services.automatic import rules
from crmmail.services.hearing.tell import News, in_charge, spread, system_message, tell
from crmmail.services.incoming import answers
from crmmail.services.incoming.manner import MAIL, Manner
from crmmail.services.shared import fields
from crmmail.store.history.undoable import Change
from crmmail.store.letters import inbox, index, messages, outbox
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import records
from crmmail.workspace import Workspace


class Filed(NamedTuple):
    """Where a letter ended."""

    record: int
    kind: str
    message: int
    created: bool
    notes: list[str]
    changes: list[Change]


def file_letter(
    workspace: Workspace,
    mail: Mail,
    route: Route,
    sender: Sender,
    original: int,
    *,
    contested: bool = False,
    manner: Manner = MAIL,
) -> Filed:
    """Stores a letter as its route says: in the record it names, or in a new one.

    Args:
        contested: its Message-ID belongs to another letter; the message gets an id of our own making.
        manner: what else it sets going.
    """
    notes: list[str] = []
    if sender.here:  # it has gone to whom it was for
        spoken = answers.Spoken("email_out", mail, route)
    else:
        spoken = answers.read(workspace, mail, route, sender)
    route, mail = spoken.route, spoken.mail
    if route.thread is None:
        number, addressed, system = _new_record(workspace, mail, route, sender, notes, manner)
    else:
        number, addressed, system = route.thread, list(spoken.addressed), None
    late = manner.dated_by_mail and system is None and workspace.now() < records.updated(number)
    if manner.sends and sender.address and not sender.machine and not sender.refuted:
        outbox.forgive(sender.address)
    message = store_letter(workspace, number, mail, route, sender, original, kind=spoken.kind, contested=contested)
    if manner.dated_by_mail:
        index.brought(message)
    if route.superseded_by:
        messages.change_message(message, superseded_by=route.superseded_by)
        return Filed(number, records.kind(number), message, False, notes, [])
    if route.supersedes:
        messages.change_message(route.supersedes, superseded_by=message)
    if sender.proven and sender.user is not None:  # whoever writes hears the answer (F23)
        followers.put_follower(number, workspace.now(), user=sender.user)
    letter = (mail.subject, mail.text)
    changes: list[Change] = []
    news: News = []
    if system is not None and manner.rules:  # before anybody is told: whom one makes responsible hears of the letter
        changes = rules.react(workspace, number, before=rules.CREATION, letter=letter, news=news)
    holders, empty = answers.holding(mail), False
    ordered = spoken.ordered if manner.rules else None
    bare = ordered is not None and ordered.bare and route.thread is not None
    if spoken.kind == "email_out" and manner.sends:
        passed = answers.pass_on(workspace, number, message, mail, sender, holders, notes, bare=bare)
        holders, empty = holders | passed.to, passed.empty
    heard: set[int] = set()
    if manner.notifies and not bare:  # of what he only asks of the program, they hear when it is done
        heard = tell(
            workspace,
            number,
            message,
            subtype="note" if spoken.kind == "note" else "discussion",
            internal=route.internal,
            author=_author(sender),
            author_address=sender.address,
            addressed=addressed,
            holders=holders,
            silent=bool(sender.machine),
            outside=not empty,
            mails=manner.sends,
        )
    # A letter that nobody would see waits before whoever is in charge.
    if manner.notifies and not heard and not (sender.proven or sender.here):
        for user in in_charge(workspace, records.record(number)):
            inbox.put_notification(user, "in charge", workspace.now(), message=message, thread=number)
            heard.add(user)
    if system is not None and manner.notifies:
        tell(
            workspace,
            number,
            system,
            subtype="created",
            internal=True,
            author=_author(sender),
            silent=bool(sender.machine),
            skip=heard,
            mails=manner.sends,
        )
        spread(workspace, number, news, skip=heard)
    if ordered is not None and sender.user is not None:
        from crmmail.services.incoming import orders

        orders.obey(workspace, number, message, sender.user, ordered, heard, notes)
    # An internal remark answers no customer, nor does an answer without words; and the whole of a letter says nothing
    # that its half did not.  Who speaks of the state himself needs no policy.
    told_state = ordered is not None and ordered.set_state
    # A letter out of a file that is older than the last thing that happened in its record changes nothing about it.
    if system is None and not (route.internal or route.supersedes or empty or told_state or late):
        changes = _new_state(workspace, number, message, sender, spoken.kind, heard, letter, notes, manner)
    kind = route.kind if system is not None else records.kind(number)
    if not sender.machine and not late:
        records.touch(
            number,
            kind,
            workspace.now(),
            partner=spoken.kind == "email_in" and not sender.proven,
            answered=spoken.kind == "email_out" and not empty,
        )
    return Filed(number, kind, message, route.thread is None, notes, changes)


def _new_record(
    workspace: Workspace, mail: Mail, route: Route, sender: Sender, notes: list[str], manner: Manner
) -> tuple[int, list[int], int]:
    """The record that a letter makes: its number, whom to tell besides its followers, and its system message."""
    customer = _customer(workspace, mail, sender)
    columns: dict[str, Any] = {"title": mail.subject, "email": customer[1] or None, "partner_name": customer[0] or None}
    address = route.recipient
    if route.section:
        this = offices.section(route.section)
        columns["section"] = this.id
        address = address or this.address
    if route.alias is not None:
        alias = offices.alias_by_id(route.alias)
        wanted = {**({"responsible": alias.user} if alias.user else {}), **alias.defaults}
        for field, value in wanted.items():
            try:
                columns |= fields.columns(workspace, route.kind, route.section, field, value)
            except CrmmailError as error:  # a default that no longer fits must not keep a letter out
                notes.append(f"default {field}={value} of {alias.address} does not fit: {error}")
        if columns.get("responsible") is not None:
            columns["responsible"] = stands_in(workspace, directory.user_by_id(columns["responsible"]), notes)
    if route.kind == "contact":
        columns = {key: columns[key] for key in ("title", "company", "category", "lang") if key in columns}
        columns["title"] = customer[0] or customer[1] or mail.subject
    else:
        hint = complete_partner(columns)
        if hint:
            notes.append(hint)
    number = make(
        workspace, route.kind, columns, author=_author(sender), address=address, notes=notes, promises=manner.rules
    )
    if route.kind == "contact" and customer[1]:
        directory.add_contact_address(number, customer[1])
    system, addressed = created(workspace, number, author=_author(sender), tell_now=False)
    return number, addressed, system


def _customer(workspace: Workspace, mail: Mail, sender: Sender) -> tuple[str, str]:
    """(name, address) of whom the record is about: the sender; where a proven user wrote to the alias himself, and
    of what was written here, the first address outside that is named in To."""
    if not (sender.proven or sender.here):
        return mail.sender.name, sender.address
    own = {*offices.alias_addresses(), *directory.users_by_address(one.address for one in mail.to)}
    for one in mail.to:
        if one.address and one.address not in own:
            return one.name, one.address
    return mail.sender.name, sender.address


def store_letter(
    workspace: Workspace,
    number: int,
    mail: Mail,
    route: Route,
    sender: Sender,
    original: int,
    *,
    kind: str = "email_in",
    contested: bool = False,
) -> int:
    """The letter as a message, with who took part in it and its attachments."""
    now = workspace.now()
    message = messages.put_message(
        number,
        kind=kind,
        subtype="note" if kind == "note" else "discussion",
        internal=route.internal,
        automatic=bool(sender.machine),
        author=_author(sender),
        from_name=mail.sender.name or ("" if sender.address else mail.from_line),
        from_address=sender.address,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        date=mail.date or now,
        received=now,
        message_id=f"{mail.content_hash[:32]}{MADE}" if contested else mail.message_id,
        original=original,
    )
    writer = [mail.sender] if sender.address else []
    messages.put_people(message, number, {"from": writer, "to": mail.to, "cc": mail.cc})
    messages.put_attachments(message, mail.attachments)
    return message


def _new_state(
    workspace: Workspace,
    number: int,
    message: int,
    sender: Sender,
    kind: str,
    heard: set[int],
    letter: tuple[str, str],
    notes: list[str],
    manner: Manner,
) -> list[Change]:
    """An answer may reopen the case or close it; the section's policy says which (behaviour §5).  Then the rules are
    asked, about the letter too where it came from outside; what a machine wrote is nothing to them.

    A customer's answer that comes too late to open the case waits before whoever is in charge, however he hears: no
    list of open cases will show it.
    """
    this = records.record(number)
    writer = "machine" if sender.machine else "user" if kind == "email_out" else "partner"
    policy = offices.section(this.section) if this.section else None
    state = record.after_mail(
        this.kind,
        this.state,
        writer=writer,
        on_partner_reply=policy.on_partner_reply if policy else "open",
        on_user_reply=policy.on_user_reply if policy else "close",
        reopen_cancelled=policy is not None and policy.reopen_cancelled,
    )
    late = ""
    if policy and writer == "partner" and state != this.state:
        late = section.too_late(policy.reopen_window, this.closed, workspace.now())
    if late:
        state = this.state
        notes.append(late)
        for user in in_charge(workspace, this) if manner.notifies else ():
            inbox.put_notification(user, "in charge", workspace.now(), message=message, thread=number)
    done: list[Change] = []
    if state != this.state:
        changes = {"state": state, **fields.closing(workspace, this.kind, state)}
        done, details = fields.apply(workspace, this, changes)
        author = _author(sender)
        system = system_message(
            workspace,
            number,
            "state",
            f"{fields.sentence(details)} (by a letter)",
            author=author,
            details=[one._asdict() for one in details],
        )
        if manner.notifies:
            tell(
                workspace,
                number,
                system,
                subtype="state",
                internal=True,
                author=author,
                skip=heard,
                mails=manner.sends,
            )
    if writer == "machine" or not manner.rules:
        return done
    return done + rules.react(
        workspace, number, before=this.state, letter=letter if writer == "partner" else None, skip=heard
    )


def _author(sender: Sender) -> int | None:
    return sender.user if sender.proven else None
