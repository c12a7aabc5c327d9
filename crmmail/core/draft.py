"""A draft: a letter that a person is writing, as a plain file for his editor (F95, F99).

    Record: 101
    Verb: reply
    To: Ann <ann@customer.example>
    Subject: Re: Printer broken
    Attach: /home/me/manual.pdf

    the words

    -- >8 -- nothing below is sent; the quote is added by itself -- >8 --
    > My printer is broken.

The header ends at the first empty line; names in any case, a line that begins with a blank goes on with the one above.
The first line that begins with the scissors ends the words.  A file without a header is all words.  Whoever reads a
file that somebody has edited must neither lose words nor send a header as words: in doubt `read` refuses, and says
which line it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crmmail.core.text import clean
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import Refused

VERBS = ("reply", "note", "forward", "send")
MARK = "-- >8 --"
SCISSORS = f"{MARK} nothing below is sent; the quote is added by itself {MARK}"

# The names as they are written, in this order; in lower case each is a field of `Draft`.
HEADERS = ("Record", "Verb", "Message", "To", "Cc", "Bcc", "Subject", "Attach", "Then", "Store", "User")
_FIELDS = {name.lower() for name in HEADERS}
_PEOPLE = ("to", "cc", "bcc")
_ALWAYS = ("record", "verb", "to", "cc", "bcc", "subject", "attach")  # shown when empty, to be filled in
_ONCE = _FIELDS.difference(_PEOPLE, ("attach",))

_HEADER = re.compile(r"([A-Za-z][A-Za-z-]*)[ \t]*:(.*)", re.DOTALL)
_NUMBER = re.compile(r"#?([0-9]{1,18})", re.ASCII)

# With such words a file gives orders to vim, in its first and last five lines, or to Emacs, at its end.  Vim wants a
# blank before its own.  They are in the quote of a stranger's mail only to be seen, so there the colon moves; in a name
# or a subject the blank becomes one that does not break, and `read` makes a plain one of it.
_ORDER = re.compile(r"(?<!\S)(vim?[^\s:]{0,8}|ex|local variables):", re.IGNORECASE)
_BEFORE_ORDER = re.compile(r" (?=(?:vim?[^\s:]{0,8}|ex):)", re.IGNORECASE)


class Draft(NamedTuple):
    """A letter that is not sent.  Nothing in it is checked but its form: who it goes to is judged when it is sent."""

    record: int | None = None  # None: nobody has said yet where it belongs
    verb: str = ""  # of VERBS; "" where a file does not say
    message: int | None = None  # what it answers or forwards
    to: tuple[str, ...] = ()  # as typed, an address or a login each
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str | None = None  # None: the verb's own
    attach: tuple[str, ...] = ()  # paths, or whatever else an attachment is named by
    then: str = ""
    store: str = ""  # the path of the store it belongs to
    user: str = ""  # the login of who writes it
    text: str = ""  # the words, without empty lines around them
    below: str = ""  # what is shown below the scissors, and never sent


def write(draft: Draft) -> str:
    """The file of a draft.  What came with a mail is made harmless: a subject is one line, the quote is cleaned."""
    head = [line for name in HEADERS for line in _lines(name, draft)]
    # Words that look like scissors would cut the words below them off.
    words = [f" {line}" if line.startswith(MARK) else line for line in draft.text.split("\n")]
    below = [SCISSORS, _ORDER.sub(r"\1 :", clean(draft.below)), ""] if draft.below else []
    return "\n".join([*head, "", *words, "", *below])


def read(text: str) -> Draft:
    """The draft that a file holds.

    Raises:
        Refused: an unknown header, a header that stands there twice, a number or verb that is none, an open quote; the
            sentence begins with the number of the line.
    """
    above, below, first, end = _parts(text)
    values: dict[str, Any] = {}
    if end:
        values, above = _values(above[first:end], first + 1), above[end:]
    return Draft(**values, text=_trimmed(above), below=_trimmed(below))


def first_line(text: str) -> int:
    """The line, from 1, on which the words of a file begin, or shall begin: there an editor starts."""
    above, _, _, end = _parts(text)
    filled = next((at for at in range(end, len(above)) if above[at].strip()), None)
    if filled is not None:
        return filled + 1
    return end + 2 if end else 1


def _parts(text: str) -> tuple[list[str], list[str], int, int]:
    """The lines above the scissors and below them; where above the header begins, and ends (0: there is none)."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    cut = next((at for at, line in enumerate(lines) if line.startswith(MARK)), len(lines))
    above, below = lines[:cut], lines[cut + 1 :]
    first = next((at for at, line in enumerate(above) if line.strip()), len(above))
    end = next((at for at in range(first, len(above)) if not above[at].strip()), len(above))
    return above, below, first, end if _is_header(above[first:end]) else 0


