"""The mails that rules write: reminders, copies of a conversation, prepared mails (behaviour §6).

Written into the thread and the outbox inside the rule's transaction; they leave with the outbox, like all mail.  Each
is Auto-Submitted, and none goes to an address of ours, to a machine, or to an address that does not exist: who is left
out stands in the rule's sentence.  What is for users is internal and for them alone; what is for people outside is a
letter like any other, whose answer comes home; it quotes and attaches what `rule_words` says its readers know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from crmmail.core import address as addresses
from crmmail.core import automatic, reply, text
from crmmail.core.reply import Addressee
from crmmail.render import DEFAULT_LANGUAGE, Rendered, render
from crmmail.services.automatic import rule_words, templates
from crmmail.services.automatic.rule_words import Documents
from crmmail.services.hearing.tell import in_charge, own_addresses, tell
from crmmail.services.sending import correspondent, envelope
from crmmail.services.sending.enqueue import put_letter
from crmmail.services.shared import fields
from crmmail.store.letters import messages, outbox, threads
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

# --- what rules do ------------------------------------------------------------------------------------------


def remind_responsible(
    workspace: Workspace, number: int, rule_id: int, rule_name: str, *, documents: bool, notes: list[str]
) -> list[int]:
    """Reminds whoever is responsible, or manages the section, and nobody else; the messages.

    Args:
        documents: with the record's files.
        notes: gets what could not be done.
    """
    this = records.record(number)
    people = _who_acts(workspace, this)
    if not people:
        notes.append("nobody is there to be reminded")
        return []
    language = directory.user_by_id(people[0]).lang
    words = render("reminder", language, rule_words.reminder(workspace, this, rule_name))
    files = rule_words.documents_inside(workspace, number) if documents else Documents()
    return [
        _tell_inside(
            workspace, this, rule_id, "reminder", rule_words.with_left_out(words, files, language), people, files
        )
    ]


def remind_partner(
    workspace: Workspace, number: int, rule_id: int, rule_name: str, *, documents: bool, notes: list[str]
) -> list[int]:
    """Reminds the customer that we wait for his answer, in his language; who follows hears of it.

    It quotes our last letter that he got, and carries files of letters that he has sent or got: nobody else's.
    Arguments as above.
    """
    this = records.record(number)
    people = _welcome(workspace, this, _customer(this, notes), notes)
    if not people:
        return []
    language = _language(people)
    last = rule_words.last_of_ours(rule_words.known_to(number, [one.address for one in people]))
    words = render("partner_reminder", language, rule_words.partner_reminder(workspace, this, people[0].name, last))
    files = _documents_of(workspace, number, people, notes) if documents else Documents()
    message = _write_outside(
        workspace, this, rule_id, "partner_reminder", rule_words.with_left_out(words, files, language), people, files
    )
    _tell_followers(workspace, this, message, people, files.letters | ({last.id} if last else set()), notes)
    return [message]


def copy(
    workspace: Workspace,
    number: int,
    rule_id: int,
    rule_name: str,
    to: Sequence[str],
    *,
    documents: bool,
    notes: list[str],
) -> list[int]:
    """Sends the conversation so far, as people outside may read it, to these addresses.

    That is every letter of people outside and ours to them, whoever they are, and what a merged record brought along:
    an admin who names an address wants it to know.  With documents: the files of these letters.  Arguments as above.
    """
    this = records.record(number)
    passed = rule_words.conversation(workspace, number)
    if not passed.letters:
        notes.append("no copy: nobody has written a letter yet")
        return []
    people = _welcome(workspace, this, [_named(one) for one in to], notes)
    if not people:
        return []
    language = _language(people)
    values = {
        "subject": reply.subject(this.title, "Fwd: "),
        "record": {"title": text.one_line(this.title)},
        "sender": _house(workspace, this),
        "conversation": passed.text,
    }
    words = render("conversation", language, values)
    files = rule_words.documents(workspace, passed.letters) if documents else Documents()
    words = rule_words.with_left_out(words, files, language)
    return [_write_outside(workspace, this, rule_id, "conversation", words, people, files)]


def mail(
    workspace: Workspace,
    number: int,
    rule_id: int,
    rule_name: str,
    template: str,
    to: Sequence[str],
    *,
    documents: bool,
    notes: list[str],
) -> list[int]:
    """Sends one of the shop's templates: to people outside as one letter, to users as one internal message.

    The letter carries only files of letters that everybody outside to whom it goes has sent or got.

    Args:
        to: `responsible`, `partner`, `watchers` (whoever follows), or addresses.

    Raises:
        NotFound, UsageError, Refused: the template is not there, or cannot be filled in.
    """
    this = records.record(number)
    inside, named = _recipients(workspace, this, to, notes)
    written, told = [], set(inside)
    if inside:
        files = rule_words.documents_inside(workspace, number) if documents else Documents()
        language = directory.user_by_id(inside[0]).lang
        words = rule_words.with_left_out(templates.written(workspace, template, number, language), files, language)
        written.append(_tell_inside(workspace, this, rule_id, template, words, inside, files))
    people = _welcome(workspace, this, named, notes)
    if people:
        files = _documents_of(workspace, number, people, notes) if documents else Documents()
        language = _language(people)
        words = rule_words.with_left_out(templates.written(workspace, template, number, language), files, language)
        written.append(_write_outside(workspace, this, rule_id, template, words, people, files))
        _tell_followers(workspace, this, written[-1], people, files.letters, notes, skip=told)
    if not written:
        notes.append(f"nobody to mail {template} to")
    return written


# --- writing it down ----------------------------------------------------------------------------------------


def _put(
    workspace: Workspace,
    this: Record,
    rule_id: int,
    template: str,
    words: Rendered,
    files: Documents,
    internal: bool,
) -> int:
    """The message of a mail that a rule writes; nobody is its author."""
    now = workspace.now()
    message = messages.put_message(
        this.id,
        kind="auto",
        subtype="note" if internal else "discussion",
        internal=internal,
        automatic=True,
        author=None,
        from_name="crmmail" if internal else _house(workspace, this),
        from_address="" if internal else envelope.reply_address(workspace, this),
        subject=words.subject,
        text=words.text,
        date=now,
        received=now,
        rule=rule_id,
        template=template,
    )
    messages.put_attachments(message, files.parts)
    return message


def _tell_inside(
    workspace: Workspace,
    this: Record,
    rule_id: int,
    template: str,
    words: Rendered,
    people: Sequence[int],
    files: Documents,
) -> int:
    """A message that stays in the house, for these users and nobody else, as each has set."""
    message = _put(workspace, this, rule_id, template, words, files, internal=True)
    tell(workspace, this.id, message, subtype="note", internal=True, author=None, addressed=people, only=True)
    return message


def _write_outside(
    workspace: Workspace,
    this: Record,
    rule_id: int,
    template: str,
    words: Rendered,
    people: Sequence[Addressee],
    files: Documents,
) -> int:
    """A letter, to each of these people a mail of his own."""
    message = _put(workspace, this, rule_id, template, words, files, internal=False)
    put_letter(workspace, this.id, message, people)
    return message


def _tell_followers(
    workspace: Workspace,
    this: Record,
    message: int,
    people: Sequence[Addressee],
    quoted: Collection[int],
    notes: list[str],
    skip: Iterable[int] = (),
) -> None:
    """Who follows the record hears of a letter, but for those who get it.

    Args:
        quoted: the letters whose words or files it has; a follower outside who does not know them all gets no copy.
        notes: gets who gets none.
    """
    following = {one.address for one in followers.listeners(this.id) if one.user is None and one.address}
    following -= {one.address for one in people}
    strangers = sorted(one for one in following if not messages.known_to(this.id, one).issuperset(quoted))
    notes += [f"no copy to {one}: it has words or files that he was not sent" for one in strangers]
    tell(
        workspace,
        this.id,
        message,
        subtype="discussion",
        internal=False,
        author=None,
        holders={*strangers, *(one.address for one in people)},
        skip={*skip, *(one.user for one in people if one.user is not None)},
    )


def _documents_of(workspace: Workspace, number: int, people: Sequence[Addressee], notes: list[str]) -> Documents:
    """The files of the letters that all these people have sent or got; `notes` gets how many stay here."""
    known = rule_words.known_to(number, [one.address for one in people])
    held = rule_words.count_files(rule_words.people_letters(number)) - rule_words.count_files(known)
    if held:
        notes.append(f"{held} file{'' if held == 1 else 's'} not attached: from letters that not all readers were sent")
    return rule_words.documents(workspace, known)


def _house(workspace: Workspace, this: Record) -> str:
    """Who writes, where no person does: the section, else our domain."""
    name = offices.section(this.section).name if this.section else ""
    return text.one_line(name) or next(iter(workspace.config.mail_domains), "crmmail")


# --- for whom -----------------------------------------------------------------------------------------------


def _who_acts(workspace: Workspace, this: Record) -> list[int]:
    """The responsible, else the section's manager, or whoever stands in for him; not the admins."""
    responsible = bool(this.responsible) and directory.user(this.responsible).active
    return in_charge(workspace, this) if responsible or offices.manager(this.section) else []


