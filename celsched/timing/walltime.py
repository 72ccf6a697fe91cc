"""The map between instants and one zone's wall clock, with its gaps and folds.

It knows nothing of rules, and it never trusts datetime arithmetic inside a zone: it adds offsets by itself.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Change:
    """From `instant` on (UTC, whole seconds) the zone's offset is `new`; just before it is `old`."""

    instant: datetime
    old: timedelta
    new: timedelta

    @property
    def wall_before(self) -> datetime:
        """Return what the wall clock would show at the change, had it not happened."""
        return naive(self.instant, self.old)

    @property
    def wall_after(self) -> datetime:
        """Return what the wall clock shows at the change."""
        return naive(self.instant, self.new)


def naive(instant: datetime, offset: timedelta) -> datetime:
    """Return the wall time at a UTC instant under a given offset."""
    return instant.replace(tzinfo=None) + offset


def offset_at(instant: datetime, tz: ZoneInfo) -> timedelta:
    """Return the zone's UTC offset at an aware instant."""
    return _known(instant.astimezone(tz).utcoffset())


def wall_at(instant: datetime, tz: ZoneInfo) -> datetime:
    """Return the naive wall time at an aware instant."""
    return instant.astimezone(tz).replace(tzinfo=None)


def wall_offsets(wall: datetime, tz: ZoneInfo) -> tuple[timedelta, timedelta]:
    """Return a wall time's offsets with fold 0 and 1: equal if ordinary, falling if repeated, rising if skipped."""
    local = wall.replace(tzinfo=tz)
    return _known(local.replace(fold=0).utcoffset()), _known(local.replace(fold=1).utcoffset())


def instant_of(wall: datetime, offset: timedelta) -> datetime:
    """Return the UTC instant of a naive wall time under a given offset."""
    return (wall - offset).replace(tzinfo=UTC)


def change_around(wall: datetime, tz: ZoneInfo) -> Change:
    """Return the change that makes this wall time repeated or skipped; the wall time must be one of these."""
    first, second = sorted(instant_of(wall, offset) for offset in wall_offsets(wall, tz))
    change = _find(first.replace(microsecond=0) - SECOND, second.replace(microsecond=0) + SECOND, tz)
    if change is None:
        raise ValueError(f"{wall.isoformat()} is an ordinary wall time in {tz.key}")
    return change


def changes_between(after: datetime, until: datetime, tz: ZoneInfo) -> list[Change]:
    """Return the changes at instants in (after, until], oldest first."""
    years = range(after.astimezone(UTC).year - 1, until.astimezone(UTC).year + 1)
    return [change for year in years for change in _changes(tz, year) if after < change.instant <= until]


@lru_cache(maxsize=4096)
def _changes(tz: ZoneInfo, year: int) -> tuple[Change, ...]:
    """Return the changes at instants in (1 January of `year`, 1 January after].

    zoneinfo does not show its transitions. Probing once a day finds all of them: no zone has two changes within
    three days, and none had one before 1800.
    """
    if not 1800 <= year < 9999:
        return ()
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    days = (start + n * DAY for n in range((end - start).days))
    found = (_find(day, day + DAY, tz) for day in days)
    return tuple(change for change in found if change is not None)


def _find(low: datetime, high: datetime, tz: ZoneInfo) -> Change | None:
    """Return the change in (low, high], found by bisecting whole seconds; None if both ends have one offset."""
    old, new = offset_at(low, tz), offset_at(high, tz)
    if old == new:
        return None
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        if offset_at(middle, tz) == old:
            low = middle
        else:
            high = middle
    return Change(high, old, new)


def _known(offset: timedelta | None) -> timedelta:
    if offset is None:
        raise ValueError("a zone without an offset")
    return offset
