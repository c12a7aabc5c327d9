"""Asks the store, in one place, for all that bears on an incoming letter.

`known` takes `core.known.ask`'s question and answers with facts; the number of queries is bounded whatever the mail
says, and each goes by an index.  Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from peewee import JOIN, fn

from crmmail.core.copies import BEFORE_ADDRESSES, COPIES
from crmmail.core.known import AliasFact, Known, Place, Question, Sent, Twin
from crmmail.store import directory
from crmmail.store import tables as t

OTHER_TWINS = 20  # letters of other content under one Message-ID that are looked at: a broken mailer has thousands


def known(question: Question, now: datetime) -> Known:
    """The facts about one letter."""
    since = now - timedelta(minutes=question.since_minutes)
    parents, internal_parents = parents_of(question.answered)
    sent = sent_mails(question.reported)
    threads, redirects = live_threads([*parents.values(), *question.threads, *(one.thread for one in sent.values())])
    contacts = directory.contacts_with(question.sender) if question.sender else []
    # Who took part in what was merged takes part in what it lives on as.
    former = {**redirects, **merged_into(threads)}
    parts = participation(question.sender, contacts, [*threads, *former])
    copies = twins(question)
    covered = {address for copy in copies for address in copy.covered}
    return Known(
        twins=copies,
        sent_before=bool(t.Delivery.select().where(t.Delivery.content_hash == question.content_hash).exists()),
        parents=parents,
        internal_parents=internal_parents,
        threads=threads,
        redirects=redirects,
        takes_part={former.get(thread, thread): role for thread, role in reversed(parts.items())},
        aliases=aliases({*question.addresses, *covered}),
        users=directory.users_by_address(question.addresses),
        contacts=tuple(contacts),
        follows_kinds=follows_kinds(question.sender, contacts),
        sections=section_names(question.section),
        new_records=new_records(question.sender, since, now),
        messages=messages(question.sender, threads, since, now),
        sent=sent,
    )


def twins(question: Question) -> tuple[Twin, ...]:
    """Earlier mails with the same Message-ID, and what became of each."""
    same_id = t.Original.message_id == question.message_id
    same = t.Original.content_hash == question.content_hash
    originals = [
        *t.Original.select().where(same_id, same),
        *t.Original.select().where(same_id, ~same).order_by(t.Original.id.desc()).limit(OTHER_TWINS),
    ]
    found = []
    for original in originals:
        decisions = list(t.Decision.select().where(t.Decision.original == original.id).order_by(t.Decision.id))
        stored = [one for one in decisions if one.message_id]
        held = next((one.quarantine_id for one in decisions if one.quarantine_id), None)
        # Too many answers wait without an address, too many new letters with the one that they are for.
        early = any(one.reason in BEFORE_ADDRESSES or (one.reason == "loop" and not one.recipient) for one in decisions)
        # The whole of a cut letter joins what the cut one made: that is no answer.
        joined = bool(stored) and not any(one.created or one.reason in COPIES for one in stored)
        message = t.Message.get_or_none(t.Message.id == stored[0].message_id) if stored else None
        found.append(
            Twin(
                original=original.id,
                same_content=original.content_hash == question.content_hash,
                from_address=original.from_address,
                size=original.size,
                subject=message.subject if message else "",
                text=message.text if message else None,
                attachments=t.Attachment.select().where(t.Attachment.message == message).count() if message else 0,
                thread=message.thread_id if message else None,
                message=message.id if message else None,
                quarantine=None if message else held,
                reply=joined or early,
                covered=frozenset(one.recipient for one in decisions if one.recipient),
                filed=tuple(Place(one.message.thread_id, one.message_id, one.recipient or "") for one in stored),
            )
        )
    return tuple(found)


def parents_of(answered: Iterable[str]) -> tuple[dict[str, int], frozenset[str]]:
    """Message-ID → thread, of those that are stored, theirs and ours; and which of them are internal."""
    wanted = list(answered)
    if not wanted:
        return {}, frozenset()
    found, internal = {}, set()
    rows = t.Message.select(t.Message.message_id, t.Message.thread, t.Message.internal)
    for row in rows.where(t.Message.message_id.in_(wanted)).order_by(t.Message.id.desc()):
        found[row.message_id] = row.thread_id
        if row.internal:
            internal.add(row.message_id)
    return found, frozenset(internal)


def sent_mails(reported: Iterable[str]) -> dict[str, Sent]:
    """The mails of ours that a bounce speaks of, in its order; of an id may be told only what stands before the @."""
    found = {}
    for one in reported:
        whole = t.Delivery.identifier == one
        begins = (t.Delivery.identifier > one) & (t.Delivery.identifier < one + "\U0010ffff")
        row = t.Delivery.select().where(begins if one.endswith("@") else whole).first()
        if row is not None:
            found[one] = Sent(row.id, row.thread_id, row.address)
    return found


def live_threads(numbers: Iterable[int]) -> tuple[frozenset[int], dict[int, int]]:
    """Which of these records exist, and for the merged and converted ones the record that they live on as."""
    live: set[int] = set()
    redirects: dict[int, int] = {}
    start = {number: {number} for number in numbers}  # where we stand → which numbers were asked for
    for _ in range(10):  # a chain of merges is short; a circle must not hang a delivery
        if not start:
            break
        rows = t.Thread.select(t.Thread.id, t.Thread.moved_to).where(t.Thread.id.in_(list(start)))
        onward: dict[int, set[int]] = {}
        for row in rows:
            if row.moved_to_id is None:
                live.add(row.id)
                redirects |= {asked: row.id for asked in start[row.id] if asked != row.id}
            else:
                onward.setdefault(row.moved_to_id, set()).update(start[row.id])
        start = onward
    return frozenset(live), redirects


def merged_into(threads: Iterable[int]) -> dict[int, int]:
    """The records that live on as one of these, each with the one that it lives on as."""
    found: dict[int, int] = {}
    start = {number: number for number in threads}
    for _ in range(10):  # as in `live_threads`
        if not start:
            break
        rows = t.Thread.select(t.Thread.id, t.Thread.moved_to).where(t.Thread.moved_to.in_(list(start)))
        start = {row.id: start[row.moved_to_id] for row in rows}
        found |= start
    return found


def participation(sender: str, contacts: Iterable[int], threads: Iterable[int]) -> dict[int, str]:
    """Thread → as what the sender takes part in it: its e-mail, its partner or his colleague, one of its further
    contacts, an external follower, or somebody named in From, To or Cc of its messages (behaviour §2).  Never Reply-To
    or Resent-*; nor Bcc, whose answer has our own id."""
    wanted, cards = list(threads), list(contacts)
    if not sender or not wanted:
        return {}
    found: dict[int, str] = {}

    def note(rows: Iterable[tuple[int]], role: str) -> None:
        for (thread,) in rows:
            found.setdefault(thread, role)

    address = t.MessageAddress
    spoken = (
        address.select(address.thread)
        .join(t.Message, on=(address.message == t.Message.id))
        .where(address.address == sender, address.thread.in_(wanted), address.role != "bcc", ~t.Message.internal)
    )
    note(spoken.distinct().tuples(), "named in the conversation")
    follower = t.Follower
    mine = follower.address == sender
    if cards:
        mine |= follower.contact.in_(cards)
    note(follower.select(follower.thread).where(mine, follower.thread.in_(wanted)).tuples(), "follower")
    keys = company_keys(cards)
    for table in (t.Case, t.Lead):
        note(table.select(table.thread).where(table.email == sender, table.thread.in_(wanted)).tuples(), "its e-mail")
        if not cards:
            continue
        partner = table.partner.in_(cards)
        if keys:
            partner |= t.Contact.company_key.in_(keys)
        rows = table.select(table.thread).join(t.Contact, JOIN.LEFT_OUTER, on=(table.partner == t.Contact.thread))
        note(rows.where(partner, table.thread.in_(wanted)).tuples(), "its partner, or of the same company")
    if cards:
        further = t.RecordContact
        named = further.select(further.thread).where(further.contact.in_(cards), further.thread.in_(wanted))
        note(named.tuples(), "one of its contacts")
    for card in cards:
        if card in wanted:
            found.setdefault(card, "the contact itself")
    return found


def participants(thread: int) -> frozenset[str]:
    """Every address that has taken part in a conversation, is the record's own, its partner's, or follows it."""
    address = t.MessageAddress
    spoken = address.select(address.address).join(t.Message, on=(address.message == t.Message.id))
    found = {one for (one,) in spoken.where(address.thread == thread, ~t.Message.internal).tuples()}
    return outsiders(thread) | (found - {""})


def outsiders(thread: int) -> frozenset[str]:
    """The addresses that are a record's own, its partner's, its further contacts', or follow it from outside."""
    card, follower = t.ContactAddress, t.Follower
    found: set[str] = set()
    cards = {thread}
    for row in follower.select().where(follower.thread == thread):
        found.add(row.address or "")
        cards.add(row.contact_id)
    for table in (t.Case, t.Lead):
        for row in table.select().where(table.thread == thread):
            found.add(row.email or "")
            cards.add(row.partner_id)
    further = t.RecordContact
    cards |= {one for (one,) in further.select(further.contact).where(further.thread == thread).tuples()}
    known = [one for one in cards if one is not None]
    found |= {one for (one,) in card.select(card.address).where(card.contact.in_(known)).tuples()}
    return frozenset(found - {""})


