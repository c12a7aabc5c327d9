"""The lines at the top: where the header ends, what its fields are, what the parameters of a field say.

Read from bytes by ourselves, because real headers are broken where the standard library gives up: it ends the
header at the first line without a colon and shows the rest, Subject and all, as the letter's text.  Here such a
line is skipped as long as good fields follow; after the last good field it begins the body.  A mail with no field
at all is all body.  LF, CRLF and CR line ends are known, and an mbox line ("From ann@… Mon Nov 2") on top is none
of the mail's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple
from crmmail.mail.charset import decode, decode_words, one_line

MAX_HEADER = 256 * 1024
MAX_MIME_FIELDS = 100  # of one part
MENDED_LINES = 1000  # of a header, behind the first one that is no field
MAX_PARAMETERS = 500  # continuations of one file name count each


class Field(NamedTuple):
    """One header field: name in lower case, the bytes behind the colon, still folded."""

    name: str
    raw: bytes


class Split(NamedTuple):
    """Where a header and a body lie in the mail's bytes."""

    start: int
    end: int  # of the header, its last line end included
    body: int


# Possessive (*+) only what is one character wide: Python before 3.11.5 gets groups wrong (gh-106052).  Of a group a
# pattern keeps a hundred bytes for each turn, so no more than a megabyte is looked at at a time, or GOOD_LINES.
GOOD_LINES = 1000
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:(.*+(?:\n[ \t].*+)*)", re.M)
_MIME_FIELD = pattern(rb"^(content-[!-9;-~]++)[ \t]*+:(.*+(?:\n[ \t].*+)*)", re.M | re.I)
_GOOD_LINES = re.compile(rb"(?:(?:[!-9;-~]++[ \t]*+:|[ \t]).*+(?:\n|\Z)){1,%d}" % GOOD_LINES)
_BLANK = re.compile(rb"\n\r?\n")
_LINE = re.compile(rb".*(?:\n|\Z)")
_MBOX = re.compile(rb">?From [^\n]*\n")
# After a line that is no field, a line of text such as "Note: mind this" must not pass for one.  Compiled when needed.
_KNOWN = (
    rb"(?i:from|to|cc|bcc|date|subject|sender|received|precedence|references|in-reply-to|message-id|reply-to|mime-version"
    rb"|return-path|auto-submitted|content-[a-z-]+|x-[!-9;-~]+|[a-z]+-(?:id|to|path|by|signature|results))[ \t]*:"
)
_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.S)
_ESCAPED = re.compile(rb"\\(.)", re.S)
_PERCENT = pattern(rb"%([0-9A-Fa-f]{2})")
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?\Z")


def with_newlines(raw: bytes) -> bytes:
    """A mail whose lines end in CR alone, given LF; every other mail as it is."""
    return raw if b"\n" in raw or b"\r" not in raw else raw.replace(b"\r", b"\n")


def split_header(raw: bytes) -> tuple[bytes, bytes]:
    """Header block and body of a whole mail, CR line ends turned to LF, an mbox line on top left out."""
    raw = with_newlines(raw)
    at = split_at(raw)
    return raw[at.start : at.end], raw[at.body :]


def split_at(raw: bytes) -> Split:
    """Where header and body of a whole mail lie; `raw` has LF or CRLF line ends."""
    start = 0
    if mbox := _MBOX.match(raw):
        start = mbox.end()
    else:
        # A stray blank line on top hides the header only if nothing but a header could follow.
        leading = re.compile(rb"(?:[ \t]*\r?\n){1,10}").match(raw)
        if leading and re.compile(_KNOWN).match(raw, leading.end()):
            start = leading.end()
    return split_part(raw, start, len(raw))


