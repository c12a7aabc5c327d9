"""Set-commands by mail: a proven user tells in his answer what shall become of the record (F171).

The good ones are obeyed in one act of his, as `set` and the buttons do it: one system message, one line in the
journal.  What was wrong he hears by mail, for he works by mail: each line that he wrote, and what came of it.  When all
were right nothing is mailed.  Only a proven user gives orders (behaviour §2); everybody else's lines stay words.
"""

from __future__ import annotations

from collections.abc import Iterator

from crmmail.core import amount, answer, orders, quote, record, signature, token
from crmmail.core.message import Mail
from crmmail.core.orders import Order, Result
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError, NotFound
from crmmail.services.acts import records as acts
from crmmail.services.hearing.tell import identifier
from crmmail.services.shared import fields
from crmmail.store.letters import inbox, messages, outbox
from crmmail.store.people import directory
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

ORDER = "order: "  # how the evidence of a decision tells what came of one
_NAMES = 30  # of users, that a sentence lists


class Ordered(NamedTuple):
    """The orders in a user's letter."""

    orders: tuple[Order, ...]
    mail: Mail  # without them
    bare: bool  # it holds nothing else
    beyond: int = 0  # how many there were after the last that counts

    @property
    def set_state(self) -> bool:
        """Did he speak of the state?  Then the section's policy does not."""
        return any(one.field == "state" for one in self.orders)


# --- reading ------------------------------------------------------------------------------------------------


def read(mail: Mail, thread: int | None, opening: str) -> Ordered | None:
    """The orders in a proven user's own words, and his letter without them; None where there are none.

    Args:
        thread: the record that he answers about; None: the letter makes a new one.
        opening: how a notification says to open it.
    """
    if not orders.read(mail.text).orders:
        return None
    words = quote.own_words(mail.text) if thread is None else answer.words_by_mail(mail.text, thread, opening)
    given = orders.read(mail.text, words)
    if not given.orders:
        return None
    files = [one for one in mail.attachments if not (one.inline and one.content_id)]  # the logo of a signature is none
    bare = not files and _says_nothing(orders.read(words).rest)
    return Ordered(given.orders, mail._replace(text=given.rest), bare, given.beyond)


def _says_nothing(words: str) -> bool:
    """Nothing, or nothing but a signature: `Regards,` and a name."""
    lines = quote.own_words(words).split("\n")
    tail = [(line.strip(), not at or not lines[at - 1].strip()) for at, line in enumerate(lines) if line.strip()]
    return not tail or (len(tail) <= 12 and signature.start([line for line, _ in tail], [gap for _, gap in tail]) == 0)


# --- obeying ------------------------------------------------------------------------------------------------


def obey(
    workspace: Workspace, number: int, message: int, user: int, ordered: Ordered, heard: set[int], notes: list[str]
) -> None:
    """Does what a user asks for in a letter, and tells him of what cannot be done.  Inside the letter's transaction.

    Args:
        message: his letter.
        heard: users who were told of it already; they are not told again.
        notes: gets what `why` should tell.
    """
    this = records.record(number)
    quoted = orders.repeated(ordered.orders, _outside(this, message))
    his = [order for order in ordered.orders if order.asks not in quoted]
    changes: dict[str, Any] = {}
    found: list[Result] = []
    for at, order in enumerate(ordered.orders):
        if order.field and order.asks in quoted:
            result = Result(order.line, "quoted", possible=_instead(this, order))
        elif any(later.field == order.field != "" and later in his for later in ordered.orders[at + 1 :]):
            result = Result(order.line, "again")
        else:
            result, columns = _judge(workspace, this, order)
            changes |= columns
        found.append(result)
    changes = acts.what_follows(workspace, this, changes)
    if changes.get("state") == "open" and not this.responsible and "responsible" not in changes:
        changes |= {"responsible": user, "assigned": workspace.now()}  # who opens it takes it (F180)
    if "state" in changes and changes["state"] != this.state:
        changes |= fields.closing(workspace, this.kind, changes["state"])
    done, details = fields.apply(workspace, this, changes) if changes else ([], [])
    if done:
        acts.finish(workspace, this, "set", done, details, user, heard)
    changed = {one.field for one in details}
    found = [
        result._replace(outcome="same") if result.outcome == "done" and order.field not in changed else result
        for order, result in zip(ordered.orders, found, strict=True)
    ]
    if ordered.beyond:
        found.append(Result("…", "beyond", str(orders.MOST)))
    notes += [f"{ORDER}{one}" for one in found]
    if any(one.wrong for one in found):
        _answer(workspace, number, user, found)


