"""Fields of records as people write them: `priority=high`, `responsible=bob`, `deadline="tomorrow 9:00"`.

`columns` turns one into what the store keeps; `change` sets several, as one act with one system message (F73).
"""

from __future__ import annotations

from collections.abc import Iterable

from crmmail.core import address as addresses
from crmmail.core import record
from crmmail.core.section import Section
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound, Refused, UsageError
from crmmail.services.shared import sla
from crmmail.store.history import undoable
from crmmail.store.history.undoable import Change
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, local_zone


class Detail(NamedTuple):
    """One change of a tracked field, in words."""

    field: str
    old: str
    new: str


# Which subtype a change is announced as: the first field of this list that changed decides, else it is "state".
SUBTYPE_OF = (("state", "state"), ("responsible", "assigned"), ("section", "section"))


def split(assignments: Iterable[str]) -> dict[str, str]:
    """`["priority=high", "title=A b"]` → a dict; what has no `=` is refused."""
    found = {}
    for one in assignments:
        field, equals, value = one.partition("=")
        if not equals or not field.strip():
            raise UsageError(f"{one!r} is no field=value")
        found[field.strip().lower()] = value.strip()
    return found


def columns(
    workspace: Workspace, kind: str, section: str, field: str, value: str, *, present: str = ""
) -> dict[str, Any]:
    """The columns that `field=value` sets on a record of this kind; an empty value clears the field.

    Args:
        section: code of the record's section, where its categories are looked up.
        present: code of the section that the record is in already, and may stay in although it is retired.

    Raises:
        UsageError: the kind has no such field, or the value is none for it.
        Refused: the section is retired.
        NotFound: the user, section, category or contact is not there.
    """
    if field not in record.FIELDS[kind]:
        raise UsageError(f"a {kind} has no field {field!r}; it has {', '.join(record.FIELDS[kind])}")
    if field == "title":
        from crmmail.core.text import one_line  # which a delivery has no use for

        title = one_line(value)
        if not title:
            raise UsageError("a title cannot be empty")
        return {"title": title}
    if field == "priority":
        return {"priority": record.priority(value or "normal")}
    if field == "responsible":
        return {"responsible": active_user(value).id if value else None, "assigned": workspace.now() if value else None}
    if field == "section":
        return {"section": section_in_use(value, present).id if value else None}
    if field == "category":
        return {"category": _category(kind, section, value) if value else None}
    if field == "partner":
        return {"partner": directory.contact(_number(value, "a contact's number")).id if value else None}
    if field == "contacts":
        wanted = [_number(one, "a contact's number") for one in value.replace(",", " ").split()]
        return {"contacts": [directory.contact(one).id for one in dict.fromkeys(wanted)]}
    if field == "email":
        return {"email": address(value) if value else None}
    if field == "deadline":
        return {"deadline": moment(workspace, value, end_of_day=True) if value else None}
    if field == "company":
        return {"company": value or None, "company_key": value.casefold() or None}
    if field == "lang":
        return {"lang": value.lower() or None}
    return {field: amount(field, value) if value else None}


def active_user(login: str) -> directory.User:
    found = directory.user(login)
    if not found.active:
        raise NotFound(f"{found.login} does not work here any more (crmmail users set {found.login} --active)")
    return found


def address(words: str) -> str:
    """The one spelling of an address that a person typed."""
    found = addresses.canonical(words)
    if not found:
        raise UsageError(f"{words!r} is no e-mail address")
    return found


def moment(workspace: Workspace, words: str, *, end_of_day: bool = False) -> Any:
    """A date in words, in the local time zone.

    Args:
        end_of_day: something must be done by then, so a day without a time is all of that day.
    """
    from crmmail.core import when  # its tables of words cost time that a delivery has no use for

    slash = {"day": True, "month": False}.get(workspace.config.dates_slash)
    try:
        here = workspace.now().astimezone(local_zone(workspace.environ))
        return when.parse(words, here, day_first_slash=slash, end_of_day=end_of_day)
    except ValueError as error:
        raise UsageError(str(error)) from None


