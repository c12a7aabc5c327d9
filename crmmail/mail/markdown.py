"""The HTML twin of a letter's text: Markdown for those who write it, and plain mail left as it reads.

markdown-it-py does the reading (CommonMark with tables and strikethrough).  Most letters were not written as Markdown,
so what would change or swallow somebody's words is off: a line of `---` or `-- ` makes no heading of the line above,
`\\\\server\\share` and `&copy;` stay as typed, `[1]: https://…` does not vanish, and every line end is one.  HTML is
shown, not believed; an image becomes a link, for nothing in our mail is fetched; only links that lead to the web, a
mailbox or a telephone are links.

What is quoted (`> `) was written by somebody else: it stands in a blockquote, without emphasis, and no link in it comes
alive in a letter of ours.  An answer between two quotes stays outside them.
"""

from __future__ import annotations

import re
from functools import cache

from crmmail.core.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

MAX_TEXT = 200_000  # bytes of UTF-8
MAX_PAGE = 1_000_000  # letters; quotes in quotes, line by line, can make twenty of one
MAX_DEPTH = 100  # of quotes and lists in each other, twice for a list; beyond it the library drops words
# Brackets times letters of a paragraph, added up over the letter.  A link is sought from each "[" on to the end: an
# honest page costs some ten thousand, a hostile one took 20 s.
MAX_SEARCH = 5_000_000

_OFF = ("lheading", "reference", "image", "entity", "escape")
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.I)
_FENCE = re.compile(r" {0,3}(?:```[^`]*\Z|~~~)")
_QUOTE = re.compile(r"(?: {0,3}> ?)+")
_QUOTE_STYLE = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"
_PAGE = '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{}</body>\n</html>\n'


def as_html(text: str) -> str:
    """A whole HTML page of `text`; "" where there are no words, or it is too big or too deep."""
    if not text.strip() or len(text.encode("utf-8", "replace")) > MAX_TEXT:
        return ""
    reader = _reader()
    tokens = reader.parse(_with_quotes_ended(text))
    if any(token.level >= MAX_DEPTH - 1 for token in tokens):
        return ""
    page = _PAGE.format(reader.renderer.render(tokens, reader.options, {}))
    return page if len(page) <= MAX_PAGE else ""


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Reader(MarkdownIt):
        def validateLink(self, url: str) -> bool:
            return super().validateLink(url) and bool(_LINK.match(url))

    reader = Reader("commonmark", {"html": False, "linkify": False, "breaks": True, "maxNesting": MAX_DEPTH})
    reader.enable(["table", "strikethrough"]).disable(_OFF)
    reader.core.ruler.at("inline", _inline)
    return reader


def _with_quotes_ended(text: str) -> str:
    """`text` with an empty line where a quote ends or its depth falls.

    Markdown takes a line right below a quote for its continuation, and so an answer for the other's words.
    """
    lines: list[str] = []
    before, fenced = 0, False
    for line in text.split("\n"):
        fenced ^= bool(_FENCE.match(line))
        quote = _QUOTE.match(line)
        depth = quote[0].count(">") if quote else 0
        if depth < before and line.strip() and not fenced:
            lines.append(">" * depth)
        lines.append(line)
        before = depth
    return "\n".join(lines)


def _inline(state: StateCore) -> None:
    """The library's rule of this name, which reads emphasis and links; what is quoted, or too costly, stays words."""
    quoted, left = 0, MAX_SEARCH
    for token in state.tokens:
        if token.type == "blockquote_open":
            quoted += 1
            token.attrSet("style", _QUOTE_STYLE)
        elif token.type == "blockquote_close":
            quoted -= 1
        elif token.type in ("code_block", "fence"):
            token.attrSet("style", "white-space:pre-wrap")
        elif token.type == "inline":
            cost = token.content.count("[") * len(token.content)
            if quoted or cost > left:
                token.children = _plain(token.content)
                continue
            left -= cost
            token.children = []
            state.md.inline.parse(token.content, state.md, state.env, token.children)


def _plain(words: str) -> list[Token]:
    from markdown_it.token import Token

    tokens: list[Token] = []
    for line in words.split("\n"):
        if tokens:
            tokens.append(Token("hardbreak", "br", 0))
        tokens.append(Token("text", "", 0, content=line))
    return tokens
