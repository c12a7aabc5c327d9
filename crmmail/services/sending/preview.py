"""What a person means to say about a record, and who will read it: decided here, written down by `post` (F70, F80-F99).

`plan` refuses what cannot be, and is what a preview shows.  A note has no recipient outside: no branch below gives it
one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from crmmail.core import address as addresses
from crmmail.core import mention, quote, record, reply, text
from crmmail.core.audience import Audience
from crmmail.core.letter import File
from crmmail.core.message import Address
from crmmail.core.reply import Addressee
from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused, UsageError
from crmmail.mail import people
from crmmail.services.hearing.tell import own_addresses, who_hears
from crmmail.services.sending import correspondent, envelope, outside
from crmmail.services.shared import fields
from crmmail.services.shared.possible import living
from crmmail.store.letters import messages, outbox, threads
from crmmail.store.letters.messages import Message
from crmmail.store.lists import finding
from crmmail.store.people import directory
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, local_zone

_ITEM = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,])+')  # one of a list: a comma in quotes belongs to a name
LATELY = timedelta(days=2)  # the same words to the same person within that time are a slip of the hand (F85)


class Words(NamedTuple):
    """What somebody wants to say, as he typed it."""

    text: str
    subject: str | None = None
    message: int | None = None  # the message that is answered or passed on; None: the last letter from outside
    to: tuple[str, ...] = ()  # addresses, with or without names; of a note logins too
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    everybody: bool = False  # whoever stood in To and Cc of that letter stays in
    quote: bool = True
    plain: bool = False  # no HTML alternative
    files: tuple[File, ...] = ()
    then: str = ""  # a button to press afterwards: close, pending


class Hearer(NamedTuple):
    """Somebody who hears of it without being addressed."""

    who: str  # a login, a contact's number, or an address
    why: str  # follower | mentioned | addressed
    by: str  # inbox | mail | both
    internal: bool


class Plan(NamedTuple):
    """What will be written, and who will read it."""

    verb: str  # reply | send | forward | note
    record: Record
    sender: Address
    subject: str
    text: str  # with the quote
    format: str  # plain | markdown
    answers: Message | None
    addressees: tuple[Addressee, ...]
    hearers: tuple[Hearer, ...]
    addressed: tuple[int, ...]  # users who are told whatever they follow
    files: tuple[File, ...]
    then: str
    warnings: tuple[str, ...]

    @property
    def internal(self) -> bool:
        return self.verb == "note"

    @property
    def outside(self) -> list[Addressee]:
        return [one for one in self.addressees if one.user is None]


# --- deciding -----------------------------------------------------------------------------------------------


def plan(workspace: Workspace, verb: str, number: int, words: Words, *, begun: bool = False) -> Plan:
    """Who will read what.

    Args:
        begun: the words are still to come, from an editor.

    Raises:
        Refused, UsageError, NotFound: what is wrong with it, and what to do.
    """
    me, this = workspace.user(), living(number)
    if words.then:
        _check_then(this, words.then)
    if verb == "note":
        return _plan_note(workspace, this, words, begun)
    answers = _answered(this, verb, words.message)
    sender = envelope.of_user(me)
    if not sender.address:
        raise Refused(f"{me.login} has no address to write from: crmmail users set {me.login} --email ADDRESS")
    found = _addressees(workspace, this, verb, answers, words)
    if answers and verb == "reply" and words.to and not _is_known(answers, found):
        answers = None
    subject = _subject(this, verb, answers, words.subject)
    if not (begun or words.text.strip() or words.files or verb == "forward"):
        raise Refused("nothing to send: there are no words")
    body = _body(workspace, this, verb, answers, words)
    holders = {one.address for one in found}
    addressed = tuple(one.user for one in found if one.user is not None and one.user != me.id)
    heard = who_hears(
        workspace, number, subtype="discussion", internal=False, author=me.id, addressed=addressed, holders=holders
    )
    if verb == "forward":
        heard = heard._replace(mail=tuple(one for one in heard.mail if one.user is not None))
    return Plan(
        verb,
        this,
        sender,
        subject,
        body,
        "plain" if words.plain else "markdown",
        answers,
        found,
        _hearers(heard, dict.fromkeys(addressed, "addressed")),
        addressed,
        words.files,
        words.then,
        tuple(_warnings(workspace, this, found, words.text)),
    )


def _plan_note(workspace: Workspace, this: Record, words: Words, begun: bool) -> Plan:
    me = workspace.user()
    if words.cc or words.bcc:
        raise UsageError("a note has no Cc and no Bcc: it stays inside")
    if not (begun or words.text.strip() or words.files):
        raise Refused("nothing to note: there are no words")
    named = [_colleague(one) for one in words.to]
    mentioned = [one.id for one in directory.users() if one.active and one.login.lower() in mention.logins(words.text)]
    addressed = tuple(dict.fromkeys(user for user in (*named, *mentioned) if user != me.id))
    heard = who_hears(workspace, this.id, subtype="note", internal=True, author=me.id, addressed=addressed)
    why = {**dict.fromkeys(mentioned, "mentioned"), **dict.fromkeys(named, "addressed")}
    return Plan(
        "note", this, Address(me.name, me.email), words.subject or "", _own(words), "plain", None, (),
        _hearers(heard, why), addressed, words.files, words.then, (),
    )  # fmt: skip


def _colleague(words: str) -> int:
    """The user that a note is for."""
    if "@" in words.lstrip("@"):
        found = fields.address(words)
        user = directory.users_by_address([found]).get(found)
        if user is None:
            raise Refused(f"a note never leaves, and {found} is no user here: `crmmail reply` or `send` writes to them")
        return user
    return fields.active_user(words.lstrip("@")).id


def _check_then(this: Record, button: str) -> None:
    """Refuses at once what would be refused after the letter is written; where it is so already, all is well."""
    if this.state != record.target(this.kind, button):
        try:
            record.press(this.kind, this.state, button)
        except Refused as error:
            raise Refused(f"#{this.id} {this.title}: {error}") from None


def _answered(this: Record, verb: str, number: int | None) -> Message | None:
    """The letter that is answered or passed on."""
    if number is None:
        return correspondent.last_letter(this) if verb == "reply" else None
    message = messages.message(number)
    if message.thread != this.id:
        raise Refused(f"message {number} is in #{message.thread}, not in #{this.id}")
    if message.internal:
        raise Refused(f"message {number} is internal: it can be neither answered nor passed on by mail")
    return message


def _addressees(
    workspace: Workspace, this: Record, verb: str, answers: Message | None, words: Words
) -> tuple[Addressee, ...]:
    ours = own_addresses(workspace)
    to, cc, bcc = (typed(workspace, lines) for lines in (words.to, words.cc, words.bcc))
    customer, others = ([], []) if verb == "forward" else _correspondents(this, answers)
    named = {one.address for one in (*to, *cc, *bcc, *customer, *others)}
    users = directory.users_by_address(named)
    found = reply.addressees(
        customer=customer,
        others=others,
        to=to,
        cc=cc,
        bcc=bcc,
        everybody=words.everybody,
        ours=ours,
        users=users,
        known=threads.participants(this.id),
    )
    if not found:
        if verb == "forward":
            raise UsageError("say to whom: --to ADDRESS")
        raise Refused(f"#{this.id} {this.title} has nobody outside to write to: name somebody with --to ADDRESS")
    return found


def _is_known(letter: Message, found: Sequence[Addressee]) -> bool:
    """Has somebody outside to whom the answer goes written or got the letter that it answers?  Who stands in Cc reads
    it because the writer wants him to; but another customer's letter stands below no answer: `forward` passes it on."""
    outside = [one.address for one in found if one.user is None and one.role == "to"]
    return not outside or any(letter.id in messages.known_to(letter.thread, one) for one in outside)


