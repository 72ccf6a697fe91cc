"""Owns the reading of a schedule's rule in all the forms that a manifest may write it in.

It never knows the schedule's other keys, except `schedule_type`, which may say the kind of its rule once more.
"""

from collections.abc import Mapping
from typing import Any

from celsched.domain.definition import RuleSpec, ScheduleType
from celsched.domain.names import suggestion
from celsched.errors import InvalidRule
from celsched.manifest.document import Path
from celsched.manifest.keys import RULE_KEYS
from celsched.manifest.reader import Reader, shape
from celsched.timing.cron import cron
from celsched.timing.duration import parse_period

_EXAMPLES = {
    ScheduleType.INTERVAL: "every: 6h",
    ScheduleType.CRON: 'cron: "0 2 * * *"',
    ScheduleType.ONCE: "at: 2026-12-01T09:00:00+03:30",
}


def read_rule(reader: Reader, path: Path, body: Mapping[str, Any], zone: str) -> tuple[str | None, RuleSpec | None]:
    """Return the key a rule is written with, and the rule; None for what is missing or wrong, with its problem."""
    written = [key for key in body if key in RULE_KEYS]
    kind = _kind(reader, path, body)
    if not written:
        wanted = f"a rule of type {kind}" if kind else "one of `every`, `cron`, `at`"
        example = _EXAMPLES[kind or ScheduleType.INTERVAL]
        reader.refuse(
            path, f"this schedule has no rule: {wanted} is missing", f"write for example {example}", at_key=True
        )
        return None, None
    key = written[0]
    for other in written[1:]:
        message = f"a schedule has one rule, and `{key}` is there already"
        reader.refuse((*path, other), message, "remove one of the two, or write two schedules", at_key=True)
    if kind and kind is not RULE_KEYS[key].type:
        message = f"`schedule_type` says {kind}, but `{key}` makes it {RULE_KEYS[key].type}"
        reader.refuse((*path, "schedule_type"), message, f"write {RULE_KEYS[key].type}, or remove the key")
    return key, _spec(reader, (*path, key), body[key], zone)


def _kind(reader: Reader, path: Path, body: Mapping[str, Any]) -> ScheduleType | None:
    if "schedule_type" not in body:
        return None
    word, words = body["schedule_type"], [kind.value for kind in ScheduleType]
    if word in words:
        return ScheduleType(word)
    hint = suggestion(word, words) if isinstance(word, str) else None
    message = f"`schedule_type` must be one of {', '.join(words)}, not {shape(word)}"
    reader.refuse((*path, "schedule_type"), message, hint)
    return None


def _spec(reader: Reader, path: Path, value: object, zone: str) -> RuleSpec | None:
    try:
        match RULE_KEYS[str(path[-1])].type:
            case ScheduleType.ONCE:
                at = reader.instant(path, value, zone)
                return RuleSpec.at(at) if at else None
            case ScheduleType.CRON:
                return _cron(reader, path, value, zone)
            case ScheduleType.INTERVAL:
                return _interval(reader, path, value)
    except InvalidRule as error:
        reader.refuse(path, error.message, error.hint)
        return None


def _cron(reader: Reader, path: Path, value: object, zone: str) -> RuleSpec | None:
    text = reader.text(path, value)
    if text is None:
        return None
    cron(text, zone)
    return RuleSpec.cron(text)


def _interval(reader: Reader, path: Path, value: object) -> RuleSpec | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if path[-1] == "interval_seconds" and not number:
        message = f"`interval_seconds` must be a number of seconds, not {shape(value)}"
        reader.refuse(path, message, "or write for example every: 6h")
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        reader.refuse(path, f"`{path[-1]}` must be a period, not {shape(value)}", "write for example 30s, 5m or 6h")
        return None
    return RuleSpec.every(parse_period(value))