def company_keys(contacts: Iterable[int]) -> list[str]:
    """The companies of these contacts: set by hand, never derived from a domain."""
    rows = t.Contact.select(t.Contact.company_key).where(
        t.Contact.thread.in_(list(contacts)), t.Contact.company_key.is_null(False)
    )
    return [row.company_key for row in rows]


def aliases(addresses: Iterable[str]) -> dict[str, AliasFact]:
    rows = (
        t.Alias.select(t.Alias, t.Section)
        .join(t.Section, JOIN.LEFT_OUTER)
        .where(t.Alias.address.in_(list(addresses)), t.Alias.active)
    )
    return {
        row.address: AliasFact(
            row.id,
            row.address,
            row.kind,
            row.section.code if row.section_id else "",
            row.user_id,
            row.policy,
            row.on_reply,
            row.loop_limit,
            row.keep_original,
        )
        for row in rows
    }


def follows_kinds(sender: str, contacts: Iterable[int]) -> frozenset[str]:
    """The kinds of records that this sender follows, for aliases that let followers in."""
    if not sender:
        return frozenset()
    mine = (t.Follower.address == sender) | t.Follower.contact.in_(list(contacts))
    rows = t.Follower.select(t.Thread.kind).join(t.Thread).where(mine).distinct()
    return frozenset(row[0] for row in rows.tuples())