def _correspondents(this: Record, answers: Message | None) -> tuple[list[Address], list[Address]]:
    """Whom it goes to when nobody is named, and who else stood in the letter that is answered."""
    customer, others = correspondent.of_letter(answers) if answers else ([], [])
    return customer or correspondent.of_record(this), others


def typed(workspace: Workspace, lines: Sequence[str]) -> list[Address]:
    """The people that somebody named: `ann@customer.example, "Bob" <bob@customer.example>`.

    Raises:
        UsageError: something that is no address.
        Refused: an address of ours, whose mail would come back.
    """
    found = []
    for line in lines:
        for item in _ITEM.findall(line) or [""]:
            one = people.sender([item.encode("utf-8", "replace")])[0]  # whoever it is must be as clear as in a From
            if not one.address:
                raise UsageError(f"{item.strip()!r} is no e-mail address")
            if addresses.without_tag(one.address) in own_addresses(workspace):
                raise Refused(f"{one.address} is an address of ours: what is written to it comes back")
            found.append(one)
    return found


def _subject(this: Record, verb: str, answers: Message | None, wanted: str | None) -> str:
    if wanted is not None:
        return text.one_line(wanted)
    words = reply.without_tag((answers.subject if answers else "") or this.title, this.id)
    return reply.subject(words, "Fwd: " if verb == "forward" else "Re: ") if answers else words


