"""What only a browser shows of a letter's page, written into it: where links lead, what is quoted, what is hidden.

`annotated` goes through the tags of a page once, before its words are laid out.  The target of a link is put behind
its words, for they may lie: `https://bank.example` can lead anywhere.  Elements that nobody sees, such as the line
that newsletters write for previews, get the attribute `hidden`.  A blockquote is given marks, of which `quoted` makes
the > of plain text, so that an answer below or between quotes is found.  Nothing is fetched, and tags that make no
sense are passed over: the worst is a target, or a >, that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape

from crmmail.core.typed import NamedTuple

TARGET_LIMIT = 2000  # letters shown of a target
MARKS = 9  # levels of > at most

_OPEN, _CLOSE = "\ue000", "\ue001"  # stand where a quote begins and ends; for private use, so nobody's words
_MARK = re.compile(f"([{_OPEN}{_CLOSE}])")
# Tags end where browsers let them end (WHATWG "HTML", 13.2.5), for what we take for the inside of a tag may be a link
# to them.  A tag without an end reaches to the page's, so no letter is looked at twice.  No group is possessive
# (`?+`), which Python before 3.11.5 gets wrong (gh-106052); so of attributes a hundred are read at a time.
_ATTRIBUTE = r"""([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^\s>]*+)))?"""
_EACH = re.compile(_ATTRIBUTE)
_UNNAMED = re.sub(r"\((?!\?)", "(?:", _ATTRIBUTE)
_SOME = re.compile(rf"(?:[\s/]++|{_UNNAMED}){{1,100}}")
_BEGIN = re.compile(r"<!--|<(/?)([a-zA-Z][^\s/>]*+)")
_COMMENT_END = re.compile(r"--!?>")
# What stands in these is no markup.
_RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.I)
    for name in ("style", "script", "title", "textarea", "iframe", "xmp", "noembed", "noframes")
}
_TAG = re.compile(r"<[^<>]*>")
_SCHEME = re.compile(r"(?:https?://|mailto:|tel:)")
_NOTHING = re.compile(r"0*\.?0*(?:px|pt|em|rem|%|)\Z")  # a length, or an opacity, of 0
_FAR_AWAY = re.compile(r"-(?:\d{4,}|[5-9]\d\d)(?:\.\d*)?(?:px|pt|em|%)?\Z")
# The line above a quote that says whose it is, as Gmail and Thunderbird mark it.
_ATTRIBUTIONS = {"gmail_attr", "moz-cite-prefix"}


class _Tag(NamedTuple):
    name: str
    closes: bool
    begin: int
    inside: int  # where its attributes begin
    end: int
    attributes: str


class _Link(NamedTuple):
    begin: int  # where its words begin
    target: str
    doubtful: bool  # something in it is hidden, so its end may be too


class _Block(NamedTuple):
    """A blockquote or a div that is open."""

    begin: int
    attributes: str


_NO_LINK = _Link(0, "", False)


def annotated(html: str) -> str:
    """`html` with the targets of its links and marks for its quotes, hidden elements as `hidden`.  Linear, no raise."""
    html = _MARK.sub("", html) if _OPEN in html or _CLOSE in html else html
    page = _Page(html)
    for tag in _tags(html):
        page.see(tag)
    page.leave_link(len(html))
    return _edited(html, page.edits)


def _tags(html: str) -> Iterator[_Tag]:
    """The tags of a page, those in comments left out."""
    position = raw_end = 0
    unended: set[str] = set()  # what has no end is not sought again
    while found := _BEGIN.search(html, position):
        position = found.end()
        if not found[2]:
            if found.start() >= raw_end and "!--" not in unended:
                end = _COMMENT_END.search(html, found.start() + 2)
                position = end.end() if end else position
                unended |= set() if end else {"!--"}
            continue
        while some := _SOME.match(html, position):
            position = some.end()
        attributes = html[found.end() : position]
        position = min(position + 1, len(html))  # what stops there is a > or the page's end
        if found.start() < raw_end < position:
            position = raw_end  # it began as if in a script, and the script ended
            continue
        if found.start() < raw_end:
            continue
        tag = _Tag(found[2].lower(), bool(found[1]), found.start(), found.end(), position, attributes)
        yield tag
        if not tag.closes and tag.name in _RAW and tag.name not in unended:
            end = _RAW[tag.name].search(html, position)
            raw_end = end.start() if end else raw_end
            unended |= set() if end else {tag.name}


class _Page:
    """What has been seen of a page, and what is to be written into it: (begin, end, what stands there instead)."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.edits: list[tuple[int, int, str]] = []
        self.base = ""
        self.link = _NO_LINK
        self.quotes: list[_Block] = []
        self.divs: list[_Block] = []
        self.attribution = (0, 0)  # where the last one begins and ends
        self.styles: dict[str, tuple[bool, bool]] = {}  # the cells of a newsletter's table all have the same

    def see(self, tag: _Tag) -> None:
        name = tag.name
        if name == "a":
            self.leave_link(tag.begin)
        if tag.closes:
            if name == "blockquote" and self.quotes:
                self._leave_quote(tag.begin)
            elif name == "div" and self.divs:
                div = self.divs.pop()
                if not _ATTRIBUTIONS.isdisjoint(_told(div.attributes).get("class", "").split()):
                    self.attribution = (div.begin, tag.end)
            return
        if name == "a":
            target = _target(_told(tag.attributes).get("href", ""), self.base)
            self.link = _Link(tag.end, target, False)
        elif name == "base":
            self.base = self.base or _told(tag.attributes).get("href", "")
        elif name == "blockquote":
            self.quotes.append(_Block(self._above(tag), tag.attributes))
        elif name == "div":
            self.divs.append(_Block(tag.end, tag.attributes))
        self._hide(tag)

    def leave_link(self, end: int) -> None:
        link, self.link = self.link, _NO_LINK
        if link.target:
            words = unescape(_TAG.sub("", self.html[link.begin : end]))
            if link.doubtful:
                self._write(link.begin, f"({escape(link.target, quote=False)}) ")
            elif _bare(words) != _bare(link.target):
                self._write(end, f" ({escape(link.target, quote=False)})")

    def _above(self, quote: _Tag) -> int:
        """Where a quote begins: with its attribution, if nothing stands between them."""
        (begin, end), self.attribution = self.attribution, (0, 0)  # asked once, for pages may have thousands of quotes
        alone = bool(end) and not _TAG.sub("", self.html[end : quote.begin]).strip()
        return begin if alone else quote.end

    def _leave_quote(self, end: int) -> None:
        """What has no end, and what only moves words to the right, is no quote."""
        begin, attributes = self.quotes.pop()
        if not _indents(attributes):
            self._write(begin, _OPEN)
            self._write(end, _CLOSE)

    def _hide(self, tag: _Tag) -> None:
        hidden = sizeless = False
        if "style" in tag.attributes.lower():
            style = _told(tag.attributes).get("style", "")
            if style not in self.styles:
                self.styles[style] = _hiding(style)
            hidden, sizeless = self.styles[style]
        if hidden:
            self.edits.append((tag.inside, tag.inside, " hidden "))
        elif sizeless:
            # A wrapper of size 0 is how many newsletters are laid out, so only the words right inside it are hidden.
            following = self.html.find("<", tag.end)
            self.edits.append((tag.end, following if following >= 0 else len(self.html), ""))
        hidden = hidden or ("hidden" in tag.attributes.lower() and "hidden" in _told(tag.attributes))
        if tag.name != "a" and (hidden or sizeless or tag.name in _RAW or tag.name == "template"):
            self.link = self.link._replace(doubtful=True)

    def _write(self, at: int, words: str) -> None:
        self.edits.append((at, at, words))


