"""The mails we write: a template by name and language becomes a subject and a text.

Templates lie in the package (wheel) or in the checkout's `templates/<lang>/`; the first line is `Subject: …`, then a
blank line, then the body.  They see plain texts and numbers only, in a sandbox that can change nothing, and a word
they do not know is an error, not a hole (safety.md 8).  A mail's text is a value, never a template.

The shop's own templates know less: places like {record.title}, and nothing else.  No block, filter, call or sum is
understood, so whoever writes one can neither run anything nor make it last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from crmmail.core import text as texts
from crmmail.errors import NotFound, Refused, UsageError

DEFAULT_LANGUAGE = "en"
LONGEST_TEMPLATE = 65_536  # letters of one of the shop's own
LONGEST_RESULT = 262_144  # and of what becomes of it
MOST_PLACES = 500  # in one template: each takes time to read
NO_PLACE = "in a template a { begins a place like {record.title}: one brace and a name; no other { can stand in it"


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
        values: texts, numbers, booleans, and dicts of them.

    Raises:
        NotFound: there is no such template.
        Refused: it cannot be rendered; the sentence says why.
    """
    source = os.path.join(language, f"{name}.txt")
    if not os.path.exists(os.path.join(folder(), source)):
        source = os.path.join(DEFAULT_LANGUAGE, f"{name}.txt")
    if not os.path.exists(os.path.join(folder(), source)):
        raise NotFound(f"there is no template {name!r} in {folder()}")
    try:
        whole = _environment(folder()).get_template(source).render(values)
    except TemplateError as error:
        raise Refused(f"template {source}: {error.message}; it may use {', '.join(sorted(values))}") from error
    first, _, body = whole.partition("\n")
    if not first.startswith("Subject:"):
        raise Refused(f"template {source}: its first line must be `Subject: …`")
    return Rendered(" ".join(first.removeprefix("Subject:").split()), body.lstrip("\n"))


@cache
def _environment(place: str) -> ImmutableSandboxedEnvironment:
    """One a folder: compiling a template takes longer than sending the mail.  It sees when a file has changed."""
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(place), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )


# --- the shop's own -----------------------------------------------------------------------------------------


def render_words(subject: str, text: str, values: Mapping[str, Any]) -> Rendered:
    """A template of the shop's own, filled in; each value in the subject becomes one line.

    Args:
        values: texts, and dicts of them: {"record": {"title": "Printer"}, "today": "2026-11-24"}.

    Raises:
        UsageError: a place that is not among the values, or something that is no place.
        Refused: the mail would grow too long.
    """
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
        named = " and ".join(f"{{{one}}}" for one in unknown)
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
    whole = ""
    try:
        for piece in _own_words().from_string(source).generate(values):
            whole += piece
            if len(whole) > LONGEST_RESULT:
                raise Refused(f"the template becomes a mail of more than {LONGEST_RESULT} letters")
    except TemplateError as error:
        raise Refused(f"the template cannot be filled in: {error.message}") from error
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
