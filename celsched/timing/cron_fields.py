"""What a cron expression says, once it has been read: sets, and the two facts that its text decides.

It answers for the calendar and the clock face only; zones and clock changes are unknown here.
"""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

from celsched.timing.walltime import DAY

MINUTES_A_DAY = 1440
# These 28 years hold every kind of year there is: each weekday for 1 January, leap and common.
_EVERY_KIND_OF_YEAR = (date(2000, 1, 1), 10_227)


@dataclass(frozen=True)
class CronDays:
    """The day rule: a date in `months` must satisfy both sides if `both`, else either.

    Days of week are 0-6 from Sunday; `nth` holds (day of week, k) for the k-th such day of the month.
    """

    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    both: bool

    def match(self, day: date) -> bool:
        """Return whether the date satisfies the rule."""
        if day.month not in self.months:
            return False
        by_date = day.day in self.days or (self.last_day and day.day == monthrange(day.year, day.month)[1])
        if by_date != self.both:
            return by_date
        weekday = day.isoweekday() % 7
        return weekday in self.weekdays or (weekday, (day.day - 1) // 7 + 1) in self.nth

    @cached_property
    def every_day(self) -> bool:
        """Return whether each date there is satisfies the rule."""
        any_date, any_weekday = len(self.days) == 31, len(self.weekdays) == 7
        return len(self.months) == 12 and (any_date and any_weekday if self.both else any_date or any_weekday)

    @cached_property
    def possible(self) -> bool:
        """Return whether any date at all satisfies the rule; exact."""
        if self.both and not self.weekdays and not self.nth:
            return False  # one side of every ordinary rule: 28 years need not be searched for each
        first, count = _EVERY_KIND_OF_YEAR
        return any(self.match(first + timedelta(n)) for n in range(count))

    def sides(self) -> Iterator["CronDays"]:
        """Yield the possible rules without mixture whose union this rule is: all are `both`, with weekdays or nth."""
        any_date = replace(self, days=frozenset(range(1, 32)), both=True)
        by_weekday = self if self.both else any_date
        parts = [replace(by_weekday, nth=frozenset()), replace(by_weekday, weekdays=frozenset())]
        if not self.both:
            parts.append(replace(self, weekdays=frozenset(range(7)), nth=frozenset(), both=True))
        yield from (part for part in parts if part.possible)


@dataclass(frozen=True)
class CronFields:
    """A whole expression: minutes, hours, the day rule, whether it follows real time, and warnings for its author."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: CronDays
    follows: bool
    warnings: tuple[str, ...] = ()

    @cached_property
    def times(self) -> tuple[int, ...]:
        """Return the matching minutes of a day, counted from midnight, ascending."""
        return tuple(hour * 60 + minute for hour in self.hours for minute in self.minutes)

    def match(self, wall: datetime) -> bool:
        """Return whether a whole minute of the wall clock satisfies the expression."""
        on_minute = not wall.second and not wall.microsecond
        return on_minute and wall.minute in self.minutes and wall.hour in self.hours and self.days.match(wall.date())

    def count(self, start: datetime, end: datetime) -> int:
        """Return the number of matching wall minutes in [start, end), by whole days."""
        if end <= start:
            return 0
        first, last = start.date(), end.date()
        head = bisect_left(self.times, _minute_ceiling(start)) if self.days.match(first) else 0
        tail = bisect_left(self.times, _minute_ceiling(end)) if self.days.match(last) else 0
        return self._matching_days(first, last) * len(self.times) - head + tail

    def _matching_days(self, first: date, last: date) -> int:
        """Return the number of matching dates in [first, last)."""
        length = (last - first).days
        return length if self.days.every_day else sum(self.days.match(first + n * DAY) for n in range(length))


def _minute_ceiling(wall: datetime) -> int:
    return wall.hour * 60 + wall.minute + bool(wall.second or wall.microsecond)