def quoted(text: str) -> str:
    """Laid-out words with the marks of `annotated` as > in front of the lines between them."""
    text = text.removeprefix(" ")  # the layout leaves one where a page begins with a line end
    lines: list[str] = []
    depth = 0
    for piece in _MARK.split(text):
        if piece == _OPEN:
            depth += 1
        elif piece == _CLOSE:
            depth = max(0, depth - 1)
        elif depth and piece.strip():
            lines += [
                f"{'>' * min(depth, MARKS)} {line}".rstrip() for line in piece.strip("\n").removeprefix(" ").split("\n")
            ]
        elif piece.strip():
            lines += piece.removeprefix("\n").removesuffix("\n").split("\n")
    return "\n".join(lines)


def _edited(html: str, edits: list[tuple[int, int, str]]) -> str:
    out: list[str] = []
    position = 0
    for begin, end, instead in sorted(edits, key=lambda edit: edit[0]):
        out += (html[position:begin], instead)
        position = max(position, end)
    return "".join(out) + html[position:]


def _told(attributes: str) -> dict[str, str]:
    """The attributes of a tag; of two with one name the first counts."""
    told: dict[str, str] = {}
    for found in _EACH.finditer(attributes):
        told.setdefault(found[1].lower(), unescape(found[2] or found[3] or found[4] or ""))
    return told


def _target(href: str, base: str) -> str:
    """Where a link leads, as browsers read it; "" where it leads nowhere, or only to another place of its page."""
    target = re.sub(r"[\t\r\n]", "", href).strip().replace(" ", "%20")
    if target.startswith("#"):
        return ""
    if base and target:
        from urllib.parse import urljoin

        try:
            target = urljoin(base, target)
        except ValueError:
            pass
    limit = 60 if target[:5].lower() == "data:" else TARGET_LIMIT
    return target if len(target) <= limit else f"{target[:limit]}…"


def _bare(words: str) -> str:
    return _SCHEME.sub("", "".join(words.lower().split()), count=1).rstrip("/")


def _indents(attributes: str) -> bool:
    """A blockquote that quotes nobody: Gmail and Apple Mail move a paragraph to the right by one."""
    style = "".join(_told(attributes).get("style", "").lower().split())
    return "cite" not in attributes.lower() and ("border:none" in style or "webkit-indent" in attributes.lower())


def _hiding(style: str) -> tuple[bool, bool]:
    """(is the element hidden, are only the words right inside of it), by its style."""
    said: dict[str, str] = {}
    for rule in re.sub(r"\s+|!important", "", style.lower()).split(";"):
        name, _, value = rule.partition(":")
        said[name] = value
    clipped = said.get("overflow", "") == "hidden" and any(
        _is_nothing(said.get(side, "")) for side in ("max-height", "height", "max-width", "width")
    )
    away = said.get("position") in ("absolute", "fixed") and any(
        _FAR_AWAY.match(said.get(side, "")) for side in ("left", "top")
    )
    hidden = (
        said.get("display") == "none"
        or said.get("visibility") in ("hidden", "collapse")
        or said.get("mso-hide") == "all"
        or _is_nothing(said.get("opacity", ""))
        or clipped
        or away
        or bool(_FAR_AWAY.match(said.get("text-indent", "")))
    )
    return hidden, _is_nothing(said.get("font-size", "1"))


def _is_nothing(length: str) -> bool:
    return bool(length) and bool(_NOTHING.match(length))
