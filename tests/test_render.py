"""The templates: ours, in which little can be done, and the shop's own, which only name places (safety.md 8)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from quick import QUICK

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
    begun = time.process_time()
    with pytest.raises((UsageError, Refused), match=error):
        render.render_words("x", words, VALUES | values)
    assert time.process_time() - begun < QUICK


# --- the files ----------------------------------------------------------------------------------------------

BIG = {
    "record": {"id": 1, "title": "{record.title} {{ 7 * 7 }} {% for %} {# no #}"},
    "text": "x" * 1_000_000,
    "files": [{"id": number, "name": "n" * 120, "size": 1} for number in range(1000)],
}
LOOP = "{% for file in files %}BODY{% endfor %}"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the only template there is, `note`; a shop has edited it."""
    (tmp_path / "en").mkdir()
    monkeypatch.setattr(render, "folder", lambda: str(tmp_path))

    def put(body: str | bytes) -> None:
        body = body.encode() if isinstance(body, str) else body
        (tmp_path / "en" / "note.txt").write_bytes(b"Subject: {{ record.title }}\n\n" + body)

    return put


def test_a_broken_template_of_ours_says_what_it_may_use(write: Callable[..., None]) -> None:
    write("{{ nothing }}")
    with pytest.raises(Refused, match="'nothing' is undefined; it may use record, today"):
        render.render("note", "ru", VALUES)


def test_a_file_has_places_if_and_for(write: Callable[..., None]) -> None:
    write(
        "{{ record.title }}{% if record.id == 1 and not late %} on time{% elif late or x %} late{% else %}?{% endif %}"
        "{% for file in files %}{% if loop.first %}: {% endif %}{{ file.name }} {% endfor %}"
    )
    values = {"record": {"id": 1, "title": "T"}, "late": False, "x": 0, "files": [{"name": "a"}, {"name": "b"}]}
    assert render.render("note", "en", values) == ("T", "T on time: a b ")


def test_it_is_read_again_when_it_was_edited(write: Callable[..., None]) -> None:
    for words in ("one", "two", "three"):
        write(words)
        assert render.render("note", "en", BIG).text == words


def test_a_value_is_no_template_in_a_file(write: Callable[..., None]) -> None:
    write("{{ record.title }}{{ record.title }}")
    assert render.render("note", "en", BIG) == (BIG["record"]["title"], BIG["record"]["title"] * 2)  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("{{ 7 * 7 }}", "and nothing else"),
        ("{{ 'A' * 10**10 }}", "and nothing else"),
        ("{{ 10**10**10 }}", "and nothing else"),
        ("{{ text ~ text }}", "and nothing else"),
        ("{{ text[0] }}", "and nothing else"),
        ("{{ [text, text] }}", "and nothing else"),
        ("{{ text|upper }}", "and nothing else"),
        ("{{ '%1000000000d'|format(1) }}", "and nothing else"),
        ("{{ '{:>1000000000}'.format(1) }}", "and nothing else"),
        ("{{ text.ljust(10**10) }}", "and nothing else"),
        ("{{ lipsum(n=10**6) }}", "and nothing else"),
        ("{{ text if text in text }}", "and nothing else"),
        ("{% if text in text %}{% endif %}", "and nothing else"),
        ("{% if record.id < 5 %}{% endif %}", "and nothing else"),
        ("{% set text = text %}", "and nothing else"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "and nothing else"),
        ("{% include 'note.txt' %}", "and nothing else"),
        ("{% extends 'note.txt' %}", "and nothing else"),
        ("{% import 'note.txt' as note %}", "and nothing else"),
        ("{% block a %}{% endblock %}", "and nothing else"),
        ("{% filter upper %}{% endfilter %}", "and nothing else"),
        ("{% for number in range(10**9) %}{% endfor %}", "a list that has a name"),
        ("{% for letter in text %}{% endfor %}", "text is no list"),
        ("{% for key in record %}{% endfor %}", "record is no list"),
        ("{% for one in nothing %}{% endfor %}", "nothing is no list"),
        (LOOP.replace("BODY", LOOP), "no other `for` in it"),
        (LOOP.replace("BODY", "{% if file %}" + LOOP + "{% endif %}"), "no other `for` in it"),
        ("{% for file in files recursive %}{{ loop(files) }}{% endfor %}", "no other `for` in it"),
        ("{% for file in files if text in text %}{% endfor %}", "no other `for` in it"),
        ("{% for a, b in files %}{% endfor %}", "has one name"),
        (LOOP.replace("BODY", "{{ loop.cycle('a') }}"), "and nothing else"),
        (LOOP.replace("BODY", "{{ loop }}"), "LoopContext in place of a text"),
        ("{{ record }}", "dict in place of a text"),
        ("{{ files }}", "list in place of a text"),
        ("{{ text.upper }}", "in place of a text"),
        ("{{ record.items }}", "in place of a text"),
        ("{{ self }}", "in place of a text"),
        ("{{ range }}", "'range' is undefined"),
        ("{{ lipsum.__globals__ }}", "'lipsum' is undefined"),
        ("{{ record.__class__ }}", "unsafe"),
        ("{{ text.__class__.__mro__ }}", "unsafe"),
        ("{{" + "(" * 60_000, "cannot be read"),
        ("{{ " + "not " * 15_000 + "text }}", "cannot be read"),
        ("{{ " + "1" * 60_000 + " }}", "cannot be read"),
        (b"\xff", "cannot be read"),
        ("{" * 60_000, "cannot be read"),
        ("{% if text %}" * 50 + "{% endif %}" * 50, "20 blocks in each other"),
        ("{% if text %}" * 2500 + "{% endif %}" * 2500, "cannot be read"),
        ("{{ text }}" * 501, "at most 500 places"),
        ("{% if text %}{% endif %}" * 501, "at most 500 places"),
        ("x" * render.LONGEST_TEMPLATE, "at most 65536 bytes"),
        ("{{ text }}" * 400, "becomes a mail of more than"),
        (LOOP.replace("BODY", "{{ text }}" * 400), "becomes a mail of more than"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_nothing_else_does_anything_or_lasts(write: Callable[..., None], body: str | bytes, error: str) -> None:
    """Each is one line, and comes at once: the sending pass waits for it."""
    write(body)
    begun = time.process_time()
    with pytest.raises(Refused, match=re.escape(error)) as refused:
        render.render("note", "en", BIG)
    assert time.process_time() - begun < QUICK
    assert str(refused.value).isprintable() and "jinja" not in str(refused.value).lower()


@pytest.mark.parametrize(
    "body", ["{{ text }}", LOOP.replace("BODY", "{% if file.id == 5 %}a{% endif %}" * 400)], ids=["long text", "loop"]
)
def test_the_worst_that_is_allowed_is_quick(write: Callable[..., None], body: str) -> None:
    write(body)
    begun = time.process_time()
    render.render("note", "en", BIG | {"text": "x" * 25_000_000})
    assert time.process_time() - begun < QUICK


@pytest.mark.parametrize(
    "value", [object(), ("a", "b"), {1, 2}, render.Rendered("a", "b"), len, type("Words", (str,), {})("a"), b"a"]
)
def test_values_are_plain_or_a_slip_of_ours(write: Callable[..., None], value: object) -> None:
    write("x")
    for values in ({"a": value}, {"a": {"b": value}}, {"a": [{"b": value}]}):
        with pytest.raises(TypeError, match="plain values only"):
            render.render("note", "en", BIG | values)


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