def _outside(this: Record, message: int) -> Iterator[str]:
    """All that others may have put into a notification about a record: where his mail program marks no quotes, or
    wraps what it quotes, their words look like his.  Beside the conversation that is what the record is called, and
    whom it is about."""
    people = [one.name for one in (this.partner, *this.contacts) if one]
    yield "\n".join([this.title, this.partner_name, this.email, this.company, *people])
    yield from messages.from_outside(this.id, but=message)


def _instead(this: Record, order: Order) -> str:
    """The command that does the same; without his value, which may be another's."""
    if order.field in record.FIELDS[this.kind]:
        return f"crmmail set {this.id} {order.field}=…"
    state = orders.state(this.kind, order.value) if order.field == "state" else ""
    names = [name for name in record.buttons(this.kind, this.state) if record.target(this.kind, name) == state]
    return f"crmmail {names[0]} {this.id}" if names else f"crmmail show {this.id}"


def _judge(workspace: Workspace, this: Record, order: Order) -> tuple[Result, dict[str, Any]]:
    """What comes of an order, and the columns that it sets."""

    def bad(outcome: str, value: str = order.value, possible: str = "") -> tuple[Result, dict[str, Any]]:
        return Result(order.line, outcome, value, possible), {}

    def good(**columns: Any) -> tuple[Result, dict[str, Any]]:
        return Result(order.line, "done"), columns

    field, value = order.field, order.value
    if not field:
        return bad("unknown", possible=_named(orders.FIELDS))
    if field == "state":
        state = orders.state(this.kind, value)
        if not record.KINDS[this.kind].states:
            return bad("stateless", this.kind)
        if not record.buttons(this.kind, this.state):
            return bad("final", this.state)
        return good(state=state) if state else bad("state", possible=", ".join(orders.states(this.kind)))
    if field not in record.FIELDS[this.kind]:
        has = [name for name, one in orders.FIELDS.items() if one == "state" or one in record.FIELDS[this.kind]]
        return bad("field", this.kind, _named(has) if record.KINDS[this.kind].states else "")
    try:
        if field == "responsible" and value:
            value = _login(value)
        if field == "partner" and "@" in value:
            cards = directory.contacts_with(fields.address(value))
            if len(cards) > 1:
                return bad("partners", possible=", ".join(f"#{card}" for card in cards))
            value = str(cards[0]) if cards else "0"
        if field == "priority" and not value:
            return bad("priority", possible=_PRIORITIES)
        return good(**fields.columns(workspace, this.kind, this.section, field, value))
    except CrmmailError as error:
        if error.retry:
            raise
    if field == "responsible":
        logins = [one.login for one in directory.users() if one.active]
        return bad("user", possible=", ".join(logins[:_NAMES]) + ("…" if len(logins) > _NAMES else ""))
    if field == "priority":
        return bad("priority", possible=_PRIORITIES)
    if field in ("revenue", "cost") and len(possible := amount.readings(value)) > 1:
        return bad("amount", possible=", ".join(possible))
    return bad({"partner": "partner", "probability": "percent"}.get(field, "number"))


_PRIORITIES = f"1, 2, 3, 4, 5, {', '.join(record.PRIORITIES)}"


def _named(names: Any) -> str:
    return ", ".join(f"Set-{one.capitalize()}" for one in names)


def _login(value: str) -> str:
    """The login of a user, whom somebody may name by an address too."""
    if "@" not in value:
        return value
    found = directory.users_by_address([fields.address(value)])
    if not found:
        raise NotFound(f"there is no user {value!r}")
    return directory.user_by_id(next(iter(found.values()))).login


# --- what was wrong -----------------------------------------------------------------------------------------


def _answer(workspace: Workspace, number: int, user: int, found: list[Result]) -> None:
    """Tells him by mail, and in his inbox, however he hears of other things."""
    now, him = workspace.now(), directory.user_by_id(user)
    message = messages.put_message(
        number,
        kind="auto",
        subtype="note",
        internal=True,
        automatic=True,
        from_name="crmmail",
        text="\n".join(f"* {one}" for one in found),
        date=now,
        received=now,
        template=orders.TEMPLATE,
        details=[one._asdict() for one in found],
    )
    inbox.put_notification(user, orders.TEMPLATE, now, message=message, thread=number)
    if him.email:
        outbox.put_delivery(
            message,
            number,
            user=user,
            address=him.email,
            purpose="notification",
            why=orders.TEMPLATE,
            identifier=identifier(workspace, token.Token(number, f"u{user}", True)),
            due=now,
            created=now,
        )
