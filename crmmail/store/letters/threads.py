"""Asks the store, in one place, for all that bears on an incoming letter.

`known` takes `core.known.ask`'s question and answers with facts; the number of queries is bounded whatever the mail
says, and each goes by an index.  Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmmail.core.copies import BEFORE_ADDRESSES, COPIES
from crmmail.core.known import AliasFact, Known, Place, Question, Sent, Twin
from crmmail.core.typed import Any
from crmmail.store.engine import sql
from crmmail.store.people import directory

OTHER_TWINS = 20  # letters of other content under one Message-ID that are looked at: a broken mailer has thousands


def known(question: Question, now: datetime, *, counting: bool = True) -> Known:
    """The facts about one letter.

    Args:
        counting: False: how many came of this sender does not matter, and is not asked.
    """
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
    named = aliases({*question.addresses, *covered})
    counts_records = counting and (question.counts_records or any(one.loop_limit for one in named.values()))
    return Known(
        twins=copies,
        sent_before=was_sent(question.content_hash),
        parents=parents,
        internal_parents=internal_parents,
        threads=threads,
        redirects=redirects,
        takes_part={former.get(thread, thread): role for thread, role in reversed(parts.items())},
        aliases=named,
        users=directory.users_by_address(question.addresses),
        contacts=tuple(contacts),
        follows_kinds=follows_kinds(question.sender, contacts) if _for_followers(named) else frozenset(),
        sections=section_names(question.section),
        new_records=new_records(question.sender, since, now) if counts_records else 0,
        messages=messages(question.sender, threads, since, now) if counting and question.counts_messages else {},
        sent=sent,
    )


def was_sent(content_hash: str) -> bool:
    """Did a mail with this content leave from here?"""
    return sql.row("SELECT 1 FROM crm_delivery WHERE content_hash = ? LIMIT 1", content_hash) is not None


# --- the same letter before -----------------------------------------------------------------------------------------


def twins(question: Question) -> tuple[Twin, ...]:
    """Earlier mails with the same Message-ID, and what became of each."""
    found = sql.rows(
        "SELECT id, content_hash, from_address, size FROM crm_original WHERE message_id = ?"
        f" ORDER BY content_hash = ? DESC, id DESC LIMIT {OTHER_TWINS + 1}",
        question.message_id,
        question.content_hash,
    )
    same = [one for one in found if one[1] == question.content_hash]
    others = [one for one in found if one[1] != question.content_hash]
    return tuple(
        _twin(number, content == question.content_hash, sender, size)
        for number, content, sender, size in same + others[:OTHER_TWINS]
    )


def _twin(original: int, same_content: bool, from_address: str, size: int) -> Twin:
    decisions = sql.rows(
        "SELECT d.reason, d.recipient, d.created, d.quarantine_id, d.message_id, m.thread_id"
        " FROM crm_decision d LEFT JOIN crm_message m ON m.id = d.message_id WHERE d.original_id = ? ORDER BY d.id",
        original,
    )
    filed, covered, held, early, joined = [], set(), None, False, True
    for reason, recipient, created, quarantine, message, thread in decisions:
        if message is not None:
            filed.append(Place(thread, message, recipient or ""))
            # The whole of a cut letter joins what the cut one made: that is no answer.
            joined = joined and not (created or reason in COPIES)
        if recipient:
            covered.add(recipient)
        held = quarantine if held is None else held
        # Too many answers wait without an address, too many new letters with the one that they are for.
        early = early or reason in BEFORE_ADDRESSES or (reason == "loop" and not recipient)
    first = filed[0] if filed else None
    text = sql.row("SELECT subject, text FROM crm_message WHERE id = ?", first.message) if first else None
    files = sql.value("SELECT COUNT(*) FROM crm_attachment WHERE message_id = ?", first.message) if first else 0
    return Twin(
        original=original,
        same_content=same_content,
        from_address=from_address,
        size=size,
        subject=text[0] if text else "",
        text=text[1] if text else None,
        attachments=files,
        thread=first.thread if first else None,
        message=first.message if first else None,
        quarantine=None if first else held,
        reply=(joined and first is not None) or early,
        covered=frozenset(covered),
        filed=tuple(filed),
    )


# --- what it answers ------------------------------------------------------------------------------------------------


def parents_of(answered: Iterable[str]) -> tuple[dict[str, int], frozenset[str]]:
    """Message-ID → thread, of those that are stored, theirs and ours; and which of them are internal."""
    wanted = list(answered)
    if not wanted:
        return {}, frozenset()
    found = sql.rows(
        "SELECT message_id, thread_id, internal FROM crm_message"
        f" WHERE message_id IN ({sql.marks(len(wanted))}) ORDER BY id DESC",
        *wanted,
    )
    internal = frozenset(one for one, _, is_internal in found if is_internal)
    return {one: thread for one, thread, _ in found}, internal


def sent_mails(reported: Iterable[str]) -> dict[str, Sent]:
    """The mails of ours that a bounce speaks of, in its order; of an id may be told only what stands before the @."""
    found = {}
    select = "SELECT id, thread_id, address FROM crm_delivery WHERE"
    for one in reported:
        if one.endswith("@"):
            row = sql.row(
                f"{select} identifier > ? AND identifier < ? ORDER BY identifier LIMIT 1", one, one + "\U0010ffff"
            )
        else:
            row = sql.row(f"{select} identifier = ?", one)
        if row is not None:
            found[one] = Sent(*row)
    return found


def live_threads(numbers: Iterable[int]) -> tuple[frozenset[int], dict[int, int]]:
    """Which of these records exist, and for the merged and converted ones the record that they live on as."""
    live: set[int] = set()
    redirects: dict[int, int] = {}
    start = {number: {number} for number in numbers}  # where we stand → which numbers were asked for
    for _ in range(10):  # a chain of merges is short; a circle must not hang a delivery
        onward: dict[int, set[int]] = {}
        for some in sql.parts(start):
            text = f"SELECT id, moved_to_id FROM crm_thread WHERE id IN ({sql.marks(len(some))})"
            for number, moved_to in sql.rows(text, *some):
                if moved_to is None:
                    live.add(number)
                    redirects |= {asked: number for asked in start[number] if asked != number}
                else:
                    onward.setdefault(moved_to, set()).update(start[number])
        start = onward
        if not start:
            break
    return frozenset(live), redirects


def merged_into(threads: Iterable[int]) -> dict[int, int]:
    """The records that live on as one of these, each with the one that it lives on as."""
    found: dict[int, int] = {}
    start = {number: number for number in threads}
    for _ in range(10):  # as in `live_threads`
        if not start:
            break
        rows = sql.rows(
            f"SELECT id, moved_to_id FROM crm_thread WHERE moved_to_id IN ({sql.marks(len(start))})", *start
        )
        start = {number: start[moved_to] for number, moved_to in rows}
        found |= start
    return found


# --- who takes part -------------------------------------------------------------------------------------------------


def participation(sender: str, contacts: Iterable[int], threads: Iterable[int]) -> dict[int, str]:
    """Thread → as what the sender takes part in it: its e-mail, its partner or his colleague, one of its further
    contacts, an external follower, or somebody named in From, To or Cc of its messages (behaviour §2).  Never Reply-To
    or Resent-*; nor Bcc, whose answer has our own id."""
    wanted, cards = list(threads), list(contacts)
    if not sender or not wanted:
        return {}
    found: dict[int, str] = {}
    these, his = sql.marks(len(wanted)), sql.marks(len(cards))
    for role, text, *values in _ways_to_take_part(sender, cards, these, his):
        for (thread,) in sql.rows(text, *values, *wanted):
            found.setdefault(thread, role)
        if len(found) == len(wanted):
            break
    for card in cards:
        if card in wanted:
            found.setdefault(card, "the contact itself")
    return found


def _ways_to_take_part(sender: str, cards: Sequence[int], these: str, his: str) -> Iterator[tuple[Any, ...]]:
    """(role, SQL that finds the threads, its first values), the ordinary way first."""
    yield (
        "named in the conversation",
        "SELECT a.thread_id FROM crm_message_address a JOIN crm_message m ON m.id = a.message_id"
        f" WHERE a.address = ? AND a.role <> 'bcc' AND NOT m.internal AND a.thread_id IN ({these})",
        sender,
    )
    mine = f"(address = ? OR contact_id IN ({his}))" if cards else "address = ?"
    yield "follower", f"SELECT thread_id FROM crm_follower WHERE {mine} AND thread_id IN ({these})", sender, *cards
    keys = company_keys(cards)
    for table in ("crm_case", "crm_lead"):
        yield "its e-mail", f"SELECT thread_id FROM {table} WHERE email = ? AND thread_id IN ({these})", sender
        if not cards:
            continue
        colleague = f" OR c.company_key IN ({sql.marks(len(keys))})" if keys else ""
        yield (
            "its partner, or of the same company",
            f"SELECT r.thread_id FROM {table} r LEFT JOIN crm_contact c ON c.thread_id = r.partner_id"
            f" WHERE (r.partner_id IN ({his}){colleague}) AND r.thread_id IN ({these})",
            *cards,
            *keys,
        )
    if cards:
        yield (
            "one of its contacts",
            f"SELECT thread_id FROM crm_record_contact WHERE contact_id IN ({his}) AND thread_id IN ({these})",
            *cards,
        )


def participants(thread: int) -> frozenset[str]:
    """Every address that has taken part in a conversation, is the record's own, its partner's, or follows it."""
    spoken = sql.rows(
        "SELECT DISTINCT a.address FROM crm_message_address a JOIN crm_message m ON m.id = a.message_id"
        " WHERE a.thread_id = ? AND NOT m.internal",
        thread,
    )
    return outsiders(thread) | ({one for (one,) in spoken} - {""})


def outsiders(thread: int) -> frozenset[str]:
    """The addresses that are a record's own, its partner's, its further contacts', or follow it from outside."""
    rows = sql.rows(
        "SELECT address, contact_id FROM crm_follower WHERE thread_id = ?"
        " UNION SELECT email, partner_id FROM crm_case WHERE thread_id = ?"
        " UNION SELECT email, partner_id FROM crm_lead WHERE thread_id = ?"
        " UNION SELECT '', contact_id FROM crm_record_contact WHERE thread_id = ?",
        *[thread] * 4,
    )
    found = {address for address, _ in rows}
    for some in sql.parts({thread, *(card for _, card in rows if card is not None)}):
        text = f"SELECT address FROM crm_contact_address WHERE contact_id IN ({sql.marks(len(some))})"
        found |= {address for (address,) in sql.rows(text, *some)}
    return frozenset(found - {"", None})