def _customer(this: Record, notes: list[str]) -> list[Addressee]:
    people = correspondent.of_record(this)
    if not people:
        notes.append("the customer has no address")
    return [Addressee(one.name, one.address, "to", "customer") for one in people]


def _named(address: str) -> Addressee:
    return Addressee("", fields.address(address), "to", "explicit")


def _recipients(
    workspace: Workspace, this: Record, to: Sequence[str], notes: list[str]
) -> tuple[list[int], list[Addressee]]:
    """The users and the people outside that a rule's words mean."""
    inside: list[int] = []
    named: list[Addressee] = []
    for words in to:
        if words == "responsible":
            people = _who_acts(workspace, this)
            inside += people
            if not people:
                notes.append("nobody is responsible")
        elif words == "partner":
            named += _customer(this, notes)
        elif words == "watchers":
            for one in followers.listeners(this.id):
                if one.user is not None:
                    inside.append(one.user)
                elif one.address:
                    named.append(Addressee("", one.address, "to", "follower"))
        else:
            named.append(_named(words))
    return list(dict.fromkeys(inside)), named


def _welcome(workspace: Workspace, this: Record, people: Sequence[Addressee], notes: list[str]) -> list[Addressee]:
    """Those to whom a rule may write, each once; of the others `notes` gets why not."""
    wanted = {one.address: one for one in reversed(people)}
    ours = own_addresses(workspace)
    bad = outbox.bad(wanted)
    machines = _machines(this.id)
    eager = _eager(workspace, wanted)
    users = directory.users_by_address(wanted)
    found = []
    for address, one in reversed(wanted.items()):
        if addresses.without_tag(address) in ours:
            notes.append(f"not to {address}: it is an address of ours")
        elif address in machines or automatic.unread(address):
            notes.append(f"not to {address}: a machine reads it")
        elif address in bad:
            notes.append(f"not to {address}: mail to it came back")
        elif address in eager:
            notes.append(f"not to {address}: it has written too often lately, as a machine does")
        else:
            found.append(one._replace(user=users.get(address)))
    return found


def _eager(workspace: Workspace, wanted: Iterable[str]) -> set[str]:
    """Who has written as often as only a machine does that answers each mail of ours, though it says so nowhere.

    The letter because of which a rule writes is not counted yet.
    """
    limit = workspace.config.loop_mails
    now = workspace.now()
    since = now - timedelta(minutes=workspace.config.loop_minutes)
    return {one for one in wanted if limit and threads.letters(one, since, now) >= limit}


def _machines(number: int) -> set[str]:
    """Addresses from which only machines have written about a record."""
    letters = [one for one in messages.of_thread(number) if one.kind == "email_in" and one.from_address]
    people = {one.from_address for one in letters if not one.automatic}
    return {one.from_address for one in letters} - people


def _language(people: Sequence[Addressee]) -> str:
    """The language of the first of whom one is known."""
    for one in people:
        if one.user is not None:
            return directory.user_by_id(one.user).lang
        cards = directory.contacts_with(one.address)
        language = directory.contact(cards[0]).lang if len(cards) == 1 else ""
        if language:
            return language
    return DEFAULT_LANGUAGE
