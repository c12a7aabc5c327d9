"""Finding records: by a query, by an address, by what they are related to; and how many there are.

`records` reads one; here are the many.  First the numbers of those that fit are found, in their order, by the indexes
of their kind's table; then the records are read by their keys, a part at a time.  A delivery needs none of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from crmmail.core.query import Query
from crmmail.core.record import KINDS
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment
from crmmail.store.work import records as r
from crmmail.store.work.records import Record, record

FINISHED = tuple(state for kind in KINDS.values() for state in kind.done)
UNFINISHED = tuple(state for kind in KINDS.values() for state in kind.states if state not in kind.done)


class Condition(NamedTuple):
    """A part of a WHERE: SQL, and a value for each `?` in it."""

    text: str
    values: tuple[Any, ...] = ()


class Columns(NamedTuple):
    """What a kind of record has to be found by, as SQL; "" where it has no such thing."""

    state: str = ""
    section: str = ""
    category: str = ""
    partner_category: str = ""
    responsible: str = ""
    priority: str = ""
    partner: str = ""
    partner_name: str = ""
    email: str = ""
    deadline: str = ""
    company: str = ""


_OWN_ADDRESS = """(SELECT a.address FROM crm_contact_address a
    WHERE a.id = (SELECT MIN(f.id) FROM crm_contact_address f WHERE f.contact_id = h.id))"""
# The row of a record in the table of its kind is r; its thread is h.
_LEAD = Columns(
    state="r.state",
    section="r.section_id",
    responsible="r.responsible_id",
    priority="r.priority",
    partner="r.partner_id",
    partner_name="r.partner_name",
    email="r.email",
)
COLUMNS = {
    "case": _LEAD._replace(category="r.category_id", deadline="r.deadline"),
    "lead": _LEAD,
    "contact": Columns(partner_category="r.category_id", email=_OWN_ADDRESS, company="r.company"),
}
# The same of a record of any kind whose thread is h, beside what was asked for first: a message, an item.
OF_ANY = Columns(
    state="COALESCE(c.state, l.state)",
    section="COALESCE(c.section_id, l.section_id)",
    category="c.category_id",
    partner_category="k.category_id",
    responsible="COALESCE(c.responsible_id, l.responsible_id)",
    priority="COALESCE(c.priority, l.priority)",
    partner="COALESCE(c.partner_id, l.partner_id)",
    partner_name="COALESCE(c.partner_name, l.partner_name)",
    deadline="c.deadline",
)
CASE_OR_LEAD = """
    LEFT JOIN crm_case c ON c.thread_id = h.id
    LEFT JOIN crm_lead l ON l.thread_id = h.id"""
CARD_AND_PARTNER = """
    LEFT JOIN crm_contact k ON k.thread_id = h.id
    LEFT JOIN crm_thread p ON p.id = COALESCE(c.partner_id, l.partner_id)"""


def has(column: str, words: str) -> Condition:
    """That a text has these words, in any letter case of any alphabet.  INSTR, because LIKE refuses a long pattern."""
    return Condition(f"INSTR(CASEFOLD({column}), ?) > 0", (words.casefold(),))


def same(column: str, words: str) -> Condition:
    """That a text is these words, in any letter case."""
    return Condition(f"CASEFOLD({column}) = ?", (words.casefold(),))


def any_has(columns: Iterable[str], words: str) -> Condition:
    """That one of these texts has the words; an empty column is none."""
    return either(has(one, words) for one in columns if one)


def either(conditions: Iterable[Condition]) -> Condition:
    """That one of these holds."""
    found = list(conditions)
    text = " OR ".join(one.text for one in found)
    return Condition(f"({text})" if found else "1 = 0", tuple(value for one in found for value in one.values))


def every(conditions: Iterable[Condition]) -> Condition:
    """That all of these hold."""
    found = list(conditions)
    return Condition(
        " AND ".join(one.text for one in found) or "1 = 1", tuple(value for one in found for value in one.values)
    )


def one_of(column: str, values: Sequence[Any]) -> Condition:
    """That a column has one of these values; never where there is no such column."""
    if not column or not values:
        return Condition("1 = 0")
    return Condition(f"{column} IN ({sql.marks(len(values))})", tuple(values))


# --- by a query ---------------------------------------------------------------------------------------------


def numbers(
    kind: str | None = None,
    query: Query = Query(),  # noqa: B008 (a NamedTuple cannot change)
    *,
    user: int | None = None,
    now: datetime | None = None,
    sections: Sequence[str] | None = None,
    limit: int | None = None,
    before: int | None = None,
) -> list[int]:
    """The numbers of the records that fit, newest activity first.

    Args:
        limit: the newest so many.
        before: of those that come after this record in the list.

    Raises:
        NotFound: there is no record `before`.
    """
    older = []
    if before is not None:
        last = sql.row("SELECT updated FROM crm_thread WHERE id = ?", before)
        if last is None:
            raise NotFound(f"there is no record {before}")
        older = [Condition("(h.updated, h.id) < (?, ?)", (moment(last[0]), before))]
    found: list[tuple[str, int]] = []
    for name in [kind] if kind else KINDS:
        fits = fitting(name, query, user=user, now=now, sections=sections, more=older)
        cut, most = sql.cut(limit)
        order = f"ORDER BY h.updated DESC, h.id DESC {cut}"
        found += sql.rows(f"SELECT h.updated, h.id {fits.text} {order}", *fits.values, *most)
    if not kind:
        found.sort(reverse=True)
    return [number for _, number in found[:limit]]


def fitting(
    kind: str,
    query: Query,
    *,
    user: int | None = None,
    now: datetime | None = None,
    sections: Sequence[str] | None = None,
    more: Sequence[Condition] = (),
) -> Condition:
    """The records of a kind that fit, as FROM and WHERE over h and r: `list` shows them, `stats` counts.

    What is unfinished, somebody's or a partner's is found by the indexes of the kind's table, and sorted then; all else
    is read in the order of the list, so that a screenful of it costs no more than that.

    Args:
        user: whose are `mine`.
        now: against which `late` is measured.
        sections: only records of these sections (codes).
        more: what else must hold.
    """
    columns = COLUMNS[kind]
    found = [Condition("h.kind = ?", (kind,)), *conditions(query, columns, user, now), *more]
    if sections is not None:
        found.append(_in_sections(columns, sections))
    texts = ("h.title", columns.email, "p.title" if columns.partner else "", columns.partner_name, columns.company)
    found += [any_has(texts, word) for word in query.words]
    if query.sender:
        found.append(any_has((columns.email, "p.title" if columns.partner else "", columns.partner_name), query.sender))
    if query.after:
        found.append(Condition("h.updated >= ?", (query.after,)))
    if query.before:
        found.append(Condition("h.updated < ?", (query.before,)))
    if query.has_attachment:
        carrying = "SELECT 1 FROM crm_message m JOIN crm_attachment a ON a.message_id = m.id WHERE m.thread_id = h.id"
        found.append(Condition(f"EXISTS ({carrying})"))
    tables = ["crm_thread h", f"crm_{kind} r"]
    if _is_selective(query):
        tables.reverse()
    partner = f"LEFT JOIN crm_thread p ON p.id = {columns.partner}" if columns.partner else ""
    held = every(found)
    return Condition(
        f"FROM {' CROSS JOIN '.join(tables)} {partner} WHERE r.thread_id = h.id AND {held.text}", held.values
    )


def _is_selective(query: Query) -> bool:
    """Does it name what only a small part of all records is?"""
    one_partner = query.partner.removeprefix("#").isdigit()
    working = bool(query.states) and set(query.states) <= set(UNFINISHED)
    few = query.mine or query.unassigned or query.unfinished or query.late or query.today or query.responsible
    return bool(few or working or one_partner)


def conditions(query: Query, columns: Columns, user: int | None, now: datetime | None) -> list[Condition]:
    """The parts of a query that are about the record; `columns` are what to call these things there."""
    found: list[Condition] = []
    state, responsible, deadline = columns.state, columns.responsible, columns.deadline
    open_still = one_of(state, UNFINISHED)
    if query.kind:
        found.append(Condition("h.kind = ?", (query.kind.rstrip("s"),)))
    if query.states:
        found.append(one_of(state, query.states))
    if query.sections:
        found.append(_in_sections(columns, query.sections))
    if query.responsible:
        found.append(_among(responsible, "crm_user", Condition("LOWER(x.login) = ?", (query.responsible,))))
    if query.category:
        named = has("x.name", query.category)
        of_cases = _among(columns.category, "crm_category", named)
        found.append(either([of_cases, _among(columns.partner_category, "crm_partner_category", named)]))
    if query.partner:
        found.append(_has_partner(query.partner, columns))
    if query.priorities:
        wanted = Condition(f"{columns.priority} BETWEEN ? AND ?", tuple(query.priorities))
        found.append(wanted if columns.priority else Condition("1 = 0"))
    if query.mine:
        found.append(one_of(responsible, (user,)))
    if query.unassigned:
        found += [Condition(f"{responsible} IS NULL" if responsible else "1 = 0"), open_still]
    if query.unfinished:
        found.append(open_still)
    if query.closed:
        found.append(one_of(state, FINISHED))
    if query.late and now is not None:
        found += [Condition(f"{deadline} < ?", (now,)) if deadline else Condition("1 = 0"), open_still]
    if query.today:
        due = Condition(f"{deadline} >= ? AND {deadline} < ?", tuple(query.today))
        found += [due if deadline else Condition("1 = 0"), open_still]
    return found


def _in_sections(columns: Columns, codes: Sequence[str]) -> Condition:
    return _among(columns.section, "crm_section", one_of("x.code", codes))


def _among(column: str, table: str, condition: Condition) -> Condition:
    """That a column names a row x of a small table of which this holds."""
    if not column:
        return Condition("1 = 0")
    return Condition(f"{column} IN (SELECT x.id FROM {table} x WHERE {condition.text})", condition.values)


def _has_partner(words: str, columns: Columns) -> Condition:
    """The contact with that number; or whose name, or what a letter gave as the customer's, has these words."""
    number = words.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) <= 18:
        return one_of(columns.partner, (int(number),))
    return any_has(("p.title" if columns.partner else "", columns.partner_name), words)