def _lines(name: str, draft: Draft) -> Iterator[str]:
    """The lines of one header."""
    field = name.lower()
    value = getattr(draft, field)
    if field == "attach":
        shown = [_spelled(path) for path in value]
    elif field == "store":
        shown = [_spelled(value)] if value else []
    elif field in _PEOPLE:
        shown = [", ".join(_one_line(one) for one in value)] if value else []
    else:
        shown = [_one_line(str(value))] if value else []
    if not shown and field in _ALWAYS and (draft.verb != "note" or field not in _PEOPLE):  # a note is for us alone
        shown = [""]
    lines = (f"{name}: {words}".rstrip() for words in shown)
    if field == "subject" or field in _PEOPLE:
        return (_BEFORE_ORDER.sub("\u00a0", line) for line in lines)
    return lines


def _is_header(lines: Sequence[str]) -> bool:
    """Is this first paragraph a header, or words?

    It begins as a header does and has a name that we know; or our verb stands in it, whatever slipped in before.
    """
    known = [found for line in lines if (found := _HEADER.fullmatch(line)) and found[1].lower() in _FIELDS]
    begins = bool(lines) and _HEADER.fullmatch(lines[0]) is not None
    return bool(known) and (begins or any(_is_verb(found) for found in known))


def _is_verb(found: re.Match[str]) -> bool:
    return found[1].lower() == "verb" and found[2].strip().lower() in VERBS


def _values(lines: Sequence[str], number: int) -> dict[str, Any]:
    """What a header says, field → value; `number` is its first line's."""
    values: dict[str, Any] = {}
    for at, name, pieces in _headers(lines, number):
        field = name.lower()
        if field not in _FIELDS:
            raise Refused(f"line {at}: there is no header {_one_line(name)!r}; there are {', '.join(HEADERS)}")
        if field in _ONCE and field in values:
            raise Refused(f"line {at}: {name}: stands there twice")
        value = _value(at, field, pieces)
        values[field] = (*values.get(field, ()), *value) if isinstance(value, tuple) else value
    return values


def _headers(lines: Sequence[str], number: int) -> Iterator[tuple[int, str, list[str]]]:
    """(line number, name, the value line by line) of each header."""
    at, name, pieces = 0, "", list[str]()
    for here, line in enumerate(lines, number):
        if name and line[0] in " \t":
            pieces.append(line.strip())
            continue
        found = _HEADER.fullmatch(line)
        if not found:
            raise Refused(f"line {here}: {_one_line(line)[:40]!r} is no header; the words begin below an empty line")
        if name:
            yield at, name, pieces
        at, name, pieces = here, found[1], [found[2].strip()]
    if name:
        yield at, name, pieces


def _value(at: int, field: str, pieces: Sequence[str]) -> Any:
    """What one header says."""
    if field == "attach":
        return tuple(_path(at, piece) for piece in pieces if piece)
    words = _one_line(" ".join(pieces))
    if field in _PEOPLE:
        return _people(at, words)
    if field == "store":
        return _path(at, pieces[0]) if pieces[0] else ""
    if field == "verb":
        if words.lower() not in ("", *VERBS):
            raise Refused(f"line {at}: {words!r} is no verb: it must be {', '.join(VERBS[:-1])} or {VERBS[-1]}")
        return words.lower()
    if field in ("record", "message"):
        return _number(at, words) if words else None
    return words or None if field == "subject" else words


def _number(at: int, words: str) -> int:
    found = _NUMBER.fullmatch(words)
    if not found or not int(found[1]):
        raise Refused(f"line {at}: {words!r} is no number: it must be like 101")
    return int(found[1])


def _people(at: int, words: str) -> tuple[str, ...]:
    """`"Doe, Ann" <ann@x.example>, bob` → its two parts: split at commas, but not inside quotes."""
    parts, quoted, escaped = [""], False, False
    for char in words:
        if char == "," and not quoted:
            parts.append("")
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and char == "\\" and not escaped
        parts[-1] += char
    if quoted:
        raise Refused(f"line {at}: a quote is opened and not closed")
    return tuple(part.strip() for part in parts if part.strip())


def _spelled(path: str) -> str:
    """A path in one line: as it is, or quoted as JSON does where a line could not hold it or an editor would run it."""
    plain = path == clean(path) and path == path.strip() and not path.startswith('"') and "\n" not in path
    if plain:
        return path
    from json import dumps  # which most drafts have no use for

    return dumps(path)


def _path(at: int, words: str) -> str:
    if not words.startswith('"'):
        return words
    try:
        from json import loads

        found = loads(words)
    except ValueError:
        found = None
    if not isinstance(found, str) or not found:
        raise Refused(f"line {at}: {_one_line(words)} is no path: its quotes do not fit")
    return found


def _one_line(words: str) -> str:
    return " ".join(clean(words).split())


def _trimmed(lines: Sequence[str]) -> str:
    """`lines` without the empty ones around them."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""
