"""What a check says, and what the checks that need no open store are given.

`fail` is what loses or delays mail now, or shows it to strangers; `warn` what will one day; `ok` what was looked at and
is well, or how something is set where either way is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crmmail.config import Config
from crmmail.core.typed import NamedTuple

RECENT = 7  # days for which we speak of what went wrong and cannot be mended any more
MOST = 10  # findings of one kind


class Finding(NamedTuple):
    level: str  # ok | warn | fail
    check: str
    sentence: str
    advice: str


class Site(NamedTuple):
    """Where the store lies, or should: all that is known when it cannot be opened."""

    place: str  # the store's path; "" where the settings that name it cannot be read
    settings_file: str  # "": none
    config: Config  # without what the store holds, where it cannot be opened
    environ: Mapping[str, str]
    now: datetime
    opened: bool = False  # the store has been opened, and its schema is ours


def ok(check: str, sentence: str) -> Finding:
    return Finding("ok", check, sentence, "")


def warn(check: str, sentence: str, advice: str) -> Finding:
    return Finding("warn", check, sentence, advice)


def fail(check: str, sentence: str, advice: str) -> Finding:
    return Finding("fail", check, sentence, advice)


def many(count: int, one: str, more: str) -> str:
    """`1 letter waits`, `3 letters wait`."""
    return f"{count} {one if count == 1 else more}"


def local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
