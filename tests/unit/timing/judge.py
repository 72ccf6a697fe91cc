"""A second opinion on cron rules: a walk over real minutes through zoneinfo, with a matcher of its own.

It shares no code with celsched.timing, reads only the plain grammar, and is right by being slow and simple.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
LIMITS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def expand(item: str, low: int, high: int) -> set[int]:
    span, _, step = item.partition("/")
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = map(int, span.split("-"))
    else:
        first, last = int(span), high if step else int(span)
    return {value for value in range(first, last + 1) if (value - first) % int(step or 1) == 0}


@dataclass(frozen=True)
class Matcher:
    """The five fields as sets, and what does not fit into them."""

    fields: tuple[frozenset[int], ...]
    last_day: bool
    nth: frozenset[tuple[int, int]]
    both: bool

    def __call__(self, wall: datetime) -> bool:
        minute, hour, day, month, weekday = self.fields
        if wall.minute not in minute or wall.hour not in hour or wall.month not in month:
            return False
        today = (wall.weekday() + 1) % 7
        by_day = wall.day in day or (self.last_day and (wall + timedelta(days=1)).day == 1)
        by_weekday = today in weekday or any(today == name and 7 * (k - 1) < wall.day <= 7 * k for name, k in self.nth)
        return (by_day and by_weekday) if self.both else (by_day or by_weekday)


def matcher(expression: str) -> Matcher:
    texts = expression.split(" ")
    fields = tuple(
        frozenset(
            value % modulus
            for item in text.split(",")
            if "#" not in item and item != "L"
            for value in expand(item, *limits)
        )
        for text, limits, modulus in zip(texts, LIMITS, (60, 24, 32, 13, 7), strict=True)
    )
    pairs = [item.split("#") for item in texts[4].split(",") if "#" in item]
    nth = frozenset((int(name) % 7, int(k)) for name, k in pairs)
    return Matcher(fields, "L" in texts[2], nth, texts[2][0] == "*" or texts[4][0] == "*")


@dataclass(frozen=True)
class Moment:
    instant: datetime
    wall: datetime
    second_pass: bool
    skipped: tuple[datetime, ...]


@lru_cache(maxsize=64)
def moments(zone: str, start: datetime, end: datetime) -> tuple[Moment, ...]:
    """Return every real minute in (start, end], with the wall minutes that were skipped just before it."""
    tz, found = ZoneInfo(zone), []
    before = start.astimezone(tz).replace(tzinfo=None)
    instant = start + MINUTE
    while instant <= end:
        local = instant.astimezone(tz)
        wall = local.replace(tzinfo=None, fold=0)
        gap = range(1, (wall - before) // MINUTE)
        found.append(Moment(instant, wall, bool(local.fold), tuple(before + n * MINUTE for n in gap)))
        before, instant = wall, instant + MINUTE
    return tuple(found)


def fire_times(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the fire times in (start, end]; both on whole minutes, UTC."""
    fields = expression.split(" ")
    follows = fields[0][0] == "*" or fields[1][0] == "*"
    match = matcher(expression)
    return [
        moment.instant
        for moment in moments(zone, start, end)
        if (match(moment.wall) and (follows or not moment.second_pass))
        or (not follows and any(match(wall) for wall in moment.skipped))
    ]


def utc(text: str) -> datetime:
    """Return an RFC 3339 text as an instant in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
