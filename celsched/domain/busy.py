"""Decides which minutes of the day are the busiest: where fire times crowd, starts are late. It never reads rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.timing.zone import zone


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute that was: how many executions were due in it, by how much they started late in all and at most."""

    at: datetime
    executions: int
    late: timedelta
    latest: timedelta


@dataclass(frozen=True, slots=True)
class Slot:
    """A minute of the day, over all days of a window. `most` were due in the one that began at `most_at`."""

    minute: str
    executions: int
    days: int
    most: int
    most_at: datetime
    lateness_mean: timedelta
    lateness_max: timedelta


def busiest(minutes: Iterable[Minute], zone_key: str, limit: int) -> tuple[Slot, ...]:
    """Return the minutes of the zone's day with the most executions, the busiest first."""
    tz = zone(zone_key)
    found: dict[str, list[Minute]] = {}
    for one in minutes:
        found.setdefault(f"{one.at.astimezone(tz):%H:%M}", []).append(one)
    slots = [_slot(minute, of_minute) for minute, of_minute in found.items()]
    return tuple(sorted(slots, key=lambda one: (-one.executions, one.minute))[:limit])


def _slot(minute: str, ones: list[Minute]) -> Slot:
    count, most = sum(one.executions for one in ones), max(ones, key=lambda one: (one.executions, one.at))
    late = sum((one.late for one in ones), timedelta(0))
    return Slot(minute, count, len(ones), most.executions, most.at, late / count, max(one.latest for one in ones))
