"""croniter, asked the one question it answers well: the next matching wall-clock minute, for plain lists.

It never shows croniter a user's text or a zone; grammar, day rule and clock changes are ours.
"""

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from celsched.timing.cron_fields import CronDays, CronFields


class WallCalendar:
    """Finds matching naive wall times; builds its croniter objects once, at the first question, and serves threads."""

    def __init__(self, fields: CronFields) -> None:
        self._expressions = tuple(_expression(fields, side) for side in fields.days.sides())
        self._iterators: list[Any] = []
        # croniter objects are cursors: two threads asking one at once would get each other's answers.
        self._lock = threading.Lock()

    def next_after(self, wall: datetime) -> datetime:
        """Return the first matching wall minute strictly later than `wall`; `OverflowError` past the year 9999."""
        # Matches lie on whole minutes, and croniter counts in floats, so it is given whole minutes only.
        minute = wall.replace(second=0, microsecond=0)
        with self._lock:
            if not self._iterators:
                self._iterators = [_iterator(text, minute) for text in self._expressions]
            return min(self._ask(iterator, minute) for iterator in self._iterators)

    def _ask(self, iterator: Any, minute: datetime) -> datetime:
        from croniter import CroniterBadDateError

        try:
            found: datetime = iterator.get_next(datetime, minute)
        except (CroniterBadDateError, OverflowError, ValueError) as error:
            # Each side is known to match some date, so only the end of the calendar stops it.
            raise OverflowError(f"no matching minute after {minute.isoformat()}") from error
        if found <= minute:
            raise RuntimeError(f"croniter answered {found.isoformat()} for the first time after {minute.isoformat()}")
        return found


def _iterator(expression: str, start: datetime) -> Any:
    # croniter takes 28 ms to import; only someone who asks for a next fire time pays that.
    from croniter import croniter

    return croniter(expression, start, ret_type=datetime, day_or=False)


def _expression(fields: CronFields, side: CronDays) -> str:
    """Return the canonical text of one side: explicit lists, which mean the same in every version of croniter."""
    days = "*" if len(side.days) == 31 else _join([*sorted(side.days), *(["l"] if side.last_day else [])])
    if side.nth:
        weekdays = _join([f"{day}#{k}" for day, k in sorted(side.nth)])
    else:
        weekdays = "*" if len(side.weekdays) == 7 else _join(sorted(side.weekdays))
    return f"{_join(fields.minutes)} {_join(fields.hours)} {days} {_join(sorted(side.months))} {weekdays}"


def _join(values: Iterable[object]) -> str:
    return ",".join(str(value) for value in values)
