"""Rows for the tests of `store`: whatever a case does not name is left at its plainest; each returns its number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crmmail.core.message import Address
from crmmail.store import tables as t
from crmmail.store.engine import blobs, sql
from crmmail.store.letters import mails, messages
from crmmail.store.people import directory, offices
from crmmail.store.work import records

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def user(login: str, *addresses: str, active: bool = True, **columns: Any) -> int:
    plain = {"name": login.title(), "admin": False, "notify": "inbox", "lang": "en", "os_login": None, "created": NOW}
    number = directory.add_user(login, **{**plain, **columns})
    for position, address in enumerate(addresses or (f"{login}@crm.example",)):
        directory.put_user_address(number, address, main=position == 0, virtual=address.endswith("@crm.example"))
    if not active:
        directory.change_user(number, active=False)
    return number


def section(code: str, **columns: Any) -> int:
    return offices.put_section(code, name=code.title(), **columns)


def case(title: str = "The printer burns", created: datetime = NOW, **columns: Any) -> int:
    return records.put_record("case", title, created, author=None, address="", **{"state": "open", **columns})


def lead(title: str = "An offer?", created: datetime = NOW, **columns: Any) -> int:
    return records.put_record("lead", title, created, author=None, address="", **{"state": "new", **columns})


def contact(name: str, *addresses: str, company: str = "", **columns: Any) -> int:
    if company:
        columns |= {"company": company, "company_key": company.lower()}
    number = records.put_record("contact", name, NOW, author=None, address="", **columns)
    for address in addresses:
        directory.add_contact_address(number, address)
    return number


def message(thread: int, sender: str = "", to: str = "", cc: str = "", **columns: Any) -> int:
    plain = {"kind": "email_in", "subtype": "discussion", "from_address": sender, "date": NOW, "received": NOW}
    with sql.transaction():
        number = messages.put_message(thread, **{**plain, **columns})
        for role, named in (("from", sender), ("to", to), ("cc", cc)):
            messages.put_addresses(number, thread, role, [Address("", one) for one in named.split()])
    return number


def original(
    message_id: str = "1@customer.example",
    content_hash: str = "c0ffee",
    *,
    raw: bytes = b"From: ann\n\nHelp!",
    **changes: Any,
) -> int:
    data = blobs.of(b"".join(mails.compressed([raw], len(raw))))
    plain = {"from_address": "ann@customer.example", "received": NOW, "size": len(raw), "data": data}
    there = mails.find_original(message_id, content_hash)
    return there or mails.put_original(message_id, content_hash, **{**plain, **changes})


def quarantined(reason: str = "no-route", **columns: Any) -> int:
    plain = {"original": original(), "reason": reason, "sentence": "because", "received": NOW}
    return int(t.Quarantine.create(**{**plain, **columns}).id)


def decision(original_number: int, at: datetime = NOW, **columns: Any) -> int:
    plain = {"outcome": "stored", "reason": "alias", "sentence": "because", "sender": "ann@customer.example"}
    return mails.put_decision(original_number, at, **{**plain, **columns})
