"""The templates: ours, and the shop's own, in which nothing can be done but naming a place (safety.md 8)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crmmail import render
from crmmail.errors import CrmmailError, Refused, UsageError

VALUES = {"record": {"id": "101", "title": "Printer\nbroken"}, "today": "2026-11-24"}


def test_places_become_what_they_name() -> None:
    mail = render.render_words("[{record.id}] {record.title}", "It is { today }.\n{record.title}!\n", VALUES)
    assert mail == render.Rendered("[101] Printer broken", "It is 2026-11-24.\nPrinter\nbroken!\n")


def test_a_value_is_no_template() -> None:
    values = {"record": {"title": "{today} {{ 7 * 7 }} {% raw %}"}, "today": "2026-11-24"}
    assert render.render_words("{record.title}", "x", values).subject == "{today} {{ 7 * 7 }} {% raw %}"


def test_which_places_there_are() -> None:
    assert render.places("{today}", "{record.id} {record.id} and } and }}") == {"today", "record.id"}


@pytest.mark.parametrize("place", ["record.colour", "record", "order.number", "today.__class__", "self", "range"])
def test_an_unknown_place_is_an_error_that_lists_the_valid_ones(place: str) -> None:
    with pytest.raises(UsageError) as error:
        render.render_words("x", f"Dear {{{place}}}", VALUES)
    assert f"{{{place}}} is no place" in str(error.value)
    assert str(error.value).endswith("there are {record.id}, {record.title}, {today}")


@pytest.mark.parametrize(
    "words",
    [
        "{", "{}", "{{today}}", "{today", "{today|upper}", "{record.title.upper()}", "{record['id']}", "{7*7}",
        "{'A'*10**9}", "{today, today}", "{today if today}", "{true}", "{% for x in y %}", "{# no #}",
        "{" + "(" * 30_000 + "}", "\x01%for x in 'aa'%\x01a\x01%endfor%\x01",
    ],
)  # fmt: skip
def test_nothing_else_stands_in_braces(words: str) -> None:
    with pytest.raises(UsageError, match="one brace and a name"):
        render.render_words("x", words, VALUES)


@pytest.mark.parametrize(
    ("words", "values", "error"),
    [
        ("x" * render.LONGEST_TEMPLATE, {}, "a template has at most 65536 letters"),
        ("{today}" * (render.MOST_PLACES + 1), {}, "at most 500 places"),
        ("{today}" * 300, {"today": "x" * 1000}, "more than 262144 letters"),
        ("{" + "a." * 30_000 + "b}", {}, "is no place"),
    ],
)
def test_size_and_time_are_bounded(words: str, values: dict[str, str], error: str) -> None:
    begun = time.perf_counter()
    with pytest.raises((UsageError, Refused), match=error):
        render.render_words("x", words, VALUES | values)
    assert time.perf_counter() - begun < 2


def test_a_broken_template_of_ours_says_what_it_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "broken.txt").write_text("Subject: {{ nothing }}\n\nx")
    monkeypatch.setattr(render, "folder", lambda: str(tmp_path))
    with pytest.raises(Refused, match="it may use record, today"):
        render.render("broken", "ru", VALUES)


@pytest.mark.parametrize("name", sorted(path.name for path in Path(render.folder(), "en").iterdir()))
def test_each_of_ours_is_there_in_three_languages(name: str) -> None:
    texts = {lang: Path(render.folder(), lang, name).read_text(encoding="utf-8") for lang in ("en", "fr", "ru")}
    assert all(text.startswith("Subject: ") for text in texts.values())
    if name != "copy.txt":
        assert len(set(texts.values())) == 3


def test_what_is_unknown_is_refused_without_a_trace_of_jinja() -> None:
    with pytest.raises(CrmmailError) as error:
        render.render_words("{today.x}", "x", VALUES)
    assert "jinja" not in str(error.value).lower()
