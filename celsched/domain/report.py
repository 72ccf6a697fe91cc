"""Owns the numbers of reports: windows and their days, percentiles, rates, outcomes. It never reads rows or clocks.

An execution belongs to the instant it ended at, a skipped fire time to the instant at which the skip was recorded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from celsched.domain.execution import FAILURES, State
from celsched.errors import UsageError
from celsched.timing.instant import first_instant
from celsched.timing.rule import as_utc
from celsched.timing.zone import zone

LONGEST_WINDOW = 1100
"""In days: reports count per day, and nobody reads more."""
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)

RAN = frozenset({State.SUCCEEDED, *FAILURES})
"""The states that count as a run: the task was started, and its outcome says something about the task."""
TIMED = frozenset({State.SUCCEEDED, State.FAILED, State.TIMED_OUT})
"""The states whose end is the end of the work: a lost row ends when somebody notices, a cancelled one may never run."""


@dataclass(frozen=True, slots=True)
class Day:
    """A local calendar day, or the part of it within a window: [start, end). 23 or 25 hours where clocks change."""

    date: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """[since, until), cut into the days of the zone without gaps."""

    since: datetime
    until: datetime
    zone: str
    days: tuple[Day, ...]


def cut(since: datetime, until: datetime, zone_key: str) -> Window:
    """Return the window cut at the midnights of the zone (at the end of the gap where a midnight is skipped).

    A day that the zone never had is left out.

    Raises:
        UsageError: it is empty, or longer than `LONGEST_WINDOW` days.
    """
    since, until, tz = as_utc(since), as_utc(until), zone(zone_key)
    if since >= until:
        raise UsageError("the window is empty: --since must be before --until")
    if until - since > LONGEST_WINDOW * _DAY:
        raise UsageError(f"a report covers at most {LONGEST_WINDOW} days", hint="narrow it with --since and --until")
    day, start, days = since.astimezone(tz).date(), since, []
    while start < until:
        end = min(first_instant(day + _DAY, zone_key), until)
        if start < end:
            days.append(Day(day, start, end))
            start = end
        day += _DAY
    return Window(since, until, zone_key, tuple(days))


def before(window: Window) -> Window:
    """Return the window of the same length that ended where this one begins; raise UsageError before all calendars."""
    try:
        since = window.since - (window.until - window.since)
        return cut(since, window.since, window.zone)
    except OverflowError:
        raise UsageError("the calendar begins after that", hint="give a later --since") from None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Exact percentiles by nearest rank: the least value that at least p % of the values do not exceed.

    Each is one of the values, never interpolated; all None where there are none.
    """

    count: int = 0
    p50: timedelta | None = None
    p95: timedelta | None = None
    p99: timedelta | None = None
    max: timedelta | None = None


NO_VALUES = Percentiles()


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    """Return the percentile of ascending values by nearest rank; `percent` is 1 to 100, and there is a value."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def percentiles(microseconds: Iterable[int]) -> Percentiles:
    """Return the percentiles of lengths; a negative one (clocks of two machines) counts as zero."""
    ordered = sorted(microseconds)
    if not ordered:
        return NO_VALUES
    found = (nearest_rank(ordered, percent) for percent in (50, 95, 99, 100))
    return Percentiles(len(ordered), *(max(value, 0) * _MICROSECOND for value in found))


def rate(part: int, whole: int) -> float | None:
    """Return the share of 1, None of nothing."""
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How executions ended. `skipped` counts fire times, the others executions; `retries` are those of runs."""

    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    lost: int = 0
    cancelled: int = 0
    expired: int = 0
    skipped: int = 0
    retries: int = 0

    @property
    def runs(self) -> int:
        """What the task was judged by: succeeded, failed, timed out, lost."""
        return self.succeeded + self.failures

    @property
    def failures(self) -> int:
        """Runs that did not succeed."""
        return self.failed + self.timed_out + self.lost

    @property
    def success_rate(self) -> float | None:
        """Succeeded / runs; skipped, expired and cancelled executions say nothing about the task."""
        return rate(self.succeeded, self.runs)

    @property
    def attempts_per_run(self) -> float | None:
        """1 where nothing was ever tried again."""
        return (self.runs + self.retries) / self.runs if self.runs else None

    @property
    def decided(self) -> int:
        """Everything that came to an end, skipped fire times too: what shares are of."""
        return self.runs + self.cancelled + self.expired + self.skipped


@dataclass(frozen=True, slots=True)
class DayCount:
    """A day's runs; `skipped` counts fire times."""

    date: date
    succeeded: int = 0
    failed: int = 0
    """Failed, timed out and lost."""
    skipped: int = 0

    @property
    def success_rate(self) -> float | None:
        """As that of `Outcomes`."""
        return rate(self.succeeded, self.succeeded + self.failed)


@dataclass(frozen=True, slots=True)
class Cell:
    """So many executions of one day (its index in the window) that ended alike, `fire_times` >= `executions`."""

    day: int
    state: State
    executions: int
    fire_times: int
    retries: int


def outcomes(cells: Iterable[Cell]) -> Outcomes:
    """Return the sum of the cells."""
    totals = dict.fromkeys((*(state.value for state in RAN), "cancelled", "expired", "skipped", "retries"), 0)
    for cell in cells:
        totals[cell.state.value] += cell.fire_times
        if cell.state in RAN:
            totals["retries"] += cell.retries
    return Outcomes(**totals)


def per_day(window: Window, cells: Iterable[Cell]) -> tuple[DayCount, ...]:
    """Return one count for each day of the window, days without anything included."""
    kept: list[list[Cell]] = [[] for _ in window.days]
    for cell in cells:
        kept[cell.day].append(cell)
    return tuple(_day_count(day, of_day) for day, of_day in zip(window.days, kept, strict=True))


def _day_count(day: Day, cells: list[Cell]) -> DayCount:
    sums = outcomes(cells)
    return DayCount(day.date, sums.succeeded, sums.failures, sums.skipped)
