"""Carries out what `core.plan` decided: fields, followers, mails, activities, hooks, and a line in the ledger.

The plan is made with the record as it is, inside the act's transaction, and each rule does its part in a savepoint.
Where one cannot do what it should, its savepoint is taken back and everything is planned again without it: what comes
out is what would have come out had the rule not been there.  It stands in the ledger with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from crmmail.core import rulebook, section
from crmmail.core.delay import after
from crmmail.core.plan import Firing, Plan, plan, plan_dated, sentence
from crmmail.core.rule import Event, Facts, Letter, Rule, World, rests
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError, UsageError
from crmmail.services.hearing import follow
from crmmail.services.hearing.tell import News, system_message
from crmmail.services.shared import fields, leave
from crmmail.services.shared.fields import Detail
from crmmail.store.automatic import rules
from crmmail.store.automatic.rules import Kept
from crmmail.store.history import undoable
from crmmail.store.history.undoable import Change
from crmmail.store.letters import messages, outbox
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import due, records, workload
from crmmail.workspace import Workspace


class Done(NamedTuple):
    """What rules did to a record."""

    plan: Plan
    said: list[tuple[Firing, str]]  # each firing, and in words what came of it
    changes: list[Change]
    failed: list[tuple[Rule, str]]  # rules that could not do what they should, and why

    @property
    def lines(self) -> list[str]:
        """What each rule did: `Holiday: responsible bob`."""
        return [f"{firing.rule.name}: {words}" for firing, words in self.said]


class _Acted(NamedTuple):
    """What came of one firing."""

    words: str
    changes: list[Change]
    news: News


class _Failed(Exception):
    """Rolls a firing back; its words are the reason."""


class _Otherwise(Exception):
    """Without a rule that failed, others would have done otherwise before it: rolls everything back."""


# --- what rules are asked -----------------------------------------------------------------------------------


def on_event(
    workspace: Workspace,
    number: int,
    kept: Sequence[Kept],
    before: str,
    changed: Collection[str],
    letter: tuple[str, str] | None,
    escalated: bool,
    news: News,
) -> Done:
    """What the rules do about something that happened; arguments as `rules.react` has them."""
    book = read(kept)
    facts = facts_of(number, book if letter is None else ())
    said = Letter(*letter, first=facts.partner_wrote is None) if letter is not None else None
    event = Event(before, facts.state, frozenset(changed), said, escalated)
    around = _steady(world(workspace))
    return carry_out(
        workspace,
        number,
        lambda without: plan([one for one in book if one.id not in without], event, facts, around),
        news,
    )


def on_date(
    workspace: Workspace,
    number: int,
    book: Sequence[Rule],
    around: World,
    news: News,
    at: datetime | None = None,
) -> Done:
    """What dated rules do to a record, each once for a base date; not what failed on it lately.

    Args:
        at: decide as if it were that moment; None: now.  What is done is done now.
    """
    moment = at or workspace.now()
    facts = facts_of(number, book)
    fired = settled(number, book, workspace.now())
    around = _steady(around)
    return carry_out(
        workspace,
        number,
        lambda without: plan_dated([one for one in book if one.id not in without], facts, around, moment, fired),
        news,
    )


def settled(number: int, book: Iterable[Rule], now: datetime) -> set[tuple[int, datetime]]:
    """(rule, base date) of what dated rules need not try on a record: they did it, or failed lately and were not
    changed since."""
    known = {one.id: one for one in book}
    return {
        (row.rule, row.base)
        for row in rules.firings(record=number)
        if row.base is not None
        and row.rule in known
        and (not row.failed or (row.at >= row.changed and rests(known[row.rule], row.base, row.at, now)))
    }


def read(kept: Iterable[Kept]) -> list[Rule]:
    """Rules as they are kept, as `core.rule` has them; one that cannot be understood any more does nothing (`lint`)."""
    book = []
    for one in kept:
        try:
            book.append(understood(one))
        except UsageError:
            continue
    return book


def understood(kept: Kept) -> Rule:
    """A rule as it is kept, as `core.rule` has it.

    Raises:
        UsageError: it cannot be understood any more, whatever somebody wrote into the store.
    """
    mend = f"write it again with crmmail rules edit {kept.name!r}, or remove it"
    if kept.broken:
        raise UsageError(f"rule {kept.name!r}: what the store has of it is no JSON table: {mend}")
    try:
        found = rulebook.read(kept.name, kept.spec, number=kept.id)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"rule {kept.name!r} cannot be read ({type(error).__name__}: {error}): {mend}") from error
    return found._replace(sequence=kept.sequence, active=kept.active)


def facts_of(number: int, book: Iterable[Rule] = ()) -> Facts:
    """A record as rules see it.

    Args:
        book: the rules that will be asked; the last letter is read only where one of them looks for words.
    """
    facts = due.facts(number)
    if any(one.contains or one.lacks for one in book):
        letter = messages.last_letter(number)
        facts = facts._replace(words=f"{letter.subject}\n{letter.text}" if letter else "")
    return facts


def world(workspace: Workspace, at: datetime | None = None) -> World:
    """What else rules must know of the shop, now or at another moment."""
    known = offices.sections()
    numbers = {one.code: one.id for one in known}
    users = {one.id: one for one in directory.users()}
    present = {one.login for one in users.values() if one.active}
    away = leave.away(workspace, at)

    def choose(policy: str, code: str) -> str:
        if code not in numbers:
            return ""
        candidates = [one for one in workload.candidates(numbers[code]) if users[one.user].login not in away]
        chosen = section.choose(policy, None, candidates)
        return users[chosen].login if chosen is not None else ""

    return World(
        parents={one.code: one.parent for one in known if one.parent},
        managers={one.code: one.manager for one in known if one.manager in present},
        away=away,
        choose=choose,
    )


def _steady(around: World) -> World:
    """The same, but whom it chose for a section it chooses again: a plan that is made anew finds what it found."""
    chosen: dict[tuple[str, str], str] = {}

    def choose(policy: str, code: str) -> str:
        if (policy, code) not in chosen:
            chosen[policy, code] = around.choose(policy, code)
        return chosen[policy, code]

    return around._replace(choose=choose)


# --- doing it -----------------------------------------------------------------------------------------------


def carry_out(workspace: Workspace, number: int, planned: Callable[[Collection[int]], Plan], news: News) -> Done:
    """Makes a plan and does it; without the rules that fail.

    Args:
        planned: makes the plan without the rules of these numbers.
        news: gets the messages that people shall be told of.
    """
    failed: dict[int, tuple[Firing, str]] = {}
    while True:
        try:
            with workspace.store.transaction():
                this, acted = _in_turn(workspace, number, planned, failed)
        except _Otherwise:
            continue
        break
    for firing, reason in failed.values():
        rules.put_firing(firing.rule.id, number, workspace.now(), sentence(firing), base=firing.base, failed=reason)
    news += [one for done in acted for one in done.news]
    return Done(
        this,
        [(firing, done.words) for firing, done in zip(this.firings, acted, strict=True)],
        [one for done in acted for one in done.changes],
        [(firing.rule, reason) for firing, reason in failed.values()],
    )


def _in_turn(
    workspace: Workspace,
    number: int,
    planned: Callable[[Collection[int]], Plan],
    failed: dict[int, tuple[Firing, str]],
) -> tuple[Plan, list[_Acted]]:
    """One firing after the other; after one that fails it goes on with what is planned without it.

    What was done before it stays, for doing hundreds of firings again for each one that fails takes longer than a
    delivery has.  `failed` gets what failed, by rule.
    """
    this = planned(failed.keys())
    acted: list[_Acted] = []
    while len(acted) < len(this.firings):
        firing = this.firings[len(acted)]
        try:
            with workspace.store.transaction():
                acted.append(_act(workspace, number, firing))
        except _Failed as trouble:
            failed[firing.rule.id] = (firing, str(trouble))
            before, this = this.firings[: len(acted)], planned(failed.keys())
            if this.firings[: len(acted)] != before:
                raise _Otherwise from None
    return this, acted


def _act(workspace: Workspace, number: int, firing: Firing) -> _Acted:
    """One firing; what goes wrong is the rule's fault, but for trouble with the store, which is everybody's."""
    news: News = []
    try:
        words, changes = _do(workspace, number, firing, news)
    except CrmmailError as error:
        if error.retry:
            raise
        raise _Failed(str(error)) from None
    except Exception as error:
        raise _Failed(f"crmmail itself failed: {type(error).__name__}: {error}") from error
    rules.put_firing(firing.rule.id, number, workspace.now(), words, base=firing.base)
    return _Acted(words, changes, news)


def _do(workspace: Workspace, number: int, firing: Firing, news: News) -> tuple[str, list[Change]]:
    """The fixed order: fields, watchers, reminders, copies, mail, activity, hook; in words, and as changes."""
    rule, now = firing.rule, workspace.now()
    notes: list[str] = []
    changes, details = _set(workspace, number, firing)
    for words in rule.watch:
        them = follow.who(workspace, words)
        made = followers.put_follower(number, now, user=them.user, contact=them.contact, address=them.address)
        changes += [undoable.was_made("follower", made)] if made else []
        if not made:
            notes.append(f"{them.shown} watched already")
    words = f"rule {rule.name}: {sentence(firing)}"
    if details or rule.watch or rule.remind or rule.copy or rule.mail or rule.activity or rule.hook or firing.notes:
        written = _message(workspace, number, words, details)
        messages.change_message(written, rule=rule.id)
        if details:
            news.append((written, _subtype(details)))
    if rule.remind or rule.copy or rule.mail:
        mails = _write_mails(workspace, number, rule, notes)
        news += [(message, "") for message in mails]
        changes += [undoable.was_queued(copy.id) for copy in outbox.deliveries(messages=mails)] if mails else []
    if rule.activity:
        from crmmail.services.hearing import activities

        login = records.record(number).responsible
        user = directory.user(login).id if login else None
        due_by = after(now, rule.activity_due)
        made = activities.add(workspace, number, rule.activity, due_by, user=user, author=None, news=news)
        changes.append(undoable.was_made("activity", made, done=None))
    if rule.hook:
        from crmmail.services.automatic import hooks

        hooks.queue(workspace, number, rule.id, rule.hook, words)
    if notes:
        messages.change_message(written, text=f"{words} ({'; '.join(notes)})")
    return "; ".join([sentence(firing), *notes]), changes


def _write_mails(workspace: Workspace, number: int, rule: Rule, notes: list[str]) -> list[int]:
    """Reminders, copies and prepared mails: into the thread and the outbox; they leave later, as all mail does."""
    from crmmail.services.automatic import automail  # reads jinja2, which a delivery has no use for until a rule writes

    how: dict[str, Any] = {"documents": rule.documents, "notes": notes}
    written: list[int] = []
    if "responsible" in rule.remind:
        written += automail.remind_responsible(workspace, number, rule.id, rule.name, **how)
    if "partner" in rule.remind:
        written += automail.remind_partner(workspace, number, rule.id, rule.name, **how)
    if rule.copy:
        written += automail.copy(workspace, number, rule.id, rule.name, rule.copy, **how)
    if rule.mail:
        written += automail.mail(workspace, number, rule.id, rule.name, rule.mail, rule.mail_to, **how)
    return written


def _set(workspace: Workspace, number: int, firing: Firing) -> tuple[list[Change], list[Detail]]:
    """The fields that a rule sets; who was responsible goes on hearing of an escalated record (F205)."""
    this = records.record(number)
    if not firing.changes:
        return [], []
    code = firing.changes.get("section", this.section)
    columns: dict[str, Any] = {}
    for field, value in firing.changes.items():
        if field == "state":
            columns |= {"state": value, **fields.closing(workspace, this.kind, value)}
        else:
            columns |= fields.columns(workspace, this.kind, code, field, str(value), present=this.section)
    changes, details = fields.apply(workspace, this, columns)
    if firing.escalated and this.responsible:
        former = directory.user(this.responsible).id
        made = followers.put_follower(number, workspace.now(), user=former)
        changes += [undoable.was_made("follower", made)] if made else []
    return changes, details


def _message(workspace: Workspace, number: int, words: str, details: Sequence[Detail]) -> int:
    """The line in the thread that says what a rule did."""
    return system_message(
        workspace,
        number,
        _subtype(details),
        words,
        author=None,
        details=[one._asdict() for one in details] or None,
    )


def _subtype(details: Sequence[Detail]) -> str:
    changed = {one.field for one in details}
    return next((subtype for field, subtype in fields.SUBTYPE_OF if field in changed), "state" if changed else "note")
