"""A cron calendar on a zone's clock: which instants its wall times become when the clock is changed.

It never looks at the text of a rule, and never walks from a remembered fire time: each answer stands alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celsched.timing.cron_engine import WallCalendar
from celsched.timing.cron_fields import CronFields
from celsched.timing.walltime import (
    DAY,
    Change,
    change_around,
    changes_between,
    instant_of,
    naive,
    offset_at,
    wall_at,
    wall_offsets,
)

_MICROSECOND = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
# The clock never goes back by more than a day, so the second pass of a fold is over by then.
_LONGEST_FOLD = DAY + timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The instants [start, end) with one UTC offset, whose fire times are the matches from wall time `first` on."""

    start: datetime
    end: datetime
    offset: timedelta
    first: datetime


def fire_time_after(instant: datetime, fields: CronFields, calendar: WallCalendar, tz: ZoneInfo) -> datetime:
    """Return the first fire time strictly later than a UTC instant; `OverflowError` past the year 9999."""
    found = _forward(instant, fields, calendar, tz)
    if not fields.follows:
        return found
    here = instant.astimezone(tz)
    first, second = wall_offsets(here.replace(tzinfo=None), tz)
    if here.fold or first <= second:
        return found
    # In the first pass of a repeated hour the clock is about to go back: a match may lie behind the wall clock.
    change = change_around(here.replace(tzinfo=None), tz)
    repeated = calendar.next_after(change.wall_after - _MICROSECOND)
    again = instant_of(repeated, change.new)
    return min(found, again) if again > instant else found


def _forward(instant: datetime, fields: CronFields, calendar: WallCalendar, tz: ZoneInfo) -> datetime:
    wall = wall_at(instant, tz)
    while True:
        match = calendar.next_after(wall)
        first, second = wall_offsets(match, tz)
        wall = match
        found = instant_of(match, first)
        if first > second and fields.follows and found <= instant:
            found = instant_of(match, second)
        elif first < second:
            change = change_around(match, tz)
            if fields.follows:
                wall = change.wall_after - _MICROSECOND
                continue
            found = change.instant
        if found > instant:
            return found


def count_fire_times(after: datetime, until: datetime, fields: CronFields, tz: ZoneInfo) -> int:
    """Return the exact number of fire times in (after, until], both UTC, by arithmetic."""
    if until <= after:
        return 0
    start, end = after + _MICROSECOND, until + _MICROSECOND
    early = _earlier(start, _LONGEST_FOLD)
    changes = changes_between(early, until, tz)
    total = 0
    for stretch in _stretches(early, end, changes, fields.follows, tz):
        low = max(stretch.first, naive(max(stretch.start, start), stretch.offset))
        total += fields.count(low, naive(stretch.end, stretch.offset))
    if not fields.follows:
        total += sum(_moved(change, fields) for change in changes if change.instant > after)
    return total


def latest_start(until: datetime, after: datetime, limit: int, fields: CronFields, tz: ZoneInfo) -> datetime:
    """Return a start in [after, until) such that (start, until] holds the newest `limit` fire times and no others.

    With fewer of them in (after, until] it is `after`. The window grows until it holds enough, then is bisected.
    """
    span, early = timedelta(hours=1), after
    while (start := max(after, _earlier(until, span))) > after:
        if count_fire_times(start, until, fields, tz) >= limit:
            early = start
            break
        span *= 4
    late, found = until, count_fire_times(early, until, fields, tz)
    while found > limit and late - early > _MICROSECOND:
        middle = early + (late - early) // 2
        inside = count_fire_times(middle, until, fields, tz)
        if inside >= limit:
            early, found = middle, inside
        else:
            late = middle
    return early


def clock_note(fire_time: datetime, fields: CronFields, calendar: WallCalendar, tz: ZoneInfo) -> str | None:
    """Return what a clock change did to this fire time, as "moved from 02:30 (gap)"; None if nothing."""
    offset, before = offset_at(fire_time, tz), offset_at(fire_time - _MICROSECOND, tz)
    if before < offset and not fields.follows:
        return _gap_note(Change(fire_time, before, offset), fields, calendar)
    local = fire_time.astimezone(tz)
    first, second = wall_offsets(local.replace(tzinfo=None), tz)
    if first <= second:
        return None
    if local.fold:
        return f"second of two {local:%H:%M}"
    return f"first of two {local:%H:%M}" + ("" if fields.follows else "; it runs once")


def _gap_note(change: Change, fields: CronFields, calendar: WallCalendar) -> str | None:
    skipped = fields.count(change.wall_before, change.wall_after)
    if not skipped:
        return None
    first = calendar.next_after(change.wall_before - _MICROSECOND)
    day = f"{first:%Y-%m-%d} " if first.date() != change.wall_after.date() else ""
    more = f" and {skipped - 1} more" if skipped > 1 else ""
    verb = "stands also for" if fields.match(change.wall_after) else "moved from"
    return f"{verb} {day}{first:%H:%M}{more} (gap)"


def _stretches(
    start: datetime, end: datetime, changes: list[Change], follows: bool, tz: ZoneInfo
) -> Iterator[_Stretch]:
    starts = [start, *(change.instant for change in changes)]
    ends = [*(change.instant for change in changes), end]
    first = naive(start, offset_at(start, tz))
    for change, low, high in zip([None, *changes], starts, ends, strict=True):
        offset = offset_at(low, tz)
        if change is not None:
            # A fixed time has had its run in the first pass, so its matches count from the end of the fold on.
            first = change.wall_after if follows else max(change.wall_before, change.wall_after)
        yield _Stretch(low, high, offset, first)


def _moved(change: Change, fields: CronFields) -> bool:
    """Return whether a fixed time in this gap adds a run at the change that is not a run anyway."""
    skipped = fields.count(change.wall_before, change.wall_after)
    return skipped > 0 and not fields.match(change.wall_after)


def _earlier(instant: datetime, span: timedelta) -> datetime:
    try:
        return instant - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) + DAY