# --- by other things ----------------------------------------------------------------------------------------


def titles(prefix: str, limit: int = 50) -> list[tuple[int, str]]:
    """(number, title) of records whose number begins so, newest activity first: for completion.

    Where more begin so, they are the `limit` newest records of each length of number: a look at all would take as long
    as there are records.
    """
    if prefix and not (prefix.isascii() and prefix.isdigit()):
        return []
    if not prefix:
        newest = numbers(limit=limit)
    else:
        # 31 begins 31, 310 to 319, 3100 to 3199 …: of each span the newest.
        most, first, last, newest = sql.value("SELECT MAX(id) FROM crm_thread") or 0, int(prefix), int(prefix), []
        while 0 < first <= most:
            span = "SELECT id FROM crm_thread WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
            newest += [one for (one,) in sql.rows(span, first, last, limit)]
            first, last = first * 10, last * 10 + 9
    found = []
    for some in sql.parts(newest):
        found += sql.rows(f"SELECT updated, id, title FROM crm_thread WHERE id IN ({sql.marks(len(some))})", *some)
    found.sort(key=lambda row: (row[0], -row[1]), reverse=True)
    return [(number, title) for _, number, title in found[:limit]]


def with_address(address: str) -> list[Record]:
    """Every record that has this address as its own or its partner's (F10)."""
    cards = "SELECT contact_id FROM crm_contact_address WHERE address = ?"
    found = {one for (one,) in sql.rows(cards, address)}
    for table in ("crm_case", "crm_lead"):
        for condition in ("email = ?", f"partner_id IN ({cards})"):
            found |= {one for (one,) in sql.rows(f"SELECT thread_id FROM {table} WHERE {condition}", address)}
    return list(r.listed(sorted(found)))


