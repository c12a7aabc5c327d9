"""`crmmail reply`, `send`, `forward`, `note`: what a person has to say about a record (F70, F80-F99).

All four go one way: the words, who will read them, the last question, the message in the store, the mail.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from crmmail.cli import compose, keep, order, preview, shapes
from crmmail.cli.acts import changed
from crmmail.cli.command import command
from crmmail.cli.line import Line
from crmmail.cli.options import NUMBER, RECORD, dry_run_option, json_option
from crmmail.cli.order import Order
from crmmail.cli.session import Session, pass_session
from crmmail.core import mention
from crmmail.core.text import one_line
from crmmail.core.typed import Any
from crmmail.errors import CrmmailError, Refused
from crmmail.services.acts import drafts, post
from crmmail.services.acts.post import Posted
from crmmail.services.acts.records import Done
from crmmail.services.sending import envelope, outbox, send
from crmmail.services.sending.outbox import Delivery
from crmmail.services.sending.preview import Plan, Words, plan
from crmmail.store.people import directory

MANY = 10  # people outside, more than whom nobody writes to without being asked


@command(
    "reply",
    examples=(
        "crmmail reply 101",
        'crmmail reply 101 -m "It works again." --then close',
        "crmmail reply 101 --all --attach manual.pdf < answer.txt",
        "crmmail reply 101 -m Hello --cc bob@customer.example --dry-run",
        "crmmail reply 101 --resume",
    ),
)
@click.argument("record", type=RECORD)
@click.option("--message", type=order.MESSAGE, metavar="N", help="Answer message N; else the last letter.")
@order.reply_options
@pass_session
def reply_command(session: Session, record: int, **options: Any) -> int:
    """Answer the customer.

    The words come from -m, -f or stdin, else from your editor. The letter that they answer is quoted below them by
    itself; who answers between its lines puts the quote into his words and says --no-quote.
    Whatever happens, your words are kept: `crmmail drafts` has what was not sent.
    """
    return run(session, order.order("reply", record, **options))


@command(
    "send",
    examples=(
        'crmmail send 101 -s "Your new printer" -m "It is on its way."',
        "crmmail send 101 --to bob@customer.example --attach offer.pdf < letter.txt",
        "crmmail send 101 --resume",
    ),
)
@click.argument("record", type=RECORD, required=False)
@order.words_options
@order.people_options
@order.file_options
@order.then_option
@order.sending_options
@pass_session
def send_command(session: Session, record: int | None, **options: Any) -> int:
    """Write a new letter about a record.

    It goes to whom the record is about, unless you say --to. Every letter belongs to a record: an address alone does
    not tell what it is about.
    """
    return run(session, order.order("send", record, **options))


@command(
    "forward",
    examples=(
        "crmmail forward 45 --to expert@firm.example",
        'crmmail forward 45 --to expert@firm.example -m "What do you think?" --as-attachment',
        "crmmail forward 45 --to expert@firm.example --edit",
    ),
)
@click.argument("message", type=NUMBER)
@order.words_options
@click.option("-e", "--edit", is_flag=True, help="Write the words in your editor.")
@order.people_options
@click.option("--as-attachment", is_flag=True, help="The whole letter as a file, in place of its words.")
@click.option("--no-attachments", is_flag=True, help="Without the files that came with it.")
@order.sending_options
@pass_session
def forward_command(session: Session, message: int, as_attachment: bool, no_attachments: bool, **options: Any) -> int:
    """Pass a letter on to somebody.

    Its words go along, and its files; your own words stand above and may be missing.
    """
    along = "letter" if as_attachment else "" if no_attachments else "files"
    return run(session, order.order("forward", None, message=message, along=along, **options))


@command(
    "note",
    examples=(
        'crmmail note 101 -m "He rang and was friendly."',
        'crmmail note 101 --to agent -m "Can you look at this?"',
        "crmmail note 101 --attach scan.pdf < words.txt",
    ),
)
@click.argument("record", type=RECORD)
@order.words_options
@click.option("--to", multiple=True, metavar="LOGIN", help="Tell this user, whatever he follows; several, or a,b.")
@order.file_options
@order.then_option
@dry_run_option
@json_option
@pass_session
def note_command(session: Session, record: int, to: tuple[str, ...], **options: Any) -> int:
    """Write a note that stays inside.

    Its followers who work here hear of it, and whom you name with --to or as @login. Nobody outside ever does.
    """
    return run(session, order.order("note", record, to=order.listed(to), **options))


# --- the way ------------------------------------------------------------------------------------------------


def run(session: Session, wanted: Order) -> int:
    """From the words to the mail; the number to exit with."""
    workspace, voice, everybody = session.workspace, session.voice, wanted.everybody
    wanted = compose.composed(session, wanted)
    with keep.kept(session, wanted):
        draft = wanted.draft
        assert draft.record is not None
        words = compose.words(workspace, wanted)
        this = plan(workspace, draft.verb, draft.record, words)
        for line in _beside(session, this, words._replace(everybody=everybody)):
            voice.warn(line)
        if wanted.dry_run:
            return _show(session, wanted, this)
        for warning in this.warnings:
            voice.warn(warning)
        _ask(session, wanted, this)
        posted = post.post(workspace, this)
    if wanted.path:
        _remove(session, wanted.path)
    return report(session, this, posted, _sent(session, posted))


def _show(session: Session, wanted: Order, this: Plan) -> int:
    """A dry run: what would leave, and to whom."""
    reply_to = "" if this.internal else envelope.reply_address(session.workspace, this.record)
    logins = {one.id: one.login for one in directory.users()}
    session.voice.document(shapes.planned(this, reply_to), lambda: preview.lines(this, reply_to, logins))
    if wanted.path:
        session.voice.warn(f"a dry run: nothing was written; your words are in {wanted.path}")
    return 0


def _beside(session: Session, this: Plan, words: Words) -> Iterator[str]:
    """What a plan does not say: who stood in the letter and gets no answer, and who is named that nobody knows."""
    workspace = session.workspace
    if this.verb == "reply" and this.answers and not (words.everybody or words.to):
        said = preview.left_out(this, plan(workspace, this.verb, this.record.id, words._replace(everybody=True)))
        if said:
            yield said
    if this.internal:
        known = {one.login.lower() for one in directory.users() if one.active}
        for login in sorted(mention.logins(words.text) - known):
            yield f"there is no user {login}, so @{login} tells nobody"


def _ask(session: Session, wanted: Order, this: Plan) -> None:
    """The last question, before what undo cannot bring back; where nobody can answer, doubts do not stop a letter."""
    voice, count = session.voice, preview.outside(this)
    if preview.doubts(this) and voice.answered and not voice.confirm("Send it all the same?", wanted.yes):
        raise Refused("nothing was sent")
    if count > MANY and not voice.confirm(f"{count} people outside will get this. Send it?", wanted.yes):
        raise Refused("nothing was sent")


def _remove(session: Session, path: str) -> None:
    """The draft has become a message."""
    try:
        drafts.remove(path, session.workspace.environ)
    except CrmmailError as error:
        session.voice.warn(str(error))


def _sent(session: Session, posted: Posted) -> list[Delivery]:
    """Tries at once what the letter put into the outbox; what became of each row.

    The message is written by now, so nothing here is a failure: what does not leave waits.
    """
    numbers = posted.deliveries
    if numbers:
        try:
            with session.voice.progress(len(numbers), "Sending") as step:
                send.send(session.workspace, numbers=numbers, step=step)
        except CrmmailError as error:
            session.voice.warn(f"message {posted.message} is written and waits in the outbox: {error}")
        except KeyboardInterrupt:
            session.voice.warn(f"message {posted.message} is written; what has not left waits in the outbox")
            raise
    return [outbox.delivery(number) for number in numbers]


def report(session: Session, this: Plan, posted: Posted, copies: list[Delivery]) -> int:
    """A line for each who gets the letter; 1 where somebody will not."""
    voice, now, way_out = session.voice, session.workspace.now(), send.way_out(session.workspace)
    lost = [copy for copy in copies if copy.state in ("failed", "bounced")]
    letters = [copy for copy in copies if preview.is_letter(copy)]
    arrived = [copy for copy in letters if copy not in lost]
    lines: list[Line] = list(preview.fates(posted.record, arrived, now, way_out))
    if this.internal:
        title = one_line(posted.record.title, preview.TITLE)
        lines = [f"#{posted.record.id} {title}: note {posted.message} {preview.told(this)}"]
    done = Done(posted.record.id, posted.record.title, posted.details, rules=posted.rules)
    shape = shapes.posted(posted, copies, list(this.warnings))
    voice.document(shape, lambda: [*lines, *(changed(done) if posted.details else [])])
    for copy in lost:
        voice.warn(preview.refusal(copy))
    return 1 if any(copy in letters for copy in lost) else 0
