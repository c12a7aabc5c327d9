"""Plain text that is not quite plain: what its type says about line ends and marks.

`format=flowed` (RFC 3676): a line that ends with a blank goes on in the next one, so that every reader may wrap it to
his own width; with `delsp=yes`, as for Japanese, the blank is no part of the words.  `text/enriched` (RFC 1896) and
`text/richtext` (RFC 1341) are mail's forerunners of HTML; their marks are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

LIMIT = 256 * 1024  # letters that are looked at; what follows stays as it came

_PARAMETER = re.compile(r"<param>[^<]*</param>", re.I)
_MARK = re.compile(r"</?[a-zA-Z0-9-]{1,60}>")
_BREAKS = re.compile(r"\n+")


def told(text: str, kind: str, parameters: Mapping[str, str]) -> str:
    """The words of a text part of the type `kind`, line ends LF, as it means them."""
    cut = len(text) if len(text) <= LIMIT else text.rfind("\n", 0, LIMIT) + 1
    head, rest = text[:cut], text[cut:]
    if kind == "text/plain" and parameters.get("format", "").lower() == "flowed":
        return "\n".join(_unflowed(head, parameters.get("delsp", "").lower() == "yes")) + rest
    if kind == "text/enriched":
        # One line end is a blank, of several the first.
        head = _BREAKS.sub(lambda ends: "\n" * (len(ends[0]) - 1) or " ", head)
        return _unmarked(head.replace("<<", "\0")).replace("\0", "<") + rest
    if kind == "text/richtext":
        head = re.sub(r"<(?:nl|/?paragraph)>", "\0", head.replace("\n", " "), flags=re.I)
        return _unmarked(head).replace("<lt>", "<").replace("\0", "\n") + rest
    return text


def _unmarked(text: str) -> str:
    return _MARK.sub(lambda mark: mark[0] if mark[0].lower() == "<lt>" else "", _PARAMETER.sub("", text))


def _unflowed(text: str, without_blank: bool) -> Iterator[str]:
    """The lines of `text`, those of one paragraph joined; `-- ` above a signature flows nowhere."""
    paragraph: list[str] = []
    level = 0
    for line in text.split("\n"):
        words = line.lstrip(">")
        deep, words = len(line) - len(words), words.removeprefix(" ")
        if paragraph and (deep != level or words == "-- "):
            yield _line(level, paragraph)
            paragraph = []
        level, flows = deep, words.endswith(" ") and words != "-- "
        paragraph.append(words[:-1] if flows and without_blank else words)
        if not flows:
            yield _line(level, paragraph)
            paragraph = []
    if paragraph:
        yield _line(level, paragraph)


def _line(level: int, paragraph: list[str]) -> str:
    """A > of the writer's own keeps the blank that tells it from a quote's."""
    words = "".join(paragraph)
    words = words if words == "-- " else words.rstrip(" ")
    if level:
        return f"{'>' * level} {words}".rstrip() if words != "-- " else f"{'>' * level} -- "
    return f" {words}" if words[:1] == ">" else words
