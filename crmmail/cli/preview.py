"""What a person reads of a letter before it leaves, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from crmmail.cli.keep import spelled
from crmmail.cli.line import Body, Line, Span, size
from crmmail.core.reply import Addressee
from crmmail.core.text import cells, mark_address, one_line
from crmmail.services import outbox
from crmmail.services.outbox import Delivery
from crmmail.services.preview import Hearer, Plan
from crmmail.store.records import Record

ROLES = {"to": "To", "cc": "Cc", "bcc": "Bcc"}


def outside(plan: Plan) -> int:
    """How many people who do not work here will read it."""
    return len(plan.outside) + sum(not one.internal for one in plan.hearers)


# --- before -------------------------------------------------------------------------------------------------


def lines(plan: Plan, reply_to: str) -> Iterator[Line]:
    """The header, who gets it and why, outside and inside apart, and the words."""
    if plan.internal:
        yield (Span("Note: ", "dim"), f"#{plan.record.id} {plan.record.title}")
    else:
        yield from _header(plan, reply_to)
    away: list[tuple[str, str, bool]] = []  # who, why, is he new here
    at_home: list[tuple[str, str, bool]] = []
    for one in plan.addressees:
        (at_home if one.user is not None else away).append((shown(one.address), _role(one), one.new))
    for other in plan.hearers:
        who = other.who if other.internal else shown(other.who)
        (at_home if other.internal else away).append((who, _hearing(other), False))
    for title, rows in (("Outside", away), ("Inside", at_home)):
        if rows:
            yield Span(f"{title}:", "title")
            width = max(cells(who) for who, _, _ in rows)
            for who, why, new in rows:
                room = " " * (width - cells(who) + 2)
                new_here = Span(", new here" if new else "", "waiting")
                yield ("  ", Span(who, "waiting" if new else ""), f"{room}{why}", new_here)
    if not (away or at_home):
        yield Span("Nobody is told.", "dim")
    for file in plan.files:
        yield f"Attached: {one_line(file.name)} ({file.type}, {size(len(file.data))})"
    if plan.then:
        yield f"Then: {plan.then}"
    for warning in plan.warnings:
        yield Span(f"! {warning}", "waiting")
    yield ""
    yield Body(plan.text or "(no words)", "", "    ")


def _header(plan: Plan, reply_to: str) -> Iterator[Line]:
    rows = [("From", _person(plan.sender.name, plan.sender.address))]
    for role, name in ROLES.items():
        people = [_person(one.name, one.address) for one in plan.addressees if one.role == role]
        rows += [(name, ", ".join(people))] if people else []
    rows += [("Reply-To", shown(reply_to))] if reply_to else []
    for name, words in [*rows, ("Subject", plan.subject)]:
        yield (Span(f"{name}: ", "dim"), words)


def _role(one: Addressee) -> str:
    return f"{ROLES[one.role]}, {one.why}"


def _hearing(one: Hearer) -> str:
    ways = {"inbox": "inbox", "mail": "mail", "both": "inbox and mail"}
    return f"{one.why}, {ways[one.by]}"


def _person(name: str, address: str) -> str:
    return spelled(name, shown(address))


def shown(address: str) -> str:
    return mark_address(address)


# --- afterwards ---------------------------------------------------------------------------------------------


def is_letter(copy: Delivery) -> bool:
    """Is it what was written, and not the notice of it that a colleague gets?"""
    return copy.purpose == "mail" or copy.user is None


def fate(this: Record, copy: Delivery, now: datetime, way_out: bool) -> Line:
    """`#101 Printer broken: sent to ann@customer.example`."""
    to = shown(copy.to)
    if copy.state == "sent":
        return f"#{this.id} {this.title}: sent to {to}"
    if copy.state != "queued":
        return f"#{this.id} {this.title}: not sent to {to}: {copy.reason or copy.state}"
    if not way_out:
        why = ["no mail server is set (crmmail config set smtp.url smtp://host:port)"]
    else:
        wait = [f"next try in {_in(copy.due - now)}"] if copy.due > now else []
        why = [*filter(None, (copy.reason.rstrip("."), outbox.advice(copy).rstrip("."))), *wait]
    waits = f"waits in the outbox{': ' if why else ''}{'; '.join(why)}"
    return (f"#{this.id} {this.title}: mail to {to} ", Span(waits, "waiting"))


def refusal(copy: Delivery) -> str:
    """`not sent to ann@customer.example: 550 5.1.1 no such user. Correct the address …`"""
    return f"not sent to {shown(copy.to)}: {copy.reason.rstrip('.') or copy.state}. {outbox.advice(copy)}".rstrip()


def told(plan: Plan) -> str:
    """Who hears of a note: `(agent, boss told)`."""
    names = [one.who for one in plan.hearers]
    return f"({', '.join(names)} told)" if names else "(nobody told)"


def _in(wait: timedelta) -> str:
    minutes = max(1, -(-int(wait.total_seconds()) // 60))
    return f"{minutes} min" if minutes < 60 else f"{round(minutes / 60)} h"