def section_names(wanted: str | None) -> dict[str, str]:
    """{what -s says: code} where there is such a section, by code or by number."""
    if wanted is None:
        return {}
    is_it = fn.LOWER(t.Section.code) == wanted.lower()
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18:
        is_it |= t.Section.id == int(wanted)
    row = t.Section.select(t.Section.code).where(is_it, t.Section.active).first()
    return {wanted: row.code} if row else {}


def new_records(sender: str, since: datetime, now: datetime) -> int:
    """How many records this sender made since then.  What a wrong clock dated into the future does not count."""
    made = t.Decision.select().where(
        t.Decision.sender == sender,
        t.Decision.at > since,
        t.Decision.at <= now,
        t.Decision.created,
        t.Decision.counted,
    )
    return int(made.count())


def letters(sender: str, since: datetime, now: datetime) -> int:
    """How many letters of this sender came since then."""
    came = t.Decision.select().where(
        t.Decision.sender == sender, t.Decision.at > since, t.Decision.at <= now, t.Decision.counted
    )
    return int(came.count())


def messages(sender: str, threads: Iterable[int], since: datetime, now: datetime) -> dict[int, int]:
    """Thread → how many messages this sender added to it since then."""
    wanted = list(threads)
    if not wanted:
        return {}
    rows = (
        t.Decision.select(t.Decision.thread, fn.COUNT(t.Decision.id))
        .where(
            t.Decision.sender == sender,
            t.Decision.at > since,
            t.Decision.at <= now,
            t.Decision.counted,
            t.Decision.outcome == "stored",
            t.Decision.thread.in_(wanted),
        )
        .group_by(t.Decision.thread)
    )
    return dict(rows.tuples())
