"""The modest English phrase for a cron rule.

It never tries to explain everything: beyond the plain cases it names the expression and nothing else.
"""

from celsched.timing.cron_fields import CronFields

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MOST_TIMES = 4


def cron_phrase(fields: CronFields) -> str:
    """Return for example "at 02:00 every day", or "on a cron schedule" where no short phrase is true."""
    when, days = _times(fields), _days(fields)
    return f"{when} {days}" if when and days else "on a cron schedule"


def _times(fields: CronFields) -> str | None:
    if len(fields.times) <= _MOST_TIMES:
        return "at " + _join([f"{time // 60:02}:{time % 60:02}" for time in fields.times])
    if len(fields.minutes) == 1:
        hours, minute = _every(fields.hours, 24, "hour"), fields.minutes[0]
        return hours and (f"{hours} at minute {minute}" if minute else hours)
    return _every(fields.minutes, 60, "minute") if len(fields.hours) == 24 else None


def _every(values: tuple[int, ...], size: int, unit: str) -> str | None:
    """Return "every minute" or "every 5 minutes" where the values go round the clock evenly from 0, else None."""
    step = values[1] if len(values) > 1 else size
    if size % step or values != tuple(range(0, size, step)):
        return None
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def _days(fields: CronFields) -> str | None:
    rule = fields.days
    if rule.every_day:
        return "every day"
    all_days, all_weekdays = len(rule.days) == 31, len(rule.weekdays) == 7
    if not rule.both or rule.nth or not (all_days or all_weekdays):
        return None
    months = "" if len(rule.months) == 12 else " in " + _join([_MONTHS[month - 1] for month in sorted(rule.months)])
    if all_days and all_weekdays:
        return f"every day{months}"
    if all_days:
        return "every " + _join([_WEEKDAYS[day] for day in sorted(rule.weekdays)]) + months
    ends = [str(day) for day in sorted(rule.days)] + (["the last"] if rule.last_day else [])
    return f"on day {_join(ends)} of the month{months}" if len(ends) <= _MOST_TIMES else None


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