def _body(workspace: Workspace, this: Record, verb: str, answers: Message | None, words: Words) -> str:
    """The words, and below them what they answer or pass on."""
    below = _below(workspace, this, verb, answers) if words.quote else ""
    return "\n\n".join(part for part in (_own(words), below) if part)


def _own(words: Words) -> str:
    """The words without what no database and no terminal takes, and without empty lines around them."""
    return text.clean(words.text).strip("\n").rstrip()


def _below(workspace: Workspace, this: Record, verb: str, answers: Message | None) -> str:
    if answers is None:
        return ""
    read = outside.read(workspace, answers)
    moment = answers.date.astimezone(local_zone(workspace.environ))  # as the people here read their clocks
    if verb == "forward":
        who = " ".join(filter(None, (read.sender.name, read.sender.address and f"<{read.sender.address}>")))
        return reply.forwarded(read.text, who=who, moment=moment, to=read.to, subject=read.subject)
    name = text.one_line(read.sender.name or read.sender.address) or "somebody"
    return reply.quoted(read.text, reply.attribution(name, moment, _language(this)))


def _language(this: Record) -> str:
    """The customer's language."""
    card = this.id if this.kind == "contact" else this.partner.id if this.partner else None
    return (directory.contact(card).lang if card is not None else "") or "en"


def below(workspace: Workspace, verb: str, number: int, message: int | None) -> str:
    """What an editor shows under the words: the letter that they answer."""
    this = records.record(number)
    return _below(workspace, this, verb, _answered(this, verb, message))


def _hearers(heard: Audience, why: dict[int, str]) -> tuple[Hearer, ...]:
    """People who hear without being addressed, users first."""
    mailed = {copy.user for copy in heard.mail}
    users = directory.users_by_id({*heard.inbox, *(user for user in mailed if user is not None)})
    found = []
    for user in users.values():
        ways = [way for way, is_it in (("inbox", user.id in heard.inbox), ("mail", user.id in mailed)) if is_it]
        by = "both" if len(ways) == 2 else ways[0]
        found.append(Hearer(user.login, why.get(user.id, "follower"), by, True))
    found += [Hearer(one.address, "follower", "mail", False) for one in heard.mail if one.user is None]
    return tuple(found)


def _warnings(workspace: Workspace, this: Record, found: Sequence[Addressee], words: str) -> list[str]:
    """What somebody may want to know before it leaves."""
    said = []
    for address, (_, reason) in outbox.bad(one.address for one in found).items():
        said.append(f"mail to {address} came back before: {reason}")
    same = " ".join(words.split())
    since = workspace.now() - LATELY
    for one in messages.of_thread(this.id) if same else []:
        if one.kind == "email_out" and one.received > since and " ".join(_first_words(one).split()) == same:
            again = sorted({copy.to for copy in one.deliveries} & {one.address for one in found})
            if again:
                said.append(f"the same words went to {', '.join(again)} lately (message {one.id})")
    if not envelope.reply_address(workspace, this):
        said.append(
            "no section address and no catchall: answers go to your own mailbox and are not followed "
            "(crmmail sections set CODE --email ADDRESS)"
        )
    return said


def _first_words(message: Message) -> str:
    """A letter of ours without what it quotes."""
    return quote.visible(message.text)


def record_of(message: int) -> int:
    """The record in which a message stands."""
    return messages.message(message).thread


def candidates(workspace: Workspace, lines: Sequence[str]) -> list[Record]:
    """The records of the people that a letter without a record is for (F81)."""
    found: dict[int, Record] = {}
    for one in typed(workspace, lines):
        found |= {this.id: this for this in finding.with_address(one.address)}
    return list(found.values())
