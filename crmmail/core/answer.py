"""What a user says by mail, in his answer to a notification: his own words, or a note that he keeps inside.

His mail program quotes the notification below, above or around his words, and the customer must not read it: it tells
of the house.
"""

from __future__ import annotations

import re

from crmmail.core import quote

# Of a quoted notification: how files are saved, and how the lines are marked.
_SAVE = re.compile(r"crmmail attachment save \d")
_MARKED = re.compile(r"[ \t]*>")
_HEADING_LINES = 4  # a long title is wrapped
_FOOT_LINES = 8
_TELLING = 6  # letters; a shorter `mail.open`, such as the bare number, stands in many a line


def words_by_mail(text: str, number: int, opening: str) -> str:
    """What a user wrote himself in his answer to a notification, with his signature; "" where he wrote nothing.

    What the notification tells of the house leaves with no answer, above the quote, below it or in the middle of it:
    its heading with our number and title, its foot, and how to save its files.

    Args:
        number: of the record.
        opening: how the notification says to open it.
    """
    return quote.own_words("\n".join(_without_house(text.split("\n"), number, opening)))


def _without_house(lines: list[str], number: int, opening: str) -> list[str]:
    gone: set[int] = set()
    for at, line in enumerate(lines):
        if at in gone:
            continue
        opened = len(opening) > _TELLING and opening in line  # whoever quoted it took the dashes above away
        if _SAVE.search(line):
            gone.add(at)
        elif opened or _begins_foot(lines, at, number, opening):
            gone.update(range(at, _foot_end(lines, at)))
        elif f"#{number} " in line and _begins_quote(lines, at):
            above = lines[at : at + _HEADING_LINES]
            end = next((count for count, one in enumerate(above, 1) if one.rstrip().endswith(":")), 0)
            gone.update(range(at, at + end))
    return [line for at, line in enumerate(lines) if at not in gone]


def _begins_quote(lines: list[str], at: int) -> bool:
    """The first line with words of a quote that is marked."""
    above = next((line for line in reversed(lines[:at]) if line.strip(" >\t") or not _MARKED.match(line)), "")
    return bool(_MARKED.match(lines[at])) and not _MARKED.match(above)


def _begins_foot(lines: list[str], at: int, number: int, opening: str) -> bool:
    """The dashes above a notification's foot, and not those above the user's own signature."""
    if lines[at].strip(" >\t") != "--":
        return False
    marked = bool(_MARKED.match(lines[at]))
    below = [line for line in lines[at + 1 : at + _FOOT_LINES] if line.strip(" >\t")]
    below = [line for line in below if bool(_MARKED.match(line)) == marked]
    begins = bool(below) and below[0].strip(" >\t").startswith(f"#{number} ")
    return begins or (len(opening) > _TELLING and any(opening in line for line in below[:4]))


def _foot_end(lines: list[str], at: int) -> int:
    """The line behind a notification's foot.  It is the end of the quote: where lines are marked, words may follow;
    where they are not, nothing parts them from it."""
    if not _MARKED.match(lines[at]):
        return len(lines)
    end = at
    for here in range(at, len(lines)):
        if _MARKED.match(lines[here]):
            end = here + 1
        elif lines[here].strip():
            break
    return end


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
    at = lines.index(marked[0])
    rest = lines[at][_NOTE.match(lines[at]).end() :]  # type: ignore[union-attr]
    return "\n".join([*lines[:at], *([rest] if rest.strip() else []), *lines[at + 1 :]]).strip("\n")
