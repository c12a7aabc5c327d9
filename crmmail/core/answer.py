"""What a user says by mail, in his answer to a notification: his own words, or a note that he keeps inside.

His mail program quotes the notification below, above or around his words, and the customer must not read it: it tells
of the house.  What is ours in it is known by the words of our templates (`templates/*/notification.txt`): its heading,
how its files are saved, its foot.  Where lines are marked with > the rest of a quote goes with the foot; where they are
not, only those very lines go, for nothing parts the quote from what he wrote himself.
"""

from __future__ import annotations

import re

from crmmail.core import quote
from crmmail.core.typed import NamedTuple

_MARKED = re.compile(r"[ \t]*>")
_WRAPPED = 4  # lines that one sentence of ours may become
_LONG = 1000  # letters; no line of ours is longer
_TELLING = 6  # letters; a shorter `mail.open`, such as the bare number, stands in many a line

# The heading: `Ana wrote to Carl about #101 Printer broken:`.
_WROTE = re.compile(r"\b(?:wrote|a écrit|пишет)\b")
_ABOUT = re.compile(r"(?:about|à propos de|по) #(\d+) ")
# How files are saved.
_FILE = re.compile(r"\[(\d+)\] .+: crmmail attachment save \1")
_SAVE = re.compile(r"crmmail attachment save \d")
# The foot, line by line.
_DASHES = ("--", "–", "—")
_OPEN = re.compile(r"(?:Open it|Открыть|Ouvrir) ?: ?\S.*")
_TITLE = re.compile(r"#(\d+) .*\([a-z]+(?:, [a-z ]+)?\)")
_PROMISE = re.compile(
    r"""Your\ answer\ to\ this\ mail\ (?:stays\ inside|goes\ to\ .+,\ as\ from\ you)\.
    |With\ \#note\ in\ its\ first\ line\ it\ stays\ inside\.
    |Nobody\ outside\ takes\ part\ yet:\ your\ answer\ to\ this\ mail\ stays\ in\ the\ record\.
    |Votre\ réponse\ à\ ce\ message\ (?:reste\ interne|ira\ à\ .+,\ en\ votre\ nom)\.
    |Avec\ \#note\ en\ première\ ligne,\ elle\ reste\ interne\.
    |Personne\ de\ l['’]extérieur\ ne\ participe\ encore\ ?:\ votre\ réponse\ reste\ dans\ la\ fiche\.
    |Ваш\ ответ\ на\ это\ письмо\ (?:останется\ внутри|получит\ .+\ [-–—]\ от\ вашего\ имени)\.
    |С\ \#note\ в\ первой\ строке\ он\ останется\ внутри\.
    |Снаружи\ пока\ никто\ не\ участвует:\ ваш\ ответ\ останется\ в\ карточке\.""",
    re.VERBOSE,
)


def words_by_mail(text: str, number: int, opening: str) -> str:
    """What a user wrote himself in his answer to a notification, with his signature; "" where he wrote nothing.

    What the notification tells of the house leaves with no answer, above the quote, below it or in the middle of it:
    its heading with our number and title, its foot, and how to save its files.

    Args:
        number: of the record.
        opening: how the notification says to open it.
    """
    lines = text.split("\n")
    house = _of_house(lines, number, opening)
    foot = next((span for span in house if span.ends_quote), None)
    if foot is None:
        return quote.own_words(_without(lines, house))
    # Above the foot all may be a quote to its end, and that is here: what stands below is his again.
    above = quote.own_words(_without(lines[: foot.start], house))
    below = _without(lines, [Span(0, foot.end), *house])
    if not below.strip():
        return above
    return quote.own_words(f"{above}\n\n{below}" if above else below)


def without_house(text: str, number: int, opening: str) -> str:
    """A colleague's mail, quotes and all, without what a notification tells of the house.  Arguments as above."""
    lines = text.split("\n")
    return _without(lines, _of_house(lines, number, opening))


# --- what is ours in it -------------------------------------------------------------------------------------


class Span(NamedTuple):
    """Lines of ours, `end` excluded."""

    start: int
    end: int
    ends_quote: bool = False  # a foot without marks: nothing else says where the quote ends


def _without(lines: list[str], spans: list[Span]) -> str:
    gone = {at for span in spans for at in range(span.start, span.end)}
    return "\n".join(line for at, line in enumerate(lines) if at not in gone)


def _of_house(lines: list[str], number: int, opening: str) -> list[Span]:
    found: list[Span] = []
    at = 0
    while at < len(lines):
        span = (
            _file(lines, at)
            or (_marked_foot if _MARKED.match(lines[at]) else _foot)(lines, at, number, opening)
            or _heading(lines, at, number)
        )
        if span:
            found.append(span)
        at = max(at + 1, span.end if span else 0)
    return found


def _bare(line: str) -> str:
    return line.strip(" >\t\r\u00a0")


def _sentence(lines: list[str], start: int, end: int) -> str:
    """These lines as the one that they were before a mail program wrapped it."""
    return " ".join(" ".join(_bare(line[:_LONG]) for line in lines[start:end]).split())


def _ends(lines: list[str], at: int) -> range:
    """Where a sentence that begins at `at` may end: no empty line stands in it, and it is marked or it is not."""
    marked, end = bool(_MARKED.match(lines[at])), at
    while end < min(at + _WRAPPED, len(lines)) and _bare(lines[end]) and bool(_MARKED.match(lines[end])) == marked:
        end += 1
    return range(at + 1, end + 1)