class Related(NamedTuple):
    """A record that another one leads to."""

    id: int
    kind: str
    title: str


def related(number: int) -> list[Related]:
    """The partner of a record, the records that a contact takes part in, and what was merged into it (F13)."""
    this = record(number)
    partner = this.partner.id if this.partner else number if this.kind == "contact" else None
    found = {partner} | {one for (one,) in sql.rows("SELECT id FROM crm_thread WHERE moved_to_id = ?", number)}
    found |= {one for (one,) in sql.rows("SELECT thread_id FROM crm_record_contact WHERE contact_id = ?", number)}
    if partner is not None:
        for table in ("crm_case", "crm_lead"):
            found |= {one for (one,) in sql.rows(f"SELECT thread_id FROM {table} WHERE partner_id = ?", partner)}
    return list(_related(sorted(one for one in found - {number} if one is not None)))


def _related(wanted: list[int]) -> Iterator[Related]:
    for some in sql.parts(wanted):
        rows = sql.rows(f"SELECT id, kind, title FROM crm_thread WHERE id IN ({sql.marks(len(some))})", *some)
        yield from sorted(Related(*row) for row in rows)


def counts(user: int, now: datetime, tonight: datetime) -> dict[str, int]:
    """How many records are mine and unfinished, unassigned, late, due before tonight: for the summary.

    The indexes alone know.  What was merged into another record is finished, so its thread need not be asked.
    """
    found = dict.fromkeys(("mine", "unassigned", "late", "today"), 0)
    for name in ("case", "lead"):
        wanted = {
            "mine": Condition("r.responsible_id = ?", (user,)),
            "unassigned": Condition("r.responsible_id IS NULL"),
        }
        if COLUMNS[name].deadline:
            wanted["late"] = Condition("r.deadline < ?", (now,))
            wanted["today"] = Condition("r.deadline >= ? AND r.deadline < ?", (now, tonight))
        for key, condition in wanted.items():
            holds = every([one_of("r.state", UNFINISHED), condition])
            found[key] += int(sql.value(f"SELECT COUNT(*) FROM crm_{name} r WHERE {holds.text}", *holds.values))
    return found
