"""What a person reads of a letter before it leaves, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmmail.cli.keep import spelled
from crmmail.cli.line import Body, Line, Span, size
from crmmail.core.reply import Addressee
from crmmail.core.text import cells, mark_address, one_line
from crmmail.services.sending.advice import advice
from crmmail.services.sending.outbox import Delivery
from crmmail.services.sending.preview import Hearer, Plan
from crmmail.store.work.records import Record

ROLES = {"to": "To", "cc": "Cc", "bcc": "Bcc"}
WAYS = {"inbox": "inbox", "mail": "mail", "both": "inbox and mail"}
TITLE = 40  # cells of a record's title in a receipt, as in the inbox
# How warnings begin, or go on, that tell of a slip of the hand: undo brings no letter back, so a person is asked.
DOUBTS = ("the same words went to ", " came back before: ")


def outside(plan: Plan) -> int:
    """How many people who do not work here will read it."""
    return len(plan.outside) + sum(not one.internal for one in plan.hearers)


def doubts(plan: Plan) -> list[str]:
    """The warnings after which a person may not want to send it."""
    return [warning for warning in plan.warnings if any(words in warning for words in DOUBTS)]


def left_out(plan: Plan, everybody: Plan) -> str:
    """`not to paul@customer.example, who was in Cc (--all keeps them in)`; "" where all who stood in it stay in.

    Args:
        everybody: the same letter as `--all` would send it.
    """
    assert plan.answers is not None
    staying = {one.address for one in plan.addressees}
    out = [one.address for one in everybody.addressees if one.address not in staying]
    if not out:
        return ""
    places = [name for name, people in (("To", plan.answers.to), ("Cc", plan.answers.cc)) if set(out) & set(people)]
    who = ", ".join(shown(one) for one in out)
    return f"not to {who}, who {'was' if len(out) == 1 else 'were'} in {' and '.join(places)} (--all keeps them in)"


# --- before -------------------------------------------------------------------------------------------------


def lines(plan: Plan, reply_to: str, logins: Mapping[int, str]) -> Iterator[Line]:
    """The header, who gets it and why, outside and inside apart, and the words.

    Args:
        logins: user → login, for a colleague who is addressed and hears of it stands there once.
    """
    if plan.internal:
        yield (Span("Note: ", "dim"), f"#{plan.record.id} {plan.record.title}")
    else:
        yield from _header(plan, reply_to)
    away: list[tuple[str, str, bool]] = []  # who, why, is he new here
    at_home: list[tuple[str, str, bool]] = []
    hearing = {one.who: one for one in plan.hearers if one.internal and one.why == "addressed"}
    for one in plan.addressees:
        heard = hearing.pop(logins.get(one.user, ""), None) if one.user is not None else None
        why = f"{_role(one)}, {WAYS[heard.by]}" if heard else _role(one)
        (at_home if one.user is not None else away).append((shown(one.address), why, one.new))
    for other in plan.hearers:
        if other.why == "addressed" and other.who not in hearing:
            continue
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
    return f"{one.why}, {WAYS[one.by]}"


def _person(name: str, address: str) -> str:
    return spelled(name, shown(address))


def shown(address: str) -> str:
    return mark_address(address)


# --- afterwards ---------------------------------------------------------------------------------------------


def is_letter(copy: Delivery) -> bool:
    """Is it what was written, and not the notice of it that a colleague gets?"""
    return copy.purpose == "mail" or copy.user is None


def fates(this: Record, copies: Sequence[Delivery], now: datetime, way_out: bool) -> Iterator[Line]:
    """What became of a letter: a line for all whom it reached, three for those of one trouble.

    #101 Printer broken: sent to 2: ann@customer.example, bob@customer.example
    #101 Printer broken: mail to cy@customer.example waits in the outbox: next try in 5 min
      451 4.7.1 Greylisted
      The server will take it later. …
    """
    subject = f"#{this.id} {one_line(this.title, TITLE)}"
    sent = [shown(copy.to) for copy in copies if copy.state == "sent"]
    if sent:
        yield f"{subject}: sent to {f'{len(sent)}: ' if len(sent) > 1 else ''}{', '.join(sent)}"
    waiting: dict[tuple[str, ...], list[Delivery]] = {}
    for copy in copies:
        if copy.state == "queued":
            waiting.setdefault(_trouble(copy, now, way_out), []).append(copy)
        elif copy.state != "sent":
            yield f"{subject}: not sent to {shown(copy.to)}: {copy.reason or copy.state}"
    for (why, words, _), alike in waiting.items():
        waits = f"waits in the outbox{f': {why}' if why else ''}"
        yield (f"{subject}: mail to {', '.join(shown(copy.to) for copy in alike)} ", Span(waits, "waiting"))
        numbers = " ".join(str(copy.id) for copy in alike)
        said = advice(alike[0]).replace(f"outbox retry {alike[0].id}`", f"outbox retry {numbers}`")
        yield from (f"  {line}" for line in (words, said) if line)


def _trouble(copy: Delivery, now: datetime, way_out: bool) -> tuple[str, str, str]:
    """Why it waits: until when, what the server said, the kind of failure."""
    if not way_out:
        return "no mail server is set", "crmmail config set smtp.url smtp://host:port", ""
    due = f"next try in {_in(copy.due - now)}" if copy.due > now else ""
    return due, copy.reason, copy.failure


def refusal(copy: Delivery) -> str:
    """`not sent to ann@customer.example: 550 5.1.1 no such user. Correct the address …`"""
    return f"not sent to {shown(copy.to)}: {copy.reason.rstrip('.') or copy.state}. {advice(copy)}".rstrip()


def told(plan: Plan) -> str:
    """Who hears of a note: `(agent, boss told)`."""
    names = [one.who for one in plan.hearers]
    return f"({', '.join(names)} told)" if names else "(nobody told)"


def _in(wait: timedelta) -> str:
    minutes = max(1, -(-int(wait.total_seconds()) // 60))
    return f"{minutes} min" if minutes < 60 else f"{round(minutes / 60)} h"
