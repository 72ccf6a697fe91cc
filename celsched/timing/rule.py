"""What every rule can answer, and the iteration that is the same for all of them.

It knows no particular rule, and never guesses a zone: a naive instant is a fault of the caller.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Rule(Protocol):
    """One fixed set of instants; all instants are aware, and `ValueError` is raised for naive ones."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the smallest fire time strictly later than `instant`, in UTC; None if there is none."""
        ...

    def describe(self) -> str:
        """Return one plain English phrase for people."""
        ...

    def count(self, after: datetime, until: datetime) -> int:
        """Return the exact number of fire times in (after, until], by arithmetic."""
        ...

    def latest(self, until: datetime, after: datetime, limit: int) -> list[datetime]:
        """Return the newest `limit` fire times in (after, until], oldest first, with bounded work."""
        ...

    def shortest_period(self) -> timedelta | None:
        """Return a lower bound for the distance of two fire times on ordinary days; None if there are no two."""
        ...

    def clock_note(self, fire_time: datetime) -> str | None:
        """Return what a clock change did to `fire_time`, in a few words; None if it did nothing."""
        ...


def as_utc(instant: datetime) -> datetime:
    """Return `instant` in UTC; raise `ValueError` if it is naive."""
    if instant.utcoffset() is None:
        raise ValueError(f"naive instant {instant.isoformat()}: an aware one is needed")
    return instant.astimezone(UTC)


def upcoming(rule: Rule, after: datetime, limit: int, until: datetime | None = None) -> Iterator[datetime]:
    """Yield at most `limit` fire times in (after, until], oldest first; without `until` there is no upper end."""
    last = None if until is None else as_utc(until)
    fire_time = rule.next_after(after)
    for _ in range(limit):
        if fire_time is None or (last is not None and fire_time > last):
            return
        yield fire_time
        fire_time = rule.next_after(fire_time)
