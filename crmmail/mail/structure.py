"""The parts of a mail and where they lie, found without ever calling itself.

A mail is a tree: a letter, its HTML twin, pictures, forwarded mails.  Every parser that descends by recursion dies
of a mail made deep on purpose, so this one walks the bytes once, with the open multiparts on a list, and notes
offsets only; a mail of 50 MB is not copied.  Delimiters are found as RFC 2046 5.1 and the standard library find them:
a whole line, `--boundary` or `--boundary--`, and a delimiter of an outer multipart ends all that is open inside.
A forwarded mail (message/rfc822) is one leaf: what is in it belongs to somebody else's letter.
"""

from __future__ import annotations

import re

from crmmail.core.typed import NamedTuple
from crmmail.errors import OverLimit
from crmmail.mail import header

MAX_DEPTH = 50
MAX_PARTS = 1000

_TYPE = re.compile(rb"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")


class Entity(NamedTuple):
    """One node of the tree.  A leaf's body is raw[start:end]."""

    type: str  # "text/plain"; "" where the Content-Type is nonsense
    parameters: dict[str, str]  # of the Content-Type
    disposition: str  # "attachment", "inline", ""
    filename: str  # from Content-Disposition, "" if none
    encoding: str  # "base64", "" …
    content_id: str  # without <>
    parent: int  # index of the multipart it stands in, -1 for the mail itself
    place: int  # among its parent's children, from 0
    start: int
    end: int
    multipart: bool  # its children follow in the list


class Tree(NamedTuple):
    """A mail taken apart: offsets into its bytes, nothing copied."""

    fields: list[header.Field]
    entities: list[Entity]  # in document order, the mail itself first
    defects: list[str]


class _Open:
    """A multipart whose children are being read, with its next delimiter as far as it is known."""

    def __init__(self, index: int, boundary: str) -> None:
        self.index = index
        self.children = 0
        self.delimiter = re.compile(rb"\n--" + re.escape(boundary.encode("latin-1")) + rb"(--)?[ \t]*\r?(?=\n|\Z)")
        self.sought = False
        self.next: re.Match[bytes] | None = None

    def seek(self, raw: bytes, position: int, limit: int) -> re.Match[bytes] | None:
        """Its first delimiter at `position` or after, before `limit`.

        A delimiter not found before the outer's one stays not found, for there this multipart ends; so each byte is
        searched once a level.
        """
        if not self.sought or (self.next is not None and self.next.start() < position):
            self.next, self.sought = self.delimiter.search(raw, max(position, 0), limit), True
        return self.next


def tree(raw: bytes) -> Tree:
    """The parts of a mail with LF or CRLF line ends (`header.with_newlines`).  Raises OverLimit."""
    lies = header.split_at(raw)
    fields = header.fields(raw[lies.start : lies.end])
    found = [_entity(fields, -1, 0, lies.body, len(raw), "text/plain")]
    defects: list[str] = []
    stack: list[_Open] = []
    empty = 0
    position = _enter(found, stack)  # the line end before the next line to be read

    def close(opened: _Open, end: int, complete: bool) -> None:
        if not complete:
            defects.append("multipart without end")
        if not opened.children:  # no delimiter in it: what it holds is text, whatever it says it is
            entity = found[opened.index]
            found[opened.index] = entity._replace(type="", end=_trimmed(raw, end, entity.start), multipart=False)

    while stack:
        level, mark, limit = _next_delimiter(raw, stack, position)
        if not found[-1].multipart and found[-1].end > limit:
            found[-1] = found[-1]._replace(end=_trimmed(raw, limit, found[-1].start))
        while len(stack) - 1 > level:
            close(stack.pop(), limit, complete=False)
        if mark is None:
            break
        position = mark.end()
        if mark[1]:
            close(stack.pop(), limit, complete=True)
            continue
        begin, stop = position + 1, _next_delimiter(raw, stack, position)[2]
        if begin > stop:  # two delimiters in a row are one part; they are counted, for millions take a minute
            empty += 1
        if len(found) + empty > MAX_PARTS:
            raise OverLimit("too-many-parts", f"the mail has more than {MAX_PARTS} parts")
        if begin > stop:
            continue
        parent = stack[-1]
        lies = header.split_part(raw, begin, stop)
        default = "message/rfc822" if found[parent.index].type == "multipart/digest" else "text/plain"
        read = header.mime_fields(raw, lies.start, min(lies.end, lies.start + header.MAX_HEADER))
        found.append(_entity(read, parent.index, parent.children, lies.body, len(raw), default))
        parent.children += 1
        if found[-1].multipart and len(stack) >= MAX_DEPTH:
            raise OverLimit("too-deep", f"the mail's parts are nested more than {MAX_DEPTH} deep")
        position = max(position, _enter(found, stack))
    return Tree(fields, found, defects)


def _enter(found: list[Entity], stack: list[_Open]) -> int:
    """Open the last entity if it is a multipart; the line end before its body."""
    last = found[-1]
    if last.multipart:
        stack.append(_Open(len(found) - 1, last.parameters["boundary"]))
    return last.start - 1


def _next_delimiter(raw: bytes, stack: list[_Open], position: int) -> tuple[int, re.Match[bytes] | None, int]:
    """Which open multipart has the next delimiter, the delimiter and where it begins (the mail's end if none)."""
    level, mark, limit = -1, None, len(raw)
    for depth, opened in enumerate(stack):
        found = opened.seek(raw, position, limit)
        if found is not None and found.start() < limit:
            level, mark, limit = depth, found, found.start()
    return level, mark, limit


def _trimmed(raw: bytes, end: int, start: int) -> int:
    """The end of a body before a delimiter: the line end belongs to the delimiter (RFC 2046 5.1.1)."""
    if end < len(raw) and raw[end - 1 : end] == b"\r":
        end -= 1
    return max(end, start)


def _entity(fields: list[header.Field], parent: int, place: int, start: int, end: int, default: str) -> Entity:
    """What the MIME fields say; the first of a name counts."""
    first: dict[str, bytes] = {}
    for field in fields:
        if field.name.startswith("content-"):
            first.setdefault(field.name, field.raw)
    kind, parameters = default, {}
    if (raw_type := first.get("content-type")) is not None:
        value = header.value_of(raw_type)
        parameters = header.parameters(raw_type)
        if _TYPE.match(value):
            kind = value.decode("ascii")
        else:
            kind = "text/plain" if value in {b"text", b""} else ""
    boundary = parameters.get("boundary", "").rstrip()
    if not boundary.isascii():
        boundary = ""
    parameters["boundary"] = boundary
    multipart = kind.startswith("multipart/") and bool(boundary)
    disposition, filename = "", ""
    if (raw_disposition := first.get("content-disposition")) is not None:
        disposition = header.value_of(raw_disposition).decode("latin-1").strip('"')
        filename = header.parameters(raw_disposition).get("filename", "")
    return Entity(
        type="" if kind.startswith("multipart/") and not multipart else kind,
        parameters=parameters,
        disposition=disposition,
        filename=filename,
        encoding=header.value_of(first.get("content-transfer-encoding", b"")).decode("latin-1").strip("\"'"),
        content_id=header.unfolded(first.get("content-id", b""))[:500].decode("latin-1").strip(" <>"),
        parent=parent,
        place=place,
        start=min(start, end),
        end=end,
        multipart=multipart,
    )
