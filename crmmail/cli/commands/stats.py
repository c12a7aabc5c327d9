"""`crmmail stats`: how many, how long, for how much; as a table, a chart, the records behind it, or a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import click

from crmmail.cli.command import command
from crmmail.cli.commands.records import print_records
from crmmail.cli.line import Line, Span
from crmmail.cli.options import listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.cli.voice import Row as Shape
from crmmail.core import query
from crmmail.core import stats as core
from crmmail.core.query import Query
from crmmail.core.stats import Measure, Row
from crmmail.core.typed import Any
from crmmail.errors import UsageError
from crmmail.services.desk import stats
from crmmail.services.desk.stats import Asked
from crmmail.services.shared import fields

TITLES = {
    "average_delay": "delay",
    "weighted_revenue": "weighted",
    "first_answer": "1st answer",
    "letters_in": "in",
    "letters_out": "out",
}
CENT = Decimal("0.01")
PAPER = 80  # cells of a chart that is piped
MANY = 12  # lines; more of them, by keys that nobody chose, tell little
TIMES = ("day", "month", "year")


@command(
    "stats",
    examples=(
        "crmmail stats",
        "crmmail stats cases --by section --from 2026-11-01 --to 2026-11-30",
        "crmmail stats cases --by month,section --chart",
        "crmmail stats cases state:open --by user --list -o ids | crmmail assign - bob",
        "crmmail stats messages --by user,day",
        'crmmail stats --by section --assert "average_delay<3d"',
    ),
)
@click.argument("words", nargs=-1, metavar="[KIND] [QUERY]…")
@click.option("--by", metavar="KEYS", help="Groups: month, user, section, state, category, partner … in this order.")
@click.option("--from", "begin", metavar="DATE", help="Only what was made from then on.")
@click.option("--to", "end", metavar="DATE", help="Only what was made until then; a day counts to its end.")
@click.option("--section", metavar="CODE", help="Only of this section.")
@click.option("--recursive", is_flag=True, help="With the sections below it.")
@click.option("--chart", is_flag=True, help="Draw bars, or of two keys a heat map.")
@click.option("--value", metavar="MEASURE", help="What the chart shows; the count if nothing is said.")
@click.option("--list", "listed", is_flag=True, help="The records behind the numbers, as `list` prints them.")
@click.option("--assert", "asserted", metavar="EXPR", multiple=True, help="Say only what is not so, and exit with 1.")
@paged("RECORD")
@listing_options
@pass_session
def stats_command(
    session: Session,
    words: tuple[str, ...],
    by: str | None,
    begin: str | None,
    end: str | None,
    section: str | None,
    recursive: bool,
    chart: bool,
    value: str | None,
    listed: bool,
    asserted: tuple[str, ...],
    limit: int | None,
    before: int | None,
) -> int:
    """Statistics of cases, leads or messages.

    KIND is cases (if nothing is said), leads or messages; the query is that of `list`.  Records are counted by the day
    on which they were made, by month, user, section, state, category, partner, day, year, priority or kind, in any
    combination; messages by user, day, month, year, section or kind; all is one row.  The delay is from making to
    closing, of what was done or converted.  An assertion such as average_delay<3d must hold for every row.
    """
    workspace = session.workspace
    understand: Callable[[str], Any] = lambda said: fields.moment(workspace, said)  # noqa: E731
    kind, wanted = _kind_and_query(words, lambda rest: query.parse(rest, understand))
    asked = Asked(
        kind,
        wanted,
        understand(begin) if begin else None,
        stats.until(workspace, end) if end else None,
        section,
        recursive,
    )
    claims = [core.claim(one, asked.measures) for one in asserted]
    keys = core.grouping(by if by is not None else "all" if claims else stats.by_default(kind), asked.keys)
    measure = core.measure(value or "count", asked.measures)
    _check(session, chart, value, listed, asserted, keys)
    if listed:
        most = limit or session.voice.screenful
        print_records(session, kind, stats.listing(workspace, asked, limit=most, before=before), limit)
        return 0
    if limit or before:
        raise UsageError("--limit and --before are of records: say --list")
    rows = stats.rows(workspace, asked, keys)
    if claims:
        return _judge(session, stats.broken(asked, rows, keys, claims))
    if chart:
        session.voice.page(_drawn(session, asked, rows, keys, measure))
    else:
        _table(session, asked, rows, keys)
    if by is None and len(rows) > MANY and session.voice.terminal and session.voice.form in ("", "table"):
        hint = f"{len(rows)} groups: --by month makes fewer, --by month,section --chart draws them"
        session.voice.say(Span(hint, "dim"))
    return 0


def _kind_and_query(words: Sequence[str], parse: Callable[[Sequence[str]], Query]) -> tuple[str, Query]:
    """The first word is the kind, unless it is one of the query's filters: `stats late` is of cases."""
    if words and parse(words[:1]) == Query(words=(words[0],)):
        return stats.kind(words[0]), parse(words[1:])
    return "case", parse(words)


