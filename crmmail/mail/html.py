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

LAID_OUT = 256 * 1024  # letters given to the libraries
CRUDE = 2 * 1024 * 1024  # letters beyond which lines and links are given up for time; 50 MB take seconds
MAX_DEPTH = 500  # open elements at once; nh3 takes seconds for some thousands

_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Elements that end by themselves and so do not nest when their end is not written.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr"
    " p li td th tr dt dd option thead tbody".split()
)
_SILENT = re.compile(r"<(style|script|title|template)\b[^<>]*>?|<!--", re.I)
_ENDS = {name: re.compile(rf"</{name}\b[^<>]*>?", re.I) for name in ("style", "script", "title", "template")}
_ENDS["!--"] = re.compile("-->")
_BREAK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|center|dd|div|dl|dt|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre"
    r"|section|table|tr|ul)\b[^<>]*>?",
    re.I,
)
_CELL = re.compile(r"</?t[dh]\b[^<>]*>?", re.I)
_ANCHOR = re.compile(r"</?a\b([^<>]*)>?", re.I)
_ANY = re.compile(r"</?[a-zA-Z][^<>]*>?|<[!?/][^<>]*>?")
_HREF = re.compile(r"""\bhref\s*=\s*["']?\s*((?:https?|mailto|tel):[^"'\s>]{1,2000})""", re.I)
_TARGET = re.compile(r" ?\(([^()\s]{1,2000})\)")
# A wrapper with font-size 0 is how many newsletters are laid out, so only the words right inside one are hidden.
_SIZELESS = re.compile(r"(<[a-zA-Z][^<>]{0,1000}font-size:\s*0(?:px|pt|em|%)?\s*[;\"'!][^<>]{0,1000}>)[^<]+", re.I)
_HIDDEN = (
    "[hidden]",
    '[style*="display:none" i]',
    '[style*="display: none" i]',
    '[style*="visibility:hidden" i]',
    '[style*="visibility: hidden" i]',
    '[style*="mso-hide:all" i]',
    '[style*="mso-hide: all" i]',
    "template",
    "iframe",
)


def to_text(html: str) -> str:
    """The words of `html`, laid out, links with their target behind them in parentheses.  Never raises."""
    cut = len(html)
    if cut > LAID_OUT:
        tag = html.rfind("<", LAID_OUT - 4096, LAID_OUT)
        cut = tag if tag > 0 else LAID_OUT
    head, rest = html[:cut], html[cut:]
    text = "" if depth(head) > MAX_DEPTH else _laid_out(head)
    if not text.strip():
        text = strip_tags(head)
    if rest:
        # A style sheet that the cut went through would come out as words.
        opened = [found for found in _SILENT.finditer(head) if found[1]]
        if opened and not _ENDS[opened[-1][1].lower()].search(head, opened[-1].end()):
            rest = f"<{opened[-1][1]}>{rest}"
        text = f"{text}\n{strip_tags(rest)}"
    return text.strip("\n")


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
    from html import unescape

    if len(html) > CRUDE:
        return unescape(re.sub(r"<[a-zA-Z/!?][^<>]*>", " ", _without_silent(html)))
    target = ""

    def link(tag: re.Match[str]) -> str:
        nonlocal target
        before, found = target, _HREF.search(tag[1])
        target = found[1] if found else ""
        return f" ({before})" if before and tag[0][1] == "/" else ""

    text = re.sub(r"[ \t\r\n\f]+", " ", _without_silent(html))
    text = _BREAK.sub("\n", text)
    text = _CELL.sub(" ", text)
    text = _ANCHOR.sub(link, text)
    text = unescape(_ANY.sub("", text))
    text = re.sub(r"[ \t\r\xa0]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return _tidy_targets(re.sub(r"\n{3,}", "\n\n", text)).strip(" \n")


def _without_silent(html: str) -> str:
    """`html` without comments and the elements that show nothing; of those without an end, only the tag goes."""
    out: list[str] = []
    position = 0
    # Ends that were sought and are not there are not sought again: a million "<!--" would take an hour.
    missing: set[str] = set()
    for opened in _SILENT.finditer(html):
        if opened.start() < position:
            continue
        name = (opened[1] or "!--").lower()
        end = None if name in missing else _ENDS[name].search(html, opened.end())
        out.append(html[position : opened.start()])
        if end is None:
            missing.add(name)
        position = end.end() if end else opened.end()
    return "".join(out) + html[position:]


def _laid_out(html: str) -> str:
    try:
        from resiliparse.extract.html2text import extract_plain_text

        text = extract_plain_text(
            _SIZELESS.sub(r"\1", html),
            links=True,
            preserve_formatting=True,
            noscript=True,
            form_fields=False,
            skip_elements=_HIDDEN,
        )
    except BaseException as trouble:  # a panic of the library is no Exception; strip_tags takes over
        if isinstance(trouble, KeyboardInterrupt):
            raise
        return ""
    return _tidy_targets(text)


def _tidy_targets(text: str) -> str:
    """Leave out a link's target where the words before it are the target, and targets inside the page."""
    out: list[str] = []
    position = 0
    for found in _TARGET.finditer(text):
        target = found[1]
        bare = re.sub(r"^(?:https?://|mailto:|tel:)", "", target).rstrip("/")
        before = text[max(position, found.start() - len(target) - 1) : found.start()].rstrip("/")
        if target.startswith("#") or (":" in target and bare and before.endswith(bare)):
            out.append(text[position : found.start()])
            position = found.end()
    return "".join(out) + text[position:]
