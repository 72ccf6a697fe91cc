"""Reading the instants that people write, and writing instants for them.

It never reads the clock: `now` is handed in, and a wall time is read in the zone that the caller names.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from celsched.errors import InvalidRule
from celsched.timing.duration import parse_duration
from celsched.timing.rule import as_utc
from celsched.timing.walltime import DAY, change_around, instant_of, wall_offsets
from celsched.timing.zone import local_instant, zone

_STAMP = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:(?:[Tt]| +)(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,12})?)?)"
    r"(?: ?(?P<offset>[Zz]|[+-][0-9]{2}:?[0-9]{2}))?)?",
    re.ASCII,
)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,12}))?)?", re.ASCII)
_RELATIVE = re.compile(r"([+-])(.+)|(.+?) +ago", re.ASCII)
_HINT = "write for example 2026-12-01T09:00:00+03:30, 2026-12-01 09:00, 09:00, today, +5s or 2h ago"


def parse_instant(text: str, zone_key: str, now: datetime) -> datetime:
    """Return the instant that `text` names, in UTC, truncated to microseconds; raise `InvalidRule` if none.

    RFC 3339 with its offset; a wall time or a date (its midnight) in the zone; `+5s`, `-2h`, `2h ago` from
    `now`; `now`; `today` and `yesterday` (their first instant); a bare time such as `02:00` is the newest such
    wall time at or before `now`. Skipped and repeated wall times are refused unless an offset is given.
    """
    present, text = as_utc(now), text.strip()
    try:
        return _named(text, zone_key, present) or _stamped(text, zone_key) or _relative(text, present)
    except OverflowError as error:
        raise InvalidRule(f"{text[:80]!r} is outside the years 1 to 9999", field="instant", hint=_HINT) from error


def format_instant(instant: datetime, zone_key: str | None = None) -> str:
    """Return RFC 3339: UTC with `Z`, or the zone's wall time with its offset; microseconds only if not zero."""
    utc = as_utc(instant)
    if zone_key is None:
        return utc.isoformat().removesuffix("+00:00") + "Z"
    return utc.astimezone(zone(zone_key)).isoformat()


def _named(text: str, zone_key: str, now: datetime) -> datetime | None:
    today = now.astimezone(zone(zone_key)).date()
    match text.lower():
        case "now":
            return now
        case "today":
            return first_instant(today, zone_key)
        case "yesterday":
            return first_instant(today - DAY, zone_key)
    if _TIME.fullmatch(text):
        return _newest(_time(text), zone_key, now)
    return None


def _stamped(text: str, zone_key: str) -> datetime | None:
    stamp = _STAMP.fullmatch(text)
    if stamp is None:
        return None
    try:
        day = date.fromisoformat(stamp["date"])
    except ValueError as error:
        raise InvalidRule(f"{stamp['date']} is not a date of the calendar", field="instant", hint=_HINT) from error
    wall = datetime.combine(day, _time(stamp["time"]) if stamp["time"] else time())
    if stamp["offset"] is None:
        return local_instant(wall, zone_key)
    return wall.replace(tzinfo=_offset(stamp["offset"])).astimezone(UTC)


def _relative(text: str, now: datetime) -> datetime:
    relative = _RELATIVE.fullmatch(text)
    if relative is None:
        raise InvalidRule(f"{text[:80]!r} is not an instant", field="instant", hint=_HINT)
    length = parse_duration(relative[2] or relative[3])
    return now + length if relative[1] == "+" else now - length


def _time(text: str) -> time:
    parts = _TIME.fullmatch(text)
    hour, minute, second, fraction = parts.groups(default="0") if parts else ("99", "0", "0", "0")
    try:
        return time(int(hour), int(minute), int(second), int(fraction[:6].ljust(6, "0")))
    except ValueError as error:
        raise InvalidRule(f"{text} is not a time of day", field="instant", hint=_HINT) from error


def _offset(text: str) -> timezone:
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise InvalidRule(f"{text} is not a UTC offset", field="instant", hint=_HINT)
    length = timedelta(hours=hours, minutes=minutes)
    return timezone(-length if text[0] == "-" else length)


def first_instant(day: date, zone_key: str) -> datetime:
    """Return the first instant of a local day, which is the end of a gap where its midnight is skipped."""
    wall, tz = datetime.combine(day, time()), zone(zone_key)
    first, second = wall_offsets(wall, tz)
    return change_around(wall, tz).instant if first < second else instant_of(wall, first)


def _newest(at: time, zone_key: str, now: datetime) -> datetime:
    """Return the newest instant at or before `now` at which the zone's clock shows `at`."""
    tz = zone(zone_key)
    today = now.astimezone(tz).date()
    for days in range(4):  # a gap takes at most one day away, and today's may be yet to come
        wall = datetime.combine(today - days * DAY, at)
        first, second = wall_offsets(wall, tz)
        past = [u for u in (instant_of(wall, first), instant_of(wall, second)) if u <= now and first >= second]
        if past:
            return max(past)
    raise InvalidRule(f"{at.isoformat()} has not been seen in {zone_key} for days", field="instant", hint=_HINT)
