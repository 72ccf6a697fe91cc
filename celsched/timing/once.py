"""The rule of one single instant.

It never judges whether that instant is past: a manifest stays applicable for ever.
"""

from dataclasses import dataclass
from datetime import datetime

from celsched.timing.instant import format_instant
from celsched.timing.rule import as_utc


@dataclass(frozen=True, slots=True)
class Once:
    """Fires at `at` (aware, kept in UTC) and never again; equal by value."""

    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", as_utc(self.at))

    def next_after(self, instant: datetime) -> datetime | None:
        """Return `at` if it is strictly later than `instant`, else None."""
        return self.at if self.at > as_utc(instant) else None

    def describe(self) -> str:
        """Return for example "once at 2026-12-01T05:30:00Z"."""
        return f"once at {format_instant(self.at)}"

    def count(self, after: datetime, until: datetime) -> int:
        """Return 1 if `at` lies in (after, until], else 0."""
        begin, end = as_utc(after), as_utc(until)
        return int(begin < self.at <= end)

    def latest(self, until: datetime, after: datetime, limit: int) -> list[datetime]:
        """Return `at` if it lies in (after, until] and `limit` allows one."""
        return [self.at] if self.count(after, until) and limit > 0 else []

    def shortest_period(self) -> None:
        """Return None: there are no two fire times."""
        return None

    def clock_note(self, fire_time: datetime) -> None:
        """Return None: an instant knows no wall clock."""
        return None