def split_part(raw: bytes, start: int, stop: int) -> Split:
    """Where header and body of the mail or part that fills raw[start:stop] lie."""
    if raw.startswith((b"\n", b"\r\n"), start, stop):
        return Split(start, start, min(stop, start + (1 if raw[start : start + 1] == b"\n" else 2)))
    blank = _BLANK.search(raw, start, stop)
    end, body = (blank.start() + 1, blank.end()) if blank else (stop, stop)
    # The usual header is good from its first line to its last; only others are looked at line by line.
    good = position = _good_lines(raw, start, end)
    clean = True
    for _ in range(MENDED_LINES):
        line = _LINE.match(raw, position, end)
        if line is None or line.end() == position:
            break
        if raw[position] not in b" \t" and re.compile(_KNOWN).match(raw, position, line.end()):
            clean, good = True, _good_lines(raw, position, end)
            position = good
        else:
            clean, position = False, line.end()
    if good == start:
        return Split(start, start, start)
    if clean or good >= end:
        return Split(start, end, body)
    return Split(start, good, good)


def _good_lines(raw: bytes, start: int, end: int) -> int:
    """Where the fields and folded lines end that begin at a line."""
    while found := _GOOD_LINES.match(raw, start, end):
        start = found.end()
    return start


def mime_fields(raw: bytes, start: int, end: int) -> list[Field]:
    """The fields of a part that say what it is; it has no others that anybody reads."""
    found = islice(_MIME_FIELD.finditer(raw, start, end), MAX_MIME_FIELDS)
    return [Field(one[1].decode("ascii").lower(), one[2]) for one in found]


def fields(block: bytes) -> list[Field]:
    """The fields of a header block, top first.  Lines that are no field are passed over."""
    return [field for field, _ in placed_fields(block, 0, len(block))]


def placed_fields(raw: bytes, start: int, end: int) -> Iterator[tuple[Field, int]]:
    """The fields of the header that lies in raw[start:end], each with the place where it begins."""
    for found in _FIELD.finditer(raw, start, end):
        yield Field(found[1].decode("ascii").lower(), found[2]), found.start()


def unfolded(raw: bytes) -> bytes:
    """A field's value on one line."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"").strip(b" \t\r")


def value_of(raw: bytes) -> bytes:
    """What stands before the parameters: `Text/Plain; charset=x` gives `text/plain`; comments are left out."""
    return re.sub(rb"\([^()]*\)", b"", unfolded(raw[:4000]).partition(b";")[0]).strip().lower()


def parameters(raw: bytes) -> dict[str, str]:
    """The parameters of a field by name in lower case (RFC 2231), decoded, one line each; the first of a name wins.

    `filename*0*=utf-8''a; filename*1=b` is joined by number and decoded with the charset of its first piece; plain
    values may hold encoded words, which RFC 2047 forbids and everybody writes.
    """
    plain: dict[str, bytes] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for number, found in enumerate(_PARAMETER.finditer(b";" + unfolded(raw).partition(b";")[2])):
        if number >= MAX_PARAMETERS:
            break
        value = found[2].strip()
        if value[:1] == b'"':
            value = _ESCAPED.sub(rb"\1", value[1:-1] if value[-1:] == b'"' and len(value) > 1 else value[1:])
        section = _SECTION.match(found[1].decode("latin-1").lower())
        if section is None:
            continue
        if section[2] or section[3]:
            pieces.setdefault(section[1], {}).setdefault(int(section[2] or 0), (value, bool(section[3])))
        else:
            plain.setdefault(section[1], value)
    answer = {name: decode_words(value) for name, value in plain.items()}
    answer.update({name: _joined(sections) for name, sections in pieces.items()})
    return answer


def _joined(sections: dict[int, tuple[bytes, bool]]) -> str:
    charset, data = "", b""
    for place, number in enumerate(sorted(sections)):
        value, coded = sections[number]
        if coded and place == 0 and value.count(b"'") >= 2:
            label, _, value = value.split(b"'", 2)
            charset = label.decode("latin-1")
        data += _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), value) if coded else value
    return one_line(decode(data, charset)[0])