def _file(lines: list[str], at: int) -> Span | None:
    if _bare(lines[at]).startswith("["):
        for end in _ends(lines, at):
            if _FILE.fullmatch(_sentence(lines, at, end)):
                return Span(at, end)
    return Span(at, at + 1) if _MARKED.match(lines[at]) and _SAVE.search(lines[at]) else None


def _heading(lines: list[str], at: int, number: int) -> Span | None:
    """The heading that begins at `at`: by its words, or as the first line of a marked quote."""
    wrote = _WROTE.search(lines[at][:_LONG])
    begins = f"#{number} " in lines[at] and _begins_quote(lines, at)
    for end in _ends(lines, at) if wrote or begins else ():
        sentence = _sentence(lines, at, end)
        if not sentence.rstrip(" *").endswith(":"):
            continue
        about = _ABOUT.search(sentence) if wrote else None
        return Span(at, end) if begins or (about and int(about[1]) == number) else None
    return None


def _begins_quote(lines: list[str], at: int) -> bool:
    """The first line with words of a quote that is marked."""
    above = next((line for line in reversed(lines[:at]) if _bare(line) or not _MARKED.match(line)), "")
    return bool(_MARKED.match(lines[at])) and not _MARKED.match(above)


def _piece(lines: list[str], at: int, number: int, opening: str) -> tuple[str, int]:
    """What of a foot begins at `at`, and the line behind it: dashes, title, open or promise; ("", at) if nothing."""
    for end in _ends(lines, at):
        sentence = _sentence(lines, at, end)
        title = _TITLE.fullmatch(sentence)
        if sentence in _DASHES:
            return "dashes", end
        if title and int(title[1]) == number:
            return "title", end
        if _PROMISE.fullmatch(sentence):
            return "promise", end
        if _OPEN.fullmatch(sentence) or (end == at + 1 and _opens(sentence, opening)):
            return "open", end
    return "", at


def _opens(line: str, opening: str) -> bool:
    """`crmmail show 101` stands in it, and not `crmmail show 1012`."""
    return len(opening) > _TELLING and bool(re.search(rf"{re.escape(opening)}(?!\w)", line))


def _foot(lines: list[str], at: int, number: int, opening: str) -> Span | None:
    """The foot of a notification that is copied without marks.  One line is none, for a user may name the record
    himself; but nobody else says what our last lines promise."""
    found: list[str] = []
    here = end = at
    while here < len(lines) and here - end <= 2:  # some programs put empty lines between all of them
        if not _bare(lines[here]):
            if not found:
                return None
            here += 1
            continue
        name, behind = _piece(lines, here, number, opening)
        if not name and found == ["dashes"] and _bare(lines[here]).startswith(f"#{number} "):
            name, behind = "title", here + 1
        if not name or (name == "dashes" and found):
            break
        found.append(name)
        here = end = behind
    if len(found) < 2 and found != ["promise"]:
        return None
    if "promise" not in found:  # words that we do not know: its block goes
        while end < len(lines) and _bare(lines[end]):
            end += 1
    return Span(at, end, ends_quote=True)


def _marked_foot(lines: list[str], at: int, number: int, opening: str) -> Span | None:
    """The foot of a notification in a marked quote: it is the end of that quote, and his words may follow."""
    name, end = _piece(lines, at, number, opening)
    if name == "dashes":  # and not those above a signature that the customer wrote
        below = next((here for here in range(end, min(end + 3, len(lines))) if _bare(lines[here])), None)
        if below is None or not _MARKED.match(lines[below]):
            return None
        named = _bare(lines[below]).startswith(f"#{number} ")
        if not named and _piece(lines, below, number, opening)[0] not in ("title", "open", "promise"):
            return None
    elif name not in ("open", "promise") and not _opens(lines[at], opening):  # whoever quoted it took the dashes away
        return None
    for here in range(at, len(lines)):
        if _MARKED.match(lines[here]):
            end = here + 1
        elif lines[here].strip():
            break
    return Span(at, end)


# --- a note ---------------------------------------------------------------------------------------------------

NOTE = "#note"
_NOTE = re.compile(r"[\s\ufeff\u200b]*#[ \t]?note(?![\w-])[ \t]*:?[ \t]*", re.IGNORECASE)


def note(text: str, number: int, opening: str) -> str | None:
    """What a user keeps inside by `#note`, without that mark; None where he does not.

    The mark begins the first line of the letter or of his own words (he may write below the quote), or is alone in one
    of them.  Where in doubt it is one: a note can still be sent, a letter never be taken back.
    Arguments as `words_by_mail` has them.
    """
    lines = text.split("\n")
    own = [line for line in words_by_mail(text, number, opening).split("\n") if not line.startswith(">")]
    first = (next((line for line in some if line.strip()), "") for some in (lines, own))
    alone = [line for line in own if line.strip(" \t\ufeff\u200b:").lower() == NOTE]
    marked = [line for line in (*first, *alone) if _NOTE.match(line)]
    if not marked:
        return None
    at = next(at for at, line in enumerate(lines) if line.rstrip() == marked[0].rstrip())
    rest = lines[at][_NOTE.match(lines[at]).end() :]  # type: ignore[union-attr]
    return "\n".join([*lines[:at], *([rest] if rest.strip() else []), *lines[at + 1 :]]).strip("\n")
