"""The rule of a grid in elapsed time: base, base + every, base + 2 x every, ...

It never adds up from fire time to fire time, so it cannot drift, and it never looks at a wall clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.timing.duration import check_period, spell_duration
from celsched.timing.rule import as_utc


@dataclass(frozen=True, slots=True)
class Interval:
    """Fires at `base` (aware, kept in UTC) and then every `every`; equal by value.

    `every` is a number of whole seconds, at least 1, else `InvalidRule`.
    """

    every: timedelta
    base: datetime

    def __post_init__(self) -> None:
        check_period(self.every)
        object.__setattr__(self, "base", as_utc(self.base))

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first point of the grid strictly later than `instant`; None past the year 9999."""
        return self._at(self._started_by(instant))

    def describe(self) -> str:
        """Return for example "every 6 hours"."""
        return f"every {spell_duration(self.every)}"

    def count(self, after: datetime, until: datetime) -> int:
        """Return the number of points in (after, until]: a difference of two floor divisions."""
        return max(0, self._started_by(until) - self._started_by(after))

    def latest(self, until: datetime, after: datetime, limit: int) -> list[datetime]:
        """Return the newest `limit` points in (after, until], oldest first."""
        end = self._started_by(until)
        first = max(self._started_by(after), end - max(0, limit))
        return [self.base + k * self.every for k in range(first, end)]

    def shortest_period(self) -> timedelta:
        """Return `every`."""
        return self.every

    def clock_note(self, fire_time: datetime) -> None:
        """Return None: elapsed time knows no clock changes."""
        return None

    def _started_by(self, instant: datetime) -> int:
        """Return how many points of the grid are not later than `instant`."""
        return max(0, (as_utc(instant) - self.base) // self.every + 1)

    def _at(self, k: int) -> datetime | None:
        try:
            return self.base + k * self.every
        except OverflowError:
            return None
