"""Reading and writing lengths of time such as `1h30m`.

It never uses float arithmetic: every length is a whole number of microseconds.
"""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from celsched.errors import InvalidRule

LONGEST = timedelta(days=36_525)

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "us": timedelta(microseconds=1),
}
_WORDS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(ms|us|[wdhms]) ?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
_HINT = "write for example 30s, 5m, 6h, 1d, 1h30m, 1w, 500ms, or a number of seconds"


def parse_duration(text: str | int | float) -> timedelta:
    """Return the length that `text` names, truncated to microseconds; a bare number is seconds.

    Units are w, d, h, m, s, ms, us, the longest first, each at most once. Negative lengths, lengths over
    100 years and anything else are refused with `InvalidRule`.
    """
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise InvalidRule(f"{text!r} is not a duration", field="duration", hint=_HINT)
    length = _parse_text(text.strip()) if isinstance(text, str) else _times(str(text), _UNITS["s"], text)
    if length < timedelta(0):
        raise InvalidRule(f"{text!r} is a negative duration", field="duration", hint=_HINT)
    if length > LONGEST:
        raise _too_long(text)
    return length


def parse_period(text: str | int | float) -> timedelta:
    """Return a duration that may stand between two fire times: whole seconds, at least 1; else `InvalidRule`."""
    return check_period(parse_duration(text))


def check_period(period: timedelta) -> timedelta:
    """Return `period` if it is a number of whole seconds from 1 to 100 years, else raise `InvalidRule`."""
    if period < _UNITS["s"]:
        raise InvalidRule("a period is at least 1 second", field="every", hint=_HINT)
    if period % _UNITS["s"]:
        raise InvalidRule("a period is a number of whole seconds", field="every", hint=_HINT)
    if period > LONGEST:
        raise _too_long(str(period), "every")
    return period


def format_duration(length: timedelta) -> str:
    """Return the usual short form, which `parse_duration` reads back: `1m30s`, `6h`, `1w`, `0s`.

    Weeks appear only alone (8 days are `8d`). A negative length gets a leading `-`, which is for reading only.
    """
    if length < timedelta(0):
        return "-" + format_duration(-length)
    if length and not length % _UNITS["w"]:
        return f"{length // _UNITS['w']}w"
    return "".join(f"{amount}{unit}" for unit, amount in _split(length)) or "0s"


def spell_duration(length: timedelta) -> str:
    """Return a positive length in words, for "every ...": `hour`, `6 hours`, `1 hour 30 minutes`."""
    parts = list(_split(length))
    words = [
        f"{amount} {_WORDS.get(unit, unit)}{'s' if amount != 1 and unit in _WORDS else ''}" for unit, amount in parts
    ]
    return words[0].removeprefix("1 ") if len(words) == 1 else " ".join(words)


def _split(length: timedelta) -> list[tuple[str, int]]:
    parts = []
    for unit, size in list(_UNITS.items())[1:]:
        amount, length = divmod(length, size)
        if amount:
            parts.append((unit, amount))
    return parts


def _parse_text(text: str) -> timedelta:
    if _NUMBER.fullmatch(text):
        return _times(text, _UNITS["s"], text)
    total, position, last = timedelta(0), 0, -1
    order = list(_UNITS)
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or order.index(part[2]) <= last:
            raise InvalidRule(f"{text[:80]!r} is not a duration", field="duration", hint=_HINT)
        total += _times(part[1], _UNITS[part[2]], text)
        position, last = part.end(), order.index(part[2])
    if last < 0:
        raise InvalidRule("a duration is missing", field="duration", hint=_HINT)
    return total


def _times(amount: str, unit: timedelta, text: str | int | float) -> timedelta:
    try:
        microseconds = int(Decimal(amount) * (unit // _UNITS["us"]))
        return timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise _too_long(text) from error
    except (InvalidOperation, ValueError) as error:
        raise InvalidRule(f"{text!r} is not a duration", field="duration", hint=_HINT) from error


def _too_long(text: str | int | float, field: str = "duration") -> InvalidRule:
    return InvalidRule(f"{str(text)[:80]} is longer than 100 years", field=field, hint=_HINT)