def company_keys(contacts: Iterable[int]) -> list[str]:
    """The companies of these contacts: set by hand, never derived from a domain."""
    cards = list(contacts)
    if not cards:
        return []
    wanted = f"thread_id IN ({sql.marks(len(cards))}) AND company_key IS NOT NULL"
    return [key for (key,) in sql.rows(f"SELECT company_key FROM crm_contact WHERE {wanted}", *cards)]


# --- addresses of ours ----------------------------------------------------------------------------------------------


def aliases(addresses: Iterable[str]) -> dict[str, AliasFact]:
    """The aliases in use among these addresses."""
    wanted = list(addresses)
    rows = sql.rows(
        "SELECT a.id, a.address, a.kind, s.code, a.user_id, a.policy, a.on_reply, a.loop_limit, a.keep_original"
        " FROM crm_alias a LEFT JOIN crm_section s ON s.id = a.section_id"
        f" WHERE a.address IN ({sql.marks(len(wanted))}) AND a.active",
        *wanted,
    )
    return {
        address: AliasFact(number, address, kind, section or "", user, policy, on_reply, limit, bool(keep))
        for number, address, kind, section, user, policy, on_reply, limit, keep in rows
    }


def _for_followers(named: Mapping[str, AliasFact]) -> bool:
    """Is one of these aliases open to followers only?"""
    return any(alias.policy == "followers" for alias in named.values())


