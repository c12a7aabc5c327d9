"""HTML as words: what a person at a terminal reads of a letter that has no plain text.

`to_text` lays out with resiliparse (Apache-2.0): of the libraries tried it alone keeps the words of 50,000 nested
tables in a tenth of a second and 40 MB, and loads in a few ms.  Links are shown with their target, because the words
of a link lie; style, scripts and the hidden lines for previews are left out; nothing is ever fetched.  Past 256 KB,
or where nesting is deeper than any letter's, `strip_tags` of our own goes on, in one pass, dropping tags but no words.
`safe` keeps the markup for other readers, without scripts and event handlers (nh3); it is slow on deep nesting, so
what is deeper than a letter is not kept.

resiliparse and nh3 are loaded when first needed: most mail has plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crmmail.mail.page import annotated, quoted

LAID_OUT = 256 * 1024  # letters given to the libraries
SLICE = 1024 * 1024  # letters of a big page that are looked at together
READ = 10_000  # entities of such a slice that are read, beside the commonest
CRUDE = 2 * 1024 * 1024  # letters beyond which lines and links are given up for time; 50 MB take seconds
MAX_DEPTH = 500  # open elements at once; nh3 takes seconds for some thousands

_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Elements that end by themselves and so do not nest when their end is not written.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr"
    " p li td th tr dt dd option thead tbody".split()
)
_ENDS = {name: re.compile(rf"</{name}\b[^<>]*>?", re.I) for name in ("style", "script", "title", "template")}
_ENDS["!--"] = re.compile("-->")
_BREAK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|center|dd|div|dl|dt|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre"
    r"|section|table|tr|ul)\b[^<>]*>?",
    re.I,
)
_CELL = re.compile(r"</?t[dh]\b[^<>]*>?", re.I)
_ANY = re.compile(r"</?[a-zA-Z][^<>]*>?|<[!?/][^<>]*>?")
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*+>")
_ENTITIES = (("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"))  # the commonest


def to_text(html: str, *, crudely: bool = False) -> str:
    """The words of `html`, laid out, links with their target behind them in parentheses.  Never raises.

    Args:
        crudely: drop the tags, lay out nothing.
    """
    return "".join(pieces_of_text(html, crudely=crudely)).strip("\n")


def pieces_of_text(html: str, *, crudely: bool = False) -> Iterator[str]:
    """The same, piece by piece: 50 MB of markup can be given up before the words are put together."""
    if not _TAG_NAME.search(html):  # plain text under the wrong name
        from html import unescape

        yield unescape(html) if len(html) <= CRUDE else html
        return
    cut = 0 if crudely else len(html)
    if cut > LAID_OUT:
        tag = html.rfind("<", LAID_OUT - 4096, LAID_OUT)
        cut = tag if tag > 0 else LAID_OUT
    head = html[:cut]
    text = "" if depth(head) > MAX_DEPTH else quoted(_laid_out(annotated(head)))
    yield text if text.strip() else strip_tags(head)
    if cut < len(html):
        yield "\n"
        # A style sheet that the cut went through would come out as words.
        opened = [found for found in _silent(list(_ENDS)).finditer(head) if found[1]]
        inside = bool(opened) and not _ENDS[opened[-1][1].lower()].search(head, opened[-1].end())
        shown = _visible(html, cut, opened[-1][1].lower() if inside else "")
        if crudely or len(html) - cut > CRUDE:
            yield from map(_crudely, shown)
        else:
            yield _stripped(annotated("".join(shown)))


def safe(html: str) -> str:
    """`html` without scripts, styles, event handlers; "" where it is too big or too deep to be cleaned in time."""
    if len(html) > LAID_OUT or depth(html) > MAX_DEPTH:
        return ""
    try:
        import nh3

        return nh3.clean(html, clean_content_tags={"script", "style", "title"})
    except BaseException as trouble:  # a panic of the library is no Exception
        if isinstance(trouble, KeyboardInterrupt):
            raise
        return ""


def depth(html: str) -> int:
    """How many elements are open at once at most, by a scan that knows no grammar."""
    deepest = now = 0
    for found in _TAG_NAME.finditer(html):
        if found[2].lower() in _FLAT:
            continue
        now = max(0, now - 1) if found[1] else now + 1
        deepest = max(deepest, now)
    return deepest


def strip_tags(html: str) -> str:
    """The words of `html`: tags away, lines where blocks end, style and scripts away.  Linear, no word dropped."""
    return _stripped(annotated("".join(_visible(html))))


def _stripped(html: str) -> str:
    from html import unescape

    text = re.sub(r"[ \t\r\n\f]+", " ", html)
    text = _BREAK.sub("\n", text)
    text = _CELL.sub(" ", text)
    text = unescape(_ANY.sub("", text))
    text = re.sub(r"[ \t\r\xa0]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return quoted(re.sub(r"\n{3,}", "\n\n", text)).strip(" \n")


def _crudely(html: str) -> str:
    """The words of a slice of a page of many megabytes."""
    from html import unescape

    text = _TAG.sub(" ", html)
    for entity, letter in _ENTITIES:
        text = text.replace(entity, letter)
    # Each costs a call of Python, and 50 MB may have 20 million of them.  What is not read stays as it is written.
    return unescape(text) if text.count("&") <= READ else text.replace("&amp;", "&")


def _visible(html: str, position: int = 0, inside: str = "") -> Iterator[str]:
    """`html` from a position on, without comments and the elements that show nothing, in pieces that end before a tag.

    Of such elements without an end only the tag goes.

    Args:
        inside: the element that shows nothing and is open at the position, "" if none is.
    """
    if inside and (end := _ENDS[inside].search(html, position)):
        position = end.end()
    names = list(_ENDS)
    beginning = _silent(names)
    waiting: list[str] = []
    size, seek = 0, position
    while opened := beginning.search(html, seek):
        name = (opened[1] or "!--").lower()
        seek = opened.end()
        end = _ENDS[name].search(html, seek)
        if end is None:  # never sought again: a million "<!--" would take an hour
            names.remove(name)
            beginning = _silent(names)
            continue
        if opened.start() > position:
            waiting.append(html[position : opened.start()])
            size += len(waiting[-1])
        position = seek = end.end()
        if size > SLICE:
            yield from _sliced(_without_marks("".join(waiting), names))
            waiting, size = [], 0
    yield from _sliced(_without_marks("".join(waiting), names))
    for piece in _sliced(html, position):
        yield _without_marks(piece, names)


def _silent(names: list[str]) -> re.Pattern[str]:
    """Where one of these elements begins."""
    tags = "|".join(name for name in names if name != "!--") or "(?!)"
    return re.compile(rf"<({tags})\b[^<>]*+>?" + "|<!--" * ("!--" in names), re.I)


def _without_marks(html: str, names: list[str]) -> str:
    """Without the beginnings of comments that do not end; those of elements are tags and go with the others."""
    return html if "!--" in names else html.replace("<!--", "")


def _sliced(html: str, start: int = 0) -> Iterator[str]:
    """`html` from a place on, in slices that end before a tag, or where there is none for long, anywhere."""
    while start < len(html):
        cut = min(start + SLICE, len(html))
        tag = html.rfind("<", start + 1, cut) if cut < len(html) else -1
        cut = tag if tag > 0 else cut
        yield html[start:cut]
        start = cut


def _laid_out(html: str) -> str:
    try:
        from resiliparse.extract.html2text import extract_plain_text

        return extract_plain_text(
            html,
            links=False,
            preserve_formatting=True,
            noscript=True,
            form_fields=False,
            skip_elements=["[hidden]", "template", "iframe"],
        )
    except BaseException as trouble:  # a panic of the library is no Exception; strip_tags takes over
        if isinstance(trouble, KeyboardInterrupt):
            raise
        return ""
