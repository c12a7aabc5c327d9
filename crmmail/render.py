"""The mails we write: a template by name and language becomes a subject and a text.

Templates lie in the package (wheel) or in the checkout's `templates/<lang>/`; the first line is `Subject: …`, then a
blank line, then the body.  They see plain texts and numbers only, in a sandbox that can change nothing, and a word
they do not know is an error, not a hole (safety.md 8).  A mail's text is a value, never a template.

A shop may edit these files, and the sending pass has no time to lose with a slip in one.  So they understand places,
`if` with `and`, `or`, `not` and `==`, and one `for` over a list that is handed in; no filter, call, sum, or loop in a
loop.  Whatever is written with these, ends soon, and its mail is not much longer than the values in it.

The shop's own templates know less: places like {record.title}, and nothing else.  No block, filter, call or sum is
understood, so whoever writes one can neither run anything nor make it last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from crmmail.core import text as texts
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound, Refused, UsageError

DEFAULT_LANGUAGE = "en"
LONGEST_TEMPLATE = 65_536  # letters of a template
LONGEST_RESULT = 262_144  # and of what becomes of it; of a file's as much beside its values
MOST_PLACES = 500  # in one template: each takes time to read
DEEPEST = 20  # blocks and places in each other, in a file
NO_PLACE = "in a template a { begins a place like {record.title}: one brace and a name; no other { can stand in it"

# What a file may be made of.
_WORDS = (
    nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.If, nodes.For,
    nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Const,
)  # fmt: skip


class Rendered(NamedTuple):
    subject: str  # one line
    text: str


def folder() -> str:
    """Where the templates are."""
    here = os.path.dirname(os.path.abspath(__file__))
    inside = os.path.join(here, "templates")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(here), "templates")


def render(name: str, language: str, values: Mapping[str, Any]) -> Rendered:
    """The template `name` in a language, or in English where it has none in that.

    Args:
        values: texts, numbers, booleans, dicts of them, and lists of such dicts.

    Raises:
        NotFound: there is no such template.
        Refused: it cannot be rendered; the sentence says why.
        TypeError: a value that is not plain, which is a slip of ours.
    """
    source = os.path.join(language, f"{name}.txt")
    if not os.path.exists(os.path.join(folder(), source)):
        source = os.path.join(DEFAULT_LANGUAGE, f"{name}.txt")
    if not os.path.exists(os.path.join(folder(), source)):
        raise NotFound(f"there is no template {name!r} in {folder()}")
    limit = LONGEST_RESULT + _letters(values)
    try:
        this = _read(os.path.join(folder(), source))
        for place in this.lists:
            if not isinstance(_value(values, place), list):
                raise Refused(f"template {source}: {place} is no list, so there is nothing to go through")
        whole = _joined(this.template.generate(values), limit)
    except UndefinedError as error:
        raise Refused(f"template {source}: {error.message}; it may use {', '.join(sorted(values))}") from error
    except TemplateError as error:
        raise Refused(f"template {source}: {error.message}") from error
    except OSError as error:
        raise Refused(f"template {source}: {error.strerror or error}") from error
    except (ValueError, SyntaxError, RecursionError) as error:  # bytes that are no text, a number of a thousand digits
        raise Refused(f"template {source}: it cannot be read ({type(error).__name__})") from error
    if whole is None:
        raise Refused(f"template {source}: it becomes a mail of more than {limit} letters")
    first, _, body = whole.partition("\n")
    if not first.startswith("Subject:"):
        raise Refused(f"template {source}: its first line must be `Subject: …`")
    return Rendered(" ".join(first.removeprefix("Subject:").split()), body.lstrip("\n"))


class _File(NamedTuple):
    """A template that was read."""

    template: Template
    lists: tuple[str, ...]  # the places that it goes through


def _read(path: str) -> _File:
    """A file; read anew when it has changed, for compiling takes longer than sending the mail."""
    facts = os.stat(path)
    if facts.st_size > LONGEST_TEMPLATE:
        raise TemplateError(f"a template has at most {LONGEST_TEMPLATE} bytes, and this one {facts.st_size}")
    return _compiled(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)


@lru_cache(maxsize=100)
def _compiled(path: str, *_: int) -> _File:
    with open(path, encoding="utf-8") as file:
        tree = _environment().parse(file.read(LONGEST_TEMPLATE + 1))
    lists = tuple(_checked(tree))
    return _File(_environment().from_string(tree), lists)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, finalize=_shown
    )
    environment.globals.clear()
    return environment


def _shown(value: Any) -> Any:
    """A value as it stands in a mail.  A dict, or what Python can do with a text, is nothing to read."""
    if isinstance(value, str | int | float | Undefined):
        return value
    raise TemplateError(f"{type(value).__name__} in place of a text or a number")


def _checked(tree: nodes.Template) -> Iterator[str]:
    """The lists that a file goes through.

    Raises:
        TemplateError: it is made of more than files may be.
    """
    places = 0
    waiting = [(node, 1, False) for node in tree.body]
    while waiting:
        node, depth, looped = waiting.pop()
        if type(node) not in _WORDS or (isinstance(node, nodes.Compare) and [one.op for one in node.ops] != ["eq"]):
            raise TemplateError(f"line {node.lineno}: a template has places, `if` and `for`, and nothing else")
        places += isinstance(node, nodes.Name)
        if places > MOST_PLACES or depth > DEEPEST:
            raise TemplateError(f"a template has at most {MOST_PLACES} places, and {DEEPEST} blocks in each other")
        if isinstance(node, nodes.For):
            if looped or node.recursive or node.test or not isinstance(node.target, nodes.Name):
                raise TemplateError(f"line {node.lineno}: a `for` has one name, and no other `for` in it")
            if not isinstance(node.iter, nodes.Name | nodes.Getattr):
                raise TemplateError(f"line {node.lineno}: a `for` goes through a list that has a name")
            yield _place(node.iter)
            looped = True
        waiting += [(one, depth + 1, looped) for one in node.iter_child_nodes()]


def _value(values: Mapping[str, Any], place: str) -> Any:
    """What a place is filled with; None where nothing fills it."""
    found: Any = values
    for name in place.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _letters(values: Any) -> int:
    """How long all texts in it are together.

    Raises:
        TypeError: it is no plain value.
    """
    if type(values) is str:
        return len(values)
    if type(values) is dict:
        return sum(map(_letters, values.values()))
    if type(values) is list:
        return sum(map(_letters, values))
    if values is None or type(values) in (int, float, bool):
        return 0
    raise TypeError(f"templates see plain values only, and no {type(values).__name__}")


def _joined(pieces: Iterator[str], limit: int) -> str | None:
    """All pieces; None where they are longer than `limit` together."""
    found: list[str] = []
    for piece in pieces:
        found.append(piece)
        limit -= len(piece)
        if limit < 0:
            return None
    return "".join(found)


# --- the shop's own -----------------------------------------------------------------------------------------


def render_words(subject: str, text: str, values: Mapping[str, Any]) -> Rendered:
    """A template of the shop's own, filled in; each value in the subject becomes one line.

    Args:
        values: texts, and dicts of them: {"record": {"title": "Printer"}, "today": "2026-11-24"}.

    Raises:
        UsageError: a place that is not among the values, or something that is no place.
        Refused: the mail would grow too long.
        TypeError: a value that is not plain, which is a slip of ours.
    """
    _letters(values)
    check(places(subject, text), known(values))
    return Rendered(texts.one_line(_filled(subject, values)), _filled(text, values))


def places(subject: str, text: str) -> set[str]:
    """The places that a template of the shop's own has: {"record.title", "today"}.

    Raises:
        UsageError: it is too long, or something stands in braces that is no place.
    """
    if len(subject) + len(text) > LONGEST_TEMPLATE:
        raise UsageError(f"a template has at most {LONGEST_TEMPLATE} letters, and this one more")
    found = [place for part in (subject, text) for place in _places(part)]
    if len(found) > MOST_PLACES:
        raise UsageError(f"a template has at most {MOST_PLACES} places, and this one {len(found)}")
    return set(found)


def known(values: Mapping[str, Any], above: str = "") -> list[str]:
    """The places that values can fill, by their whole names."""
    found: list[str] = []
    for name, value in values.items():
        found += known(value, f"{above}{name}.") if isinstance(value, Mapping) else [f"{above}{name}"]
    return found


def check(wanted: set[str], there: list[str]) -> None:
    """Refuses places that nothing can fill, and lists those that something can.

    Raises:
        UsageError
    """
    unknown = sorted(wanted - set(there))
    if unknown:
        named = " and ".join(f"{{{texts.one_line(one, 80)}}}" for one in unknown)
        verb = "is no place" if len(unknown) == 1 else "are no places"
        raise UsageError(f"{named} {verb} in a template; there are {', '.join(f'{{{one}}}' for one in there)}")


def _places(source: str) -> Iterator[str]:
    """What stands in braces, one after the other; anything that computes is no place."""
    try:
        parts = _own_words().parse(source).body
    except (TemplateError, RecursionError):
        raise UsageError(NO_PLACE) from None
    for output in parts:
        if not isinstance(output, nodes.Output):
            raise UsageError(NO_PLACE)
        yield from (_place(node) for node in output.nodes if not isinstance(node, nodes.TemplateData))


def _place(node: nodes.Node) -> str:
    names: list[str] = []
    while isinstance(node, nodes.Getattr):
        names.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name):
        raise UsageError(NO_PLACE)
    return ".".join([node.name, *reversed(names)])


def _filled(source: str, values: Mapping[str, Any]) -> str:
    try:
        whole = _joined(_own_words().from_string(source).generate(values), LONGEST_RESULT)
    except TemplateError as error:
        raise Refused(f"the template cannot be filled in: {error.message}") from error
    if whole is None:
        raise Refused(f"the template becomes a mail of more than {LONGEST_RESULT} letters")
    return whole


@cache
def _own_words() -> ImmutableSandboxedEnvironment:
    """Reads {place}.  What begins blocks and comments elsewhere is made of letters that no text has."""
    return ImmutableSandboxedEnvironment(
        variable_start_string="{",
        variable_end_string="}",
        block_start_string="\x01%",
        block_end_string="%\x01",
        comment_start_string="\x01#",
        comment_end_string="#\x01",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
