"""Lines in colours: what rich's own Console would write, though it is not asked."""

from __future__ import annotations

import random
import re

import pytest
from rich.text import Text

from crmmail.cli import paint
from crmmail.cli.line import STYLES, Body, Line, Paragraph, Span, paragraphs

PIECES = (
    "Hello ", "world", "  two  ", " ", "", "длинное слово ", "\tTab", "● ", "★ 12 ", "日本語 ", "x" * 50,
    "e\u0301 ok", "a-b c",
)  # fmt: skip


def by_rich(found: list[Paragraph], width: int, color: bool) -> str:
    console = paint._console(width, color)
    for one in found:
        text = Text.assemble(*((piece.text, STYLES[piece.style]) for piece in one.spans))
        for at, line in enumerate(text.divide(one.breaks(width))):
            line.rstrip()
            console.print(Text(one.further if at else one.before) + line, soft_wrap=True)
    return paint._written(console)


def some_line(chance: random.Random) -> Line:
    if chance.random() < 0.3:
        text = "\n".join("".join(chance.choices(PIECES, k=6)) for _ in range(3))
        return Body(text, chance.choice(("", "dim")), "    ")
    spans = range(chance.randrange(1, 5))
    return tuple(
        Span("".join(chance.choices(PIECES, k=chance.randrange(6))), chance.choice(list(STYLES))) for _ in spans
    )


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("width", [20, 33, 80])
def test_lines_are_those_of_rich(width: int, color: bool) -> None:
    chance = random.Random(width)
    for _ in range(150):
        found = list(paragraphs([some_line(chance)]))
        ours, theirs = paint.lines(found, width, color), by_rich(found, width, color)
        if any("\t" in one.words for one in found):  # rich begins a style anew behind each
            ours, theirs = (re.sub("\x1b\\[\\d*m", "", text) for text in (ours, theirs))
        assert ours == theirs, found
