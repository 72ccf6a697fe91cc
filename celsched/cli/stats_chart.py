"""Owns the charts of the report's page: bars with their scale, unit and dates, without a script. It never counts."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from itertools import count

from celsched.cli.format import printable
from celsched.domain.report import DayCount, Window
from celsched.timing.zone import zone

SPARKS = 62
"""So many days in the small charts of a table, the last ones."""
_INTERVALS = 5
_SHORT = "%m-%d"
_LABELS, _LONG_LABELS = 12, 8
_ALWAYS = 4
"""So many dates have room everywhere."""
_NUMBERED = 16
"""With so many days each bar has room for its number."""
_LEGEND = '<i class="good"></i>succeeded <i class="bad"></i>failed, timed out or lost'


def runs_per_day(days: Sequence[DayCount], window: Window) -> str:
    """Return the chart of runs per day, with a line of what its bars, axes and first and last day are."""
    if not any(map(_runs, days)):
        return '<p class="none">Nothing ran.</p>'
    scale = ticks(max(map(_runs, days)))
    bars = "".join(_bar(days, at, scale[-1]) for at in range(len(days)))
    lines = "".join(f'<u style="bottom:{tick / scale[-1]:.2%}"><span>{tick:,}</span></u>' for tick in scale)
    wide = len(f"{scale[-1]:,}") + 1
    return (
        f'<p class="legend"><span>runs that ended on the day</span><span>{_LEGEND}</span></p>'
        f'<div class="chart" role="img" aria-label="{_summary(days)}" style="margin-left:{wide}ch">'
        f'<div class="scale">{lines}</div>{bars}</div>'
        f'<p class="legend"><span>days of {escape(printable(window.zone))}{_parts(window)}</span></p>'
    )


def spark(days: Sequence[DayCount]) -> str:
    """Return the runs per day of one row, scaled to its own largest day."""
    shown = days[-SPARKS:]
    largest = most_on_a_day(shown) or 1
    bars = "".join(f"<i>{_segments(day, largest)}</i>" for day in shown)
    return f'<span class="spark" role="img" aria-label="{_summary(shown)}" title="{_summary(shown)}">{bars}</span>'


def most_on_a_day(days: Sequence[DayCount]) -> int:
    """Return the runs of the largest of the days that a small chart shows."""
    return max(map(_runs, days[-SPARKS:]), default=0)


def span_of(days: Sequence[DayCount]) -> str:
    """Return from which day to which a small chart goes."""
    shown = days[-SPARKS:]
    label = _label(shown)
    return f"{shown[0].date:{label}} to {shown[-1].date:{label}}" if shown else ""


def ticks(largest: int) -> list[int]:
    """Return round numbers from 0 up to at least `largest`, at most five steps of the same size."""
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    step = next(step for step in steps if step * _INTERVALS >= largest)
    return list(range(0, max(largest, 1) + step, step))[: -(-max(largest, 1) // step) + 1]


def _runs(day: DayCount) -> int:
    return day.succeeded + day.failed


def _summary(days: Sequence[DayCount]) -> str:
    largest = max(days, key=_runs, default=None)
    if largest is None or not _runs(largest):
        return "no runs"
    total, failed = sum(map(_runs, days)), sum(day.failed for day in days)
    return f"{total:,} runs, {failed:,} failed; most on {largest.date.isoformat()}: {_runs(largest):,}"


def _bar(days: Sequence[DayCount], at: int, largest: int) -> str:
    day = days[at]
    title = f"{day.date.isoformat()}: {day.succeeded:,} succeeded, {day.failed:,} failed, {day.skipped:,} skipped"
    number = f"<b>{_runs(day):,}</b>" if len(days) <= _NUMBERED and _runs(day) else ""
    stack = f'<div class="stack">{number}{_segments(day, largest)}</div>'
    return f'<div title="{title}">{stack}{_date(days, at)}</div>'


def _date(days: Sequence[DayCount], at: int) -> str:
    """Return what stands below a bar: of many days only some dates, and half of these on a narrow screen."""
    label = _label(days)
    step = -(-len(days) // (_LABELS if label == _SHORT else _LONG_LABELS))
    if at % step:
        return "<span></span>"
    second = at // step % 2 and len(days) > _ALWAYS
    return f"<span{' class=second' if second else ''}>{days[at].date:{label}}</span>"


def _label(days: Sequence[DayCount]) -> str:
    """Return how dates are written: with the year where there are two."""
    return _SHORT if not days or days[0].date.year == days[-1].date.year else "%Y-%m-%d"


def _segments(day: DayCount, largest: int) -> str:
    parts = (("bad", day.failed), ("good", day.succeeded))
    # A day with one failure among thousands must still show it.
    return "".join(f'<i class="{kind}" style="height:max(2px,{runs / largest:.2%})"></i>'
                   for kind, runs in parts if runs)  # fmt: skip


def _parts(window: Window) -> str:
    """Return of which days the report has only a part: a low last bar is no fall."""
    since, until = (instant.astimezone(zone(window.zone)) for instant in (window.since, window.until))
    said = [
        f"{at:%m-%d} only {word} {at:%H:%M}" for at, word in ((since, "from"), (until, "until")) if not _is_midnight(at)
    ]
    return f", {' and '.join(said)}" if said else ""


def _is_midnight(local: datetime) -> bool:
    return (local.hour, local.minute, local.second) == (0, 0, 0)
