"""Owns the table of keys that tasks, schedules and `defaults` share: where a key may stand, and its decoded form.

A layer is a mapping from key to decoded value, holding only what somebody wrote. Layers are never folded into each
other here; `effective` looks a value up through them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from celsched.domain.health.wishes import ELSEWHERE, AlertWishes, decode_wishes, encode_wishes, wishes_schema
from celsched.domain.names import clean_name, suggestion
from celsched.domain.policy import Misfire, OnStoreOutage, Overlap, RetryPolicy
from celsched.errors import InvalidDefinition, InvalidRule
from celsched.timing.duration import format_duration, parse_duration
from celsched.timing.instant import format_instant
from celsched.timing.zone import zone

Layer = Mapping[str, Any]
JsonValue = Any


@dataclass(frozen=True, slots=True)
class Option:
    """One key: who may carry it, how its value is read from and written to a manifest, and its last fallback.

    `elsewhere` says of words that may not stand below it, and that somebody could look for there, where they belong.
    """

    key: str
    decode: Callable[[str, object], Any]
    encode: Callable[[Any], JsonValue]
    schema: Mapping[str, Any]
    default: Any
    on_task: bool
    on_schedule: bool
    about: str
    elsewhere: Mapping[str, str] = field(default_factory=dict)


def _refuse(key: str, value: object, wanted: str, hint: str | None = None) -> InvalidDefinition:
    return InvalidDefinition(f"`{key}` must be {wanted}, not {value!r}", key=key, hint=hint)


def _integer(low: int, high: int) -> Callable[[str, object], int]:
    def decode(key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _refuse(key, value, f"a whole number from {low} to {high}")
        return value

    return decode


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refuse(key, value, "true or false")
    return value


def _duration(*, zero: bool = False) -> Callable[[str, object], timedelta]:
    def decode(key: str, value: object) -> timedelta:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _refuse(key, value, "a duration such as 30s, 5m, 6h, 1d or a number of seconds")
        try:
            length = parse_duration(value)
        except InvalidRule as error:
            raise InvalidDefinition(f"`{key}`: {error.message}", key=key, hint=error.hint) from None
        if not length and not zero:
            raise _refuse(key, value, "longer than nothing")
        return length

    return decode


def _choice(words: type[StrEnum]) -> Callable[[str, object], StrEnum]:
    def decode(key: str, value: object) -> StrEnum:
        allowed = [word.value for word in words]
        if not isinstance(value, str) or value not in allowed:
            hint = suggestion(value, allowed) if isinstance(value, str) else None
            raise _refuse(key, value, f"one of {', '.join(allowed)}", hint)
        return words(value)

    return decode


def _queue(key: str, value: object) -> str:
    return clean_name(value, key)


def _zone(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refuse(key, value, "a zone such as Asia/Tehran")
    try:
        return zone(value).key
    except InvalidRule as error:
        raise InvalidDefinition(f"`{key}`: {error.message}", key=key, hint=error.hint) from None


def _instant(key: str, value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _refuse(key, value, "an instant with an offset, such as 2026-12-01T09:00:00+03:30")
    return moment.astimezone(UTC)


def _labels(key: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    ):
        raise _refuse(key, value, "a mapping from text to text", "quote numbers and true/false")
    return dict(value)


_RETRY_KEYS = ("delay", "factor", "max_delay", "jitter")


def _retry(key: str, value: object) -> RetryPolicy:
    if not isinstance(value, Mapping):
        raise _refuse(key, value, "a mapping with delay, factor, max_delay, jitter")
    for name in value:
        if name not in _RETRY_KEYS:
            raise InvalidDefinition(
                f"unknown key `{name}` in `{key}`", key=f"{key}.{name}", hint=suggestion(str(name), _RETRY_KEYS)
            )
    base = RetryPolicy()
    factor = value.get("factor", base.factor)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1 <= factor <= 100:
        raise _refuse(f"{key}.factor", factor, "a number from 1 to 100")
    return RetryPolicy(
        delay=_duration(zero=True)(f"{key}.delay", value.get("delay", format_duration(base.delay))),
        factor=float(factor),
        max_delay=_duration()(f"{key}.max_delay", value.get("max_delay", format_duration(base.max_delay))),
        jitter=_boolean(f"{key}.jitter", value.get("jitter", base.jitter)),
    )


def _encode_retry(policy: RetryPolicy) -> JsonValue:
    factor = int(policy.factor) if policy.factor == int(policy.factor) else policy.factor
    return {
        "delay": format_duration(policy.delay),
        "factor": factor,
        "max_delay": format_duration(policy.max_delay),
        "jitter": policy.jitter,
    }


def _same(value: Any) -> JsonValue:
    return value


def _word(value: StrEnum) -> JsonValue:
    return value.value


DURATION_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$"},
        {"type": "number", "minimum": 0},
    ],
    "examples": ["30s", "5m", "6h", "1d", "1h30m"],
}
INSTANT_SCHEMA = {"type": "string", "examples": ["2026-12-01T09:00:00+03:30"]}
_RETRY_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "delay": DURATION_SCHEMA,
        "factor": {"type": "number", "minimum": 1, "maximum": 100},
        "max_delay": DURATION_SCHEMA,
        "jitter": {"type": "boolean"},
    },
}


def _words_schema(words: type[StrEnum]) -> dict[str, Any]:
    return {"enum": [word.value for word in words]}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


_BOTH, _SCHEDULE, _TASK = (True, True), (False, True), (True, False)
_MANY = 1_000_000
_DURATION, _TEXT_ENCODE = (_duration(), format_duration, DURATION_SCHEMA), _same

_ROWS: tuple[tuple[str, tuple[Any, Any, Any], Any, tuple[bool, bool], str], ...] = (
    ("queue_name", (_queue, _same, {"type": "string"}), "default", _BOTH, "queue of the workers that run it"),
    ("priority", (_integer(0, 9), _same, _whole(0, 9)), 5, _BOTH, "0-9, 9 most urgent"),
    ("max_retries", (_integer(0, _MANY), _same, _whole(0, _MANY)), 3, _BOTH, "tries after a failure or time-out"),
    ("retry", (_retry, _encode_retry, _RETRY_SCHEMA), RetryPolicy(), _BOTH, "back-off between attempts"),
    ("retry_on_lost", (_integer(0, 1000), _same, _whole(0, 1000)), 0, _BOTH, "tries after its worker died"),
    ("soft_time_limit", _DURATION, None, _BOTH, "SoftTimeLimitExceeded is raised in the task after this"),
    ("time_limit", _DURATION, None, _BOTH, "the task is killed after this"),
    ("start_deadline", _DURATION, None, _BOTH, "expired if it has not started by then"),
    ("labels", (_labels, _same, {"type": "object", "additionalProperties": {"type": "string"}}), {}, _BOTH, "free"),
    (
        "alerts",
        (decode_wishes, encode_wishes, wishes_schema(DURATION_SCHEMA)),
        AlertWishes(),
        _BOTH,
        "alert kinds switched and tuned; `ping`, `runbook`",
    ),
    ("misfire", (_choice(Misfire), _word, _words_schema(Misfire)), Misfire.RUN_LATEST, _SCHEDULE, "after downtime"),
    ("misfire_after", _DURATION, timedelta(seconds=60), _SCHEDULE, "a fire time found due later is a misfire"),
    ("catch_up_window", _DURATION, timedelta(days=1), _SCHEDULE, "older fire times are skipped as too_late"),
    ("overlap", (_choice(Overlap), _word, _words_schema(Overlap)), Overlap.SKIP, _SCHEDULE, "while one is active"),
    ("jitter", (_duration(zero=True), format_duration, DURATION_SCHEMA), timedelta(0), _SCHEDULE, "spreads starts"),
    ("start_at", (_instant, format_instant, INSTANT_SCHEMA), None, _SCHEDULE, "no fire time before it"),
    ("end_at", (_instant, format_instant, INSTANT_SCHEMA), None, _SCHEDULE, "no fire time after it"),
    ("max_runs", (_integer(1, 10**9), _same, _whole(1, 10**9)), None, _SCHEDULE, "ends after so many executions"),
    ("pause_after_failures", (_integer(1, _MANY), _same, _whole(1, _MANY)), None, _SCHEDULE, "final failures in a row"),
    ("timezone", (_zone, _same, {"type": "string"}), "UTC", _SCHEDULE, "zone of cron and of times without offset"),
    ("enabled", (_boolean, _same, {"type": "boolean"}), True, _SCHEDULE, "false: no fire times"),
    (
        "on_store_outage",
        (_choice(OnStoreOutage), _word, _words_schema(OnStoreOutage)),
        OnStoreOutage.AUTO,
        _TASK,
        "running bodies while the store is away",
    ),
)

_ELSEWHERE: Mapping[str, Mapping[str, str]] = {"alerts": ELSEWHERE}

OPTIONS: Mapping[str, Option] = {
    key: Option(key, codec[0], codec[1], codec[2], default, places[0], places[1], about, _ELSEWHERE.get(key, {}))
    for key, codec, default, places, about in _ROWS
}


def decode_layer(raw: Mapping[str, object]) -> dict[str, Any]:
    """Return the decoded form of a stored or written layer; raise InvalidDefinition at its first fault."""
    return {key: OPTIONS[key].decode(key, value) for key, value in raw.items()}


def encode_layer(layer: Layer) -> dict[str, JsonValue]:
    """Return the layer as a manifest writes it; `decode_layer` gives back an equal layer."""
    return {key: OPTIONS[key].encode(layer[key]) for key in OPTIONS if key in layer}
