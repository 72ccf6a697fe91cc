"""Zones by their IANA key, and what a wall time of a zone means as an instant.

It never takes the machine's own zone, and never picks one of two instants for its caller.
"""

import difflib
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from celsched.errors import InvalidRule
from celsched.timing.rule import Rule
from celsched.timing.walltime import change_around, instant_of, wall_offsets

_REFUSED = {"localtime", "posixrules", "Factory"}
_REFUSED_FOLDERS = ("right/", "posix/")


@lru_cache(maxsize=1024)
def zone(key: str) -> ZoneInfo:
    """Return the zone of an IANA key, matched exactly; raise `InvalidRule` with a near name as its hint."""
    if not isinstance(key, str) or key in _REFUSED or key.startswith(_REFUSED_FOLDERS):
        raise _unknown(key)
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # ValueError: an absolute path, "..", a file that is no zone. OSError: a folder, or far too long a key.
        raise _unknown(key) from error


def local_instant(wall: datetime, zone_key: str) -> datetime:
    """Return the UTC instant of a naive wall time.

    A skipped wall time, and a repeated one, is refused with `InvalidRule`: the message names both instants
    that could be meant, since only the writer knows.
    """
    tz = zone(zone_key)
    first, second = wall_offsets(wall, tz)
    if first == second:
        return instant_of(wall, first)
    meant = sorted(instant_of(wall, offset).astimezone(tz) for offset in (first, second))
    choice = " or ".join(local.isoformat() for local in meant)
    fate = "comes twice" if first > second else "does not exist"
    change = change_around(wall, tz)
    raise InvalidRule(
        f"{wall.isoformat(sep=' ')} {fate} in {zone_key}: the clock goes from {change.wall_before:%H:%M} to "
        f"{_day_if_other(change.wall_after, change.wall_before)}{change.wall_after:%H:%M}; it could mean {choice}",
        field="at",
        hint="write one of the two with its UTC offset",
    )


def dst_note(rule: Rule, fire_time: datetime) -> str | None:
    """Return what a clock change did to this fire time, as "moved from 02:30 (gap)"; None on ordinary days."""
    return rule.clock_note(fire_time)


def _day_if_other(wall: datetime, than: datetime) -> str:
    return f"{wall:%Y-%m-%d} " if wall.date() != than.date() else ""


def _unknown(key: object) -> InvalidRule:
    text = str(key)
    near = difflib.get_close_matches(text, _known_keys(), n=1) or [
        known for known in _known_keys() if known.lower() == text.lower() or known.lower().endswith(f"/{text.lower()}")
    ]
    hint = f"did you mean `{near[0]}`?" if near else "write an IANA name such as Asia/Tehran or UTC"
    return InvalidRule(f"unknown time zone {text[:80]!r}", field="timezone", hint=hint)


@lru_cache(maxsize=1)
def _known_keys() -> tuple[str, ...]:
    return tuple(sorted(available_timezones() - _REFUSED))