def _check(
    session: Session, chart: bool, value: str | None, listed: bool, asserted: Sequence[str], keys: Sequence[str]
) -> None:
    """Refuses what cannot be done in one go."""
    wanted = [name for name, given in (("--chart", chart), ("--list", listed), ("--assert", asserted)) if given]
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} cannot be done in one go: leave one out")
    if value and not chart:
        raise UsageError("--value is for --chart: everything else shows all measures")
    if chart and (session.voice.form not in ("", "table") or session.voice.fields):
        raise UsageError("--chart is for people: leave it out, and -o and --json give its numbers")
    if session.voice.form == "ids" and not listed:
        raise UsageError("-o ids is of records: say --list")
    if chart and not keys:
        raise UsageError("--chart needs something to compare: say --by")


def _judge(session: Session, sentences: Sequence[str]) -> int:
    for sentence in sentences:
        session.voice.warn(sentence)
    return 1 if sentences else 0


# --- the chart ----------------------------------------------------------------------------------------------


def _drawn(session: Session, asked: Asked, rows: Sequence[Row], keys: Sequence[str], measure: Measure) -> list[Line]:
    from crmmail.cli import chart

    if not rows:
        return [Span("Nothing to draw: nothing fits.", "dim")]
    voice = session.voice
    width = voice.width if voice.terminal else min(voice.width, PAPER)
    draw = chart.heat_map if len(keys) == 2 else chart.bars
    title = f"{measure.name.replace('_', ' ')} by {' and '.join(keys)}"
    return [Span(title, "title"), *draw(asked, rows, keys, measure, width)]


# --- the table ----------------------------------------------------------------------------------------------


def shape(row: Row, keys: Sequence[str], measures: Sequence[Measure]) -> dict[str, Any]:
    """A row as JSON has it: the keys of the grouping, then every measure."""
    found = {key: _of_key(one) for key, one in zip(keys, row.group, strict=True)}
    return found | {one.key: _plain(core.value(one, row.sums[one.name])) for one in measures}


def _of_key(key: Any) -> Any:
    return key._asdict() if isinstance(key, core.Partner) else key


def _plain(value: core.Value) -> int | float | None:
    """Money to the cent, times in whole seconds."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return float(value.quantize(CENT, ROUND_HALF_UP))
    return round(value.total_seconds())


def _table(session: Session, asked: Asked, rows: Sequence[Row], keys: Sequence[str]) -> None:
    """All of it for programs; for people what says something, and a line with the total."""
    voice, measures = session.voice, asked.measures
    shapes = [shape(row, keys, measures) for row in rows]
    people = voice.form == "table" or (not voice.form and voice.terminal)
    shown = list(measures)
    if people:
        shown = [one for one in measures if one.unit == "number" or any(row.sums[one.name].of for row in rows)]
        if len(rows) > 1:
            shapes.append(shape(core.together(rows, (None,) * len(keys)), keys, measures) | {TOTAL: True})
    of_keys = [_key_column(asked, key, first=at == 0) for at, key in enumerate(keys)]
    of_measures = [_measure_column(one, shapes) for one in shown]
    known = [*keys, *(one.key for one in measures)]
    voice.listing(
        shapes,
        [*of_keys, *of_measures],
        empty="Nothing fits.",
        keys=known,
        row_style=lambda row: "title" if row.get(TOTAL) else "",
    )


TOTAL = "total"  # marks the last line of a table; programs never see it


def _key_column(asked: Asked, key: str, first: bool) -> Column:
    def show(row: Shape) -> str:
        if row.get(TOTAL):
            return "total" if first else ""
        value = row[key]["name"] if key == "partner" and row[key] else row[key]
        return asked.word(key, value) or "none"

    return Column(key, key, show, flex=key not in TIMES, whole=key in TIMES, drop=0)


def _measure_column(one: Measure, rows: Sequence[Shape]) -> Column:
    # One amount with cents gives cents to all, so that they stand under each other.
    cents = any(row[one.key] is not None and row[one.key] % 1 for row in rows)

    def show(row: Shape) -> str:
        value = row[one.key]
        if value is None:
            return ""
        if one.unit == "time":
            return core.span(timedelta(seconds=value))
        return f"{value:.2f}" if cents else f"{value:.0f}"

    return Column(
        one.key, TITLES.get(one.name, one.name), show, justify="right", whole=True, drop=int(one.name != "count")
    )