def apply(workspace: Workspace, this: Record, changes: dict[str, Any]) -> tuple[list[Change], list[Detail]]:
    """Writes columns of a record, and makes a new responsible its follower; the changes, and them in words.

    A record without a deadline gets the one that it is promised with its new section, partner or priority.
    """
    now, changes = workspace.now(), {**changes, **sla.fill(workspace, this, changes)}
    if changes.get("responsible") is not None and _login(changes["responsible"]) == this.responsible:
        changes.pop("assigned", None)  # he has had it since then: nothing to say, and nothing to tell anybody
    this = this._replace(contacts=records.contacts_of(this.id))  # a listing does not tell them
    done = _apply_contacts(this, changes.pop("contacts")) if "contacts" in changes else []
    done += undoable.update_record(this.id, this.kind, **changes)
    if not done:
        return [], []
    if changes.get("responsible") is not None:
        follower = followers.put_follower(this.id, now, user=changes["responsible"])
        done += [undoable.was_made("follower", follower)] if follower else []
    records.change(this.id, this.kind, updated=now)
    after = records.record(this.id)
    return done, [
        Detail(field, shown(this, field), shown(after, field))
        for field in ("state", *record.FIELDS[this.kind])
        if shown(this, field) != shown(after, field)
    ]


def _login(user: int) -> str:
    return directory.user_by_id(user).login


def _apply_contacts(this: Record, wanted: list[int]) -> list[Change]:
    """These contacts and no others beside the partner."""
    done = []
    for one in this.contacts:
        row = records.contact_row(this.id, one.id)
        if one.id not in wanted and row is not None:
            done += undoable.delete("record_contact", row)
    for contact in wanted:
        if contact not in {one.id for one in this.contacts}:
            done += undoable.insert("record_contact", thread=this.id, contact=contact)
    return done


def closing(workspace: Workspace, kind: str, state: str) -> dict[str, Any]:
    """The moment of closing goes with the state."""
    return {"closed": workspace.now() if state in record.KINDS[kind].done else None}


def shown(this: Record, field: str) -> str:
    """A field of a record as a person reads it; "" where it is empty."""
    value = getattr(this, field)
    if value is None or value == "":
        return ""
    if field == "priority":
        return record.priority_name(value)
    if field == "partner":
        return f"{value.name} (#{value.id})"
    if field == "contacts":
        return ", ".join(f"{one.name} (#{one.id})" for one in value)
    if field == "deadline":
        return f"{value.astimezone():%Y-%m-%d %H:%M %Z}"
    if isinstance(value, float):
        from crmmail.core import amount as amounts

        return amounts.written(value)
    return str(value)


def sentence(details: Iterable[Detail]) -> str:
    """`state: open → done, priority: normal → high`."""
    return ", ".join(f"{one.field}: {one.old or 'none'} → {one.new or 'none'}" for one in details)


def section_in_use(code: str, present: str = "") -> Section:
    """The section with that code, where records may be put; where one is `present`ly it may stay.

    Raises:
        Refused: it is retired.
    """
    found = offices.section(code)
    if not found.active and found.code != present:
        raise Refused(f"section {found.code} is retired: `crmmail sections` lists those in use")
    return found


def _category(kind: str, section: str, value: str) -> int:
    if kind == "contact":
        return directory.partner_category(value)
    if not section:
        raise UsageError(f"the record has no section, so it can have no category {value!r}: set its section first")
    known = offices.categories(offices.section(section).id)
    for one in known:
        if one.name.lower() == value.lower() and one.active:
            return one.id
    names = ", ".join(one.name for one in known if one.active)
    raise NotFound(f"section {section} has no category {value!r}; it has {names or 'none (crmmail categories add)'}")


def _number(value: str, what: str) -> int:
    digits = value.lstrip("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise UsageError(f"{value!r} is not {what}")
    return int(digits)


def amount(field: str, value: str) -> float:
    """The number that a person typed for a field; a probability is a percentage."""
    from crmmail.core import amount as amounts  # its patterns cost time that a delivery has no use for

    try:
        number = amounts.parse(value.removesuffix("%") if field == "probability" else value)
    except ValueError as error:
        raise UsageError(f"{field}: {error}") from None
    if field == "probability" and not 0 <= number <= 100:
        raise UsageError("a probability is a percentage from 0 to 100")
    return number
