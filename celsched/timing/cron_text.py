"""Reading the text of a cron expression: five fields or a macro, with a message that names what is wrong.

It never guesses: what another cron reads differently, or reads and ours does not, is refused.
"""

import re
from dataclasses import dataclass, field

from celsched.errors import InvalidRule
from celsched.timing.cron_fields import CronDays, CronFields

LONGEST_TEXT = 200

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_VALUE = r"([0-9]+|[a-z]{3})"
_ITEM = re.compile(rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/([0-9]+))?", re.ASCII)
_NTH = re.compile(rf"{_VALUE}#([1-5])", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the five fields: its name, first and last value, and names of values."""

    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)


_MINUTE = _Kind("minute", 0, 59)
_HOUR = _Kind("hour", 0, 23)
_DAY = _Kind("day of month", 1, 31)
_MONTH = _Kind("month", 1, 12, {name: n for n, name in enumerate(_MONTHS, 1)})
# 7 is Sunday too; the field runs to 7 so that steps and ranges may end there, and 7 is folded to 0 afterwards.
_WEEKDAY = _Kind("day of week", 0, 7, {name: n for n, name in enumerate(_DAYS)})
_KINDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


@dataclass(slots=True)
class _Field:
    """What the items of one field add up to."""

    values: set[int] = field(default_factory=set)
    last_day: bool = False
    nth: set[tuple[int, int]] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


def parse_cron(expression: str) -> CronFields:
    """Return what the expression says; raise `InvalidRule` that names field, item and reason.

    An expression that no date can ever satisfy is refused too.
    """
    minute, hour, day, month, weekday = texts = _split(expression)
    fields = [_parse_field(text, kind) for text, kind in zip(texts, _KINDS, strict=True)]
    days = CronDays(
        days=frozenset(fields[2].values),
        last_day=fields[2].last_day,
        months=frozenset(fields[3].values),
        weekdays=frozenset(value % 7 for value in fields[4].values),
        nth=frozenset((value % 7, k) for value, k in fields[4].nth),
        both=day.startswith("*") or weekday.startswith("*"),
    )
    if not days.possible:
        dates = f"day of month {day.upper()}, month {month.upper()}, day of week {weekday.upper()}"
        raise InvalidRule(
            f"no date ever satisfies {dates}", field="day of month", hint="L is the last day of every month"
        )
    return CronFields(
        minutes=tuple(sorted(fields[0].values)),
        hours=tuple(sorted(fields[1].values)),
        days=days,
        follows=minute.startswith("*") or hour.startswith("*"),
        warnings=tuple(warning for part in fields for warning in part.warnings),
    )


def _split(expression: str) -> list[str]:
    if not isinstance(expression, str):
        raise InvalidRule(f"a cron expression is text, not {expression!r}", field="cron", hint="put it in quotes")
    if len(expression) > LONGEST_TEXT:
        raise InvalidRule(f"a cron expression has at most {LONGEST_TEXT} characters", field="cron")
    text = expression.strip(" \t").lower()
    if text.startswith("@"):
        return _macro(text).split(" ")
    parts = re.split(r"[ \t]+", text) if text else []
    if len(parts) != 5:
        hint = "write minute, hour, day of month, month, day of week"
        if len(parts) in (6, 7):
            hint += "; seconds and years are not supported"
        raise InvalidRule(f"a cron expression has 5 fields, this one has {len(parts)}", field="cron", hint=hint)
    return parts


def _macro(text: str) -> str:
    if text not in _MACROS:
        known = ", ".join(_MACROS)
        hint = (
            "for a period write an interval, such as every: 6h" if text.startswith("@every") else f"there are {known}"
        )
        raise InvalidRule(f"{text} is not supported", field="cron", hint=hint)
    return _MACROS[text]


def _parse_field(text: str, kind: _Kind) -> _Field:
    result = _Field()
    for item in text.split(","):
        if item == "l" and kind is _DAY:
            result.last_day = True
        elif kind is _WEEKDAY and (nth := _NTH.fullmatch(item)):
            result.nth.add((_value(nth[1], kind, item), int(nth[2])))
        else:
            result.values.update(_item(item, kind, result.warnings))
    return result


def _item(item: str, kind: _Kind, warnings: list[str]) -> range:
    match = _ITEM.fullmatch(item)
    if match is None:
        reason, hint = _why_not(item, kind)
        raise _refusal(kind, item, reason, hint)
    low, high = _bounds(match, item, kind)
    step = int(match[3] or 1)
    if step < 1:
        raise _refusal(kind, item, "a step is 1 or more")
    if high > low and step > high - low:
        warnings.append(f'{kind.name} "{item}": a step of {step} is longer than the range, so this is just {low}')
    return range(low, high + 1, step)


def _bounds(match: re.Match[str], item: str, kind: _Kind) -> tuple[int, int]:
    first, second, step = match.groups()
    if first is None:
        return kind.low, kind.high
    low = _value(first, kind, item)
    if second is None:
        return low, kind.high if step else low
    high = _value(second, kind, item)
    if second == "sun" and low > 0:
        high = 7
    if low > high:
        hint = f"write a list: {_two_ranges(first, second, kind)}" if step is None else "write the values as a list"
        raise _refusal(kind, item, "the range runs backwards", hint)
    return low, high


def _value(text: str, kind: _Kind, item: str) -> int:
    if text in kind.names:
        return kind.names[text]
    if not text.isdigit():
        hint = f"names are {', '.join(kind.names)}" if kind.names else f"this field takes {kind.low}-{kind.high}"
        raise _refusal(kind, item, f'"{text}" is not a value', hint)
    value = int(text)
    if not kind.low <= value <= kind.high:
        raise _refusal(kind, item, f"{value} is out of range, the field takes {kind.low}-{kind.high}")
    return value


def _two_ranges(first: str, second: str, kind: _Kind) -> str:
    """Return the list that a backwards range stands for elsewhere: 22-2 as 22-23,0-2."""
    high = 6 if kind is _WEEKDAY else kind.high
    by_value = {value: name for name, value in kind.names.items()}
    named = first in kind.names or second in kind.names
    top, bottom = (by_value[high], by_value[kind.low]) if named else (str(high), str(kind.low))
    parts = [first if first == top else f"{first}-{top}", second if second == bottom else f"{bottom}-{second}"]
    return ",".join(parts).upper()


def _why_not(item: str, kind: _Kind) -> tuple[str, str | None]:
    """Return reason and hint for an item that has no meaning here, though another cron may know it."""
    if not item:
        return "an item of the list is empty", None
    if "?" in item:
        return "? is not supported", "write *"
    if "~" in item or re.match(r"[hr]\b", item):
        return "random and hashed values are not supported", "use jitter to spread schedules"
    if "#" in item:
        return _why_no_nth(kind)
    if re.fullmatch(r"l|l[w0-9/-].*|[0-9]+l|[a-z]{3}l|.*[-/]l", item):
        hint = (
            "write L alone, in day of month" if kind is not _DAY else "L takes no range, offset or step; lists are fine"
        )
        return "L means the last day of the month and stands alone", hint
    if item.endswith("w") and item[:-1].isdigit():
        return "W (the nearest weekday) is not supported", None
    if not item.isascii():
        return "digits and names are ASCII", "write 0-9"
    return "this is not a value, range, step or list", None


def _why_no_nth(kind: _Kind) -> tuple[str, str | None]:
    if kind is not _WEEKDAY:
        return "# stands in day of week only", None
    return "# joins one day of the week with a number from 1 to 5", "write for example MON#1,TUE#1"


def _refusal(kind: _Kind, item: str, reason: str, hint: str | None = None) -> InvalidRule:
    return InvalidRule(f'{kind.name} "{item.upper()}": {reason}', field=kind.name, hint=hint)
