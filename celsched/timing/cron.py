"""The rule of a cron expression in a zone: one fixed set of instants.

It never depends on where a walk began, on what ran before, or on the machine's own zone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from celsched.timing.cron_clock import clock_note, count_fire_times, fire_time_after, latest_start
from celsched.timing.cron_engine import WallCalendar
from celsched.timing.cron_fields import MINUTES_A_DAY, CronFields
from celsched.timing.cron_phrase import cron_phrase
from celsched.timing.cron_text import parse_cron
from celsched.timing.rule import as_utc, upcoming
from celsched.timing.walltime import changes_between
from celsched.timing.zone import zone

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cron:
    """Fires when the wall clock of `zone` matches `expression`; equal by text and zone key.

    Raises `InvalidRule` for an expression or a zone it cannot honour. What is parsed and built is kept by text,
    so that equal rules share it.
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        zone(self.zone)
        _fields(self.expression)

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the smallest fire time strictly later than `instant`, in UTC; None past the year 9999."""
        start, kept = as_utc(instant), _last_step(self.expression, self.zone)
        after, found = kept.step
        if after <= start < found:
            return found
        try:
            found = fire_time_after(start, _fields(self.expression), _calendar(self.expression), zone(self.zone))
        except OverflowError:
            return None
        kept.step = (start, found)
        return found

    def describe(self) -> str:
        """Return for example "at 02:00 every day, Asia/Tehran (0 2 * * *)"."""
        return f"{cron_phrase(_fields(self.expression))}, {self.zone} ({self.expression.strip()})"

    def count(self, after: datetime, until: datetime) -> int:
        """Return the exact number of fire times in (after, until], by arithmetic."""
        return count_fire_times(as_utc(after), as_utc(until), _fields(self.expression), zone(self.zone))

    def latest(self, until: datetime, after: datetime, limit: int) -> list[datetime]:
        """Return the newest `limit` fire times in (after, until], oldest first."""
        end, begin = as_utc(until), as_utc(after)
        if limit <= 0 or end <= begin:
            return []
        start = latest_start(end, begin, limit, _fields(self.expression), zone(self.zone))
        return list(upcoming(self, start, limit, end))

    def shortest_period(self) -> timedelta:
        """Return the smallest distance of two matching minutes of a day, also over midnight.

        On the day of a clock change two fire times can come closer than this.
        """
        times = _fields(self.expression).times
        after = (*times[1:], times[0] + MINUTES_A_DAY)
        return timedelta(minutes=min(later - earlier for earlier, later in zip(times, after, strict=True)))

    def clock_note(self, fire_time: datetime) -> str | None:
        """Return what a clock change did to `fire_time`, as "moved from 02:30 (gap)"; None if nothing."""
        fields, calendar = _fields(self.expression), _calendar(self.expression)
        return clock_note(as_utc(fire_time), fields, calendar, zone(self.zone))

    def moved_fire_times(self, after: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield fire times that a clock change in (after, until] moves or makes doubtful, with what it does to each.

        A rule that follows the clock (as one of every five minutes) has none: it goes on through any change.
        """
        if _fields(self.expression).follows:
            return
        for change in changes_between(as_utc(after), as_utc(until), zone(self.zone)):
            width = abs(change.new - change.old)
            begin = change.instant - width - timedelta(microseconds=1)
            for fire_time in upcoming(self, begin, 10, change.instant + width):
                note = self.clock_note(fire_time)
                if note is not None:
                    yield fire_time, note

    def warnings(self) -> tuple[str, ...]:
        """Return what its author surely did not mean, as a step longer than its field."""
        return _fields(self.expression).warnings


@dataclass(slots=True)
class _LastStep:
    """An instant and the first fire time after it, which is the first one after any instant between them too.

    A scan asks so for the same step again and again, and each answer costs a tenth of a millisecond.
    """

    step: tuple[datetime, datetime]
    """Replaced as a whole: threads share it."""


@lru_cache(maxsize=4096)
def _last_step(expression: str, zone_key: str) -> _LastStep:
    return _LastStep((_NEVER, _NEVER))


@lru_cache(maxsize=4096)
def cron(expression: str, zone_key: str = "UTC") -> Cron:
    """Return the one kept `Cron` of this text and zone."""
    return Cron(expression, zone_key)


@lru_cache(maxsize=4096)
def _fields(expression: str) -> CronFields:
    return parse_cron(expression)


@lru_cache(maxsize=4096)
def _calendar(expression: str) -> WallCalendar:
    return WallCalendar(_fields(expression))