def follows_kinds(sender: str, contacts: Iterable[int]) -> frozenset[str]:
    """The kinds of records that this sender follows, for aliases that let followers in."""
    if not sender:
        return frozenset()
    cards = list(contacts)
    mine = f" OR f.contact_id IN ({sql.marks(len(cards))})" if cards else ""
    rows = sql.rows(
        f"SELECT DISTINCT h.kind FROM crm_follower f JOIN crm_thread h ON h.id = f.thread_id WHERE f.address = ?{mine}",
        sender,
        *cards,
    )
    return frozenset(kind for (kind,) in rows)


def section_names(wanted: str | None) -> dict[str, str]:
    """{what -s says: code} where there is such a section, by code or by number."""
    if wanted is None:
        return {}
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) <= 18
    code = sql.value(
        "SELECT code FROM crm_section WHERE (LOWER(code) = ? OR id = ?) AND active ORDER BY id LIMIT 1",
        wanted.lower(),
        int(wanted) if is_number else -1,
    )
    return {wanted: code} if code is not None else {}


# --- how much he wrote ----------------------------------------------------------------------------------------------

# What a wrong clock dated into the future does not count.
_LATELY = "FROM crm_decision WHERE sender = ? AND at > ? AND at <= ? AND counted"


def new_records(sender: str, since: datetime, now: datetime) -> int:
    """How many records this sender made since then."""
    return int(sql.value(f"SELECT COUNT(*) {_LATELY} AND created", sender, since, now))


def letters(sender: str, since: datetime, now: datetime) -> int:
    """How many letters of this sender came since then."""
    return int(sql.value(f"SELECT COUNT(*) {_LATELY}", sender, since, now))


def messages(sender: str, threads: Iterable[int], since: datetime, now: datetime) -> dict[int, int]:
    """Thread → how many messages this sender added to it since then."""
    wanted = list(threads)
    if not wanted:
        return {}
    rows = sql.rows(
        f"SELECT thread_id, COUNT(*) {_LATELY} AND outcome = 'stored'"
        f" AND thread_id IN ({sql.marks(len(wanted))}) GROUP BY thread_id",
        sender,
        since,
        now,
        *wanted,
    )
    return dict(rows)
