"""The mails we write: a template by name and language becomes a subject and a text.

Templates lie in the package (wheel) or in the checkout's `templates/<lang>/`; the first line is `Subject: …`, then a
blank line, then the body.  They see plain texts and numbers only, in a sandbox that can change nothing, and a word
they do not know is an error, not a hole (safety.md 8).  A mail's text is a value, never a template.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from crmmail.errors import NotFound, Refused

DEFAULT_LANGUAGE = "en"


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
