"""One listing, two voices: a table for people, plain forms for programs (`forms`); never two code paths in a command.

    voice.listing(rows, columns)       rows are dictionaries with the keys of the JSON, all of them, in its order
    voice.document(data, lines)        a show: `data` is the JSON, `lines()` yields what people read
    voice.say(line)  voice.warn(line)  one line on stdout, on stderr
    voice.raw(data)                    a mail's bytes
    voice.page(lines)                  long text, in the pager when it is longer than the terminal
    voice.confirm(question, yes)       y/N; where nobody can answer, exit 2
    voice.progress(total, label)       a bar on stderr when it is a terminal and the work takes more than a second

Every word passes `core.text` on this side of the voice, once; commands hand over what the store has.  `columns` says
what a Column is, `line` what a Line is (a `str`, or a tuple of `str` and `Span`; a `Body` for many lines).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice, zip_longest

from crmmail.cli import forms, streams
from crmmail.cli.columns import Column, Row, fit
from crmmail.cli.line import STARRED, STYLES, UNREAD, Body, Line, Span, Style, breaks, broken, flat, paragraphs
from crmmail.core.text import cells, one_line
from crmmail.core.typed import Any
from crmmail.errors import UsageError

__all__ = ["STARRED", "STYLES", "UNREAD", "Body", "Column", "Line", "Row", "Span", "Style", "Voice"]

_ENDLESS = 10_000  # cells
SCREENFUL = 200  # rows of a long listing that a terminal shows where nobody says how many
TOGETHER = 500  # rows that are written together


def complain(sentence: str) -> None:
    """One line on stderr, cleaned; on a terminal broken between words."""
    line = f"crmmail: {one_line(sentence)}"
    room = streams.width(sys.stderr)
    print(broken(line, room) if room else line, file=sys.stderr, flush=True)


def _folded(column: Column, lead: str, words: str, width: int) -> list[str]:
    """A cell as it stands in its column: cut, or in several lines."""
    cuts = breaks(words, width, width) if column.wraps else []
    parts = [words[start:end] for start, end in zip([0, *cuts], [*cuts, len(words)], strict=True)]
    return [
        lead + one_line(parts[0][len(lead) :], max(width - len(lead), 1)),
        *(one_line(one, width) for one in parts[1:]),
    ]


class Voice:
    """How this run speaks.  The options set `form`, `fields`, `header` and `color`; the rest follows the terminal."""

    def __init__(self, *, now: Callable[[], datetime], environ: Mapping[str, str] | None = None) -> None:
        self.now = now
        self.environ = os.environ if environ is None else environ
        self.color = "auto"
        self.form = ""  # of forms.FORMS; "" is a table on a terminal, tsv elsewhere
        self.fields: tuple[str, ...] = ()
        self.header = False
        self._bar = ""  # what stands on the terminal's last line

    # --- what the commands call -----------------------------------------------------------------------------

    def listing(
        self,
        rows: Iterable[Row],
        columns: Sequence[Column],
        *,
        empty: str = "Nothing here.",
        keys: Sequence[str] = (),
        row_style: Callable[[Row], Style] | None = None,
    ) -> None:
        """All rows, in the form that was chosen; for programs each part is written before the next one is read.

        Args:
            keys: the keys that a row has, for `--fields` where there are no rows; else the first row tells.
            empty: what a person reads when there are none; programs read nothing, or [].
            row_style: row → the style of its cells that have none of their own.

        Raises:
            UsageError: `--fields` names a key that rows do not have.
        """
        coming = iter(rows)
        first = list(islice(coming, TOGETHER))
        known = list(keys) or list(first[0] if first else ())
        self._check_fields(known)
        form = self.form or ("table" if self.terminal else "tsv")
        if form == "table":
            if not first:
                return self._short(Span(empty, "dim"))
            return self._write(self._table([*first, *coming], self._chosen(columns), row_style))
        parts = chain([first], iter(lambda: list(islice(coming, TOGETHER)), []))
        piped = list(self.fields) or [column.key for column in columns if column.piped]
        id_key = self.fields[0] if self.fields else "id" if "id" in known else piped[0]
        for text in self._parts(form, parts, piped, id_key):
            self._write(text)

    def document(self, data: Mapping[str, Any], lines: Callable[[], Iterable[Line]]) -> None:
        """One thing: `data` for programs, with `--fields` some of its keys; else `lines()`, in the pager if long."""
        self._check_fields(list(data))
        if self.form in ("json", "jsonl"):
            chosen = {key: data[key] for key in self.fields} if self.fields else data
            self._write(forms.json(chosen) if self.form == "json" else forms.jsonl([chosen]))
        elif self.fields:
            self._write(forms.tsv([data], self.fields, self.header))
        else:
            self.page(lines())

    def documents(self, data: Sequence[Mapping[str, Any]]) -> None:
        """A list for programs, with --fields some of its keys; never empty lines, never anything for people."""
        self._check_fields(list(data[0]) if data else [])
        chosen = [{key: one[key] for key in self.fields} for one in data] if self.fields else list(data)
        self._write(forms.jsonl(chosen) if self.form == "jsonl" else forms.json(chosen))

    def say(self, line: Line, *, whole: bool = False) -> None:
        """One line on stdout: what was done, and how to undo it.  `whole`: it is there to be copied, and not broken."""
        self._short(line, whole)

    def warn(self, line: Line) -> None:
        """One line on stderr: what went wrong while the command goes on."""
        self._clear_bar()
        complain(flat(line))

    def page(self, lines: Iterable[Line]) -> None:
        """Many lines; in the pager when they are more than the terminal has."""
        text = self._painted(lines)
        if self.terminal and text.count("\n") >= (streams.size(sys.stdout)[1] or streams.USUAL[1]):
            from crmmail.cli import pager

            sys.stdout.flush()
            if pager.page(text, self.environ):
                return
        self._write(text)

    def raw(self, data: bytes) -> None:
        """A mail's or a file's bytes: exactly, to a file or a pipe; cleaned to a terminal, which must not run them."""
        if self.terminal:
            return self.page([Body(data.decode("utf-8", "replace"))])
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def confirm(self, question: str, yes: bool = False) -> bool:
        """Ask; y and yes are yes.  `yes` is the option --yes.

        Raises:
            UsageError: nobody is there to answer.
        """
        if yes:
            return True
        self._clear_bar()
        if not self.answered:
            raise UsageError(f"{one_line(question)} Nobody is here to answer: say --yes to do it")
        print(one_line(question), "[y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, total: int, label: str) -> Iterator[Callable[[], None]]:
        """`with voice.progress(len(files), "Reading") as step:` and call `step()` after each."""
        from time import monotonic

        began = drawn = monotonic()
        done = 0

        def step() -> None:
            nonlocal done, drawn
            done += 1
            now = monotonic()
            if now - began > 1 and now - drawn > 0.1:
                drawn = now
                self._draw_bar(f"{one_line(label)} {done}/{total}", done / max(total, 1))

        try:
            yield step
        finally:
            self._clear_bar()

    @property
    def terminal(self) -> bool:
        """Does a person read stdout?"""
        return sys.stdout.isatty()

    @property
    def answered(self) -> bool:
        """Is a person there to answer a question?"""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def width(self) -> int:
        """`$COLUMNS`, else the terminal's; a table that is piped has all the room it wants."""
        return streams.size(sys.stdout)[0] or (streams.USUAL[0] if self.terminal else _ENDLESS)

    @property
    def screenful(self) -> int | None:
        """How many rows of a long listing a person is shown who has not said how many he wants; None: it is for a
        program, or for somebody who asked for a form, and all are wanted."""
        return SCREENFUL if self.terminal and self.form in ("", "table") else None

    def further(self, shown: int, limit: int | None, last: object, *, which: str = "first") -> None:
        """Behind a listing that may have been cut by `screenful`: how to read on."""
        if limit is None and shown == self.screenful:
            more = f"Read on with --before {last}; --limit N shows more at once."
            self._short(Span(f"The {which} {shown}. {more}", "dim"))

    # --- how it is done -------------------------------------------------------------------------------------

    def _parts(self, form: str, parts: Iterable[list[Row]], piped: list[str], id_key: str) -> Iterator[str]:
        """Rows as a program reads them."""
        if form in ("json", "jsonl"):
            chosen = ([{key: row.get(key) for key in self.fields} for row in part] for part in parts)
            wanted = chosen if self.fields else parts
            yield from forms.json_parts(wanted) if form == "json" else map(forms.jsonl, wanted)
            return
        for number, part in enumerate(parts):
            if form == "ids":
                yield forms.ids(part, id_key)
            elif form == "csv":
                yield forms.csv(part, piped, header=number == 0)
            else:
                yield forms.tsv(part, piped, self.header and number == 0)

    def _check_fields(self, known: Sequence[str]) -> None:
        unknown = [field for field in self.fields if known and field not in known]
        if unknown:
            raise UsageError(f"there is no field {unknown[0]!r} here; there are {', '.join(known)}")

    def _chosen(self, columns: Sequence[Column]) -> list[Column]:
        """What somebody asked for by name is never left out."""
        by_key = {column.key: column for column in columns}
        asked = [replace(by_key.get(key, Column(key, key)), drop=0) for key in self.fields]
        return asked or [column for column in columns if column.shown]

    def _table(self, rows: Sequence[Row], columns: Sequence[Column], row_style: Callable[[Row], Style] | None) -> str:
        from crmmail.cli import paint

        values = [[column.value(row) for column in columns] for row in rows]
        leads = [[column.lead_of(row) for column in columns] for row in rows]
        shown = [
            [
                lead + one_line(self._words(value, column.exact))
                for column, lead, value in zip(columns, before, line, strict=True)
            ]
            for before, line in zip(leads, values, strict=True)
        ]
        fitted = fit(columns, shown, self.width, values)
        sized = list(zip(fitted.at, fitted.widths, strict=True))
        heads = [
            paint.Head(one_line(columns[at].title, width), width, columns[at].is_right([line[at] for line in values]))
            for at, width in sized
        ]
        painted = []
        for row, before, line in zip(rows, leads, shown, strict=True):
            styles = [columns[at].style_of(row) or (row_style(row) if row_style else "") for at in fitted.at]
            folded = [_folded(columns[at], before[at], line[at], width) for at, width in sized]
            for parts in zip_longest(*folded, fillvalue=""):
                painted.append([Span(words, style) for words, style in zip(parts, styles, strict=True)])
        table = paint.table(heads, painted, self._colored())
        if fitted.left_out:
            named = ", ".join(fitted.left_out)
            note = Span(f"No room for {named}: a wider terminal, -o csv or --json has it", "dim")
            table += paint.lines(paragraphs([note]), self.width, self._colored())
        return table

    def _words(self, value: Any, exact: bool) -> str:
        """Dates are relative under seven days, else the day, as the reader's clock has it; or exact, to the minute."""
        if not isinstance(value, datetime):
            return forms.words(value)
        from crmmail.core import when

        return (when.minute if exact else when.ago)(value, self.now().astimezone())

    def _painted(self, lines: Iterable[Line]) -> str:
        """On a terminal broken between words; elsewhere as they are."""
        if not (self.terminal or self._colored()):
            return "".join(flat(line) + "\n" for line in lines)
        from crmmail.cli import paint

        return paint.lines(paragraphs(lines), self.width, self._colored())

    def _short(self, line: Line, whole: bool = False) -> None:
        """One line, on a terminal broken between words.  rich is not read for words without a style."""
        room = self.width if self.terminal and not whole else _ENDLESS
        if self._colored() and not isinstance(line, str):
            from crmmail.cli import paint

            self._write(paint.lines(paragraphs([line]), room, color=True))
        else:
            self._write(broken(line, room) + "\n")

    def _colored(self) -> bool:
        if self.color != "auto":
            return self.color == "always"
        return self.terminal and not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"

    def _write(self, text: str) -> None:
        self._clear_bar()
        sys.stdout.write(text)

    def _draw_bar(self, words: str, part: float) -> None:
        if sys.stderr.isatty():
            filled = round(20 * min(part, 1))
            self._bar = f"\r{words} [{'█' * filled}{'░' * (20 - filled)}]"
            print(self._bar, end="", file=sys.stderr, flush=True)

    def _clear_bar(self) -> None:
        if self._bar:
            print("\r" + " " * cells(self._bar[1:]) + "\r", end="", file=sys.stderr, flush=True)
            self._bar = ""
