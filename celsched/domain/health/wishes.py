"""Owns the `alerts:` of a task, schedule or `defaults`: how it is read, written and described. It never judges."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from celsched.domain.health.kinds import KINDS, Kind, Severity
from celsched.domain.health.rules import LENGTHS, PING, SHARES, Layer, decode_tunings, encode_tunings
from celsched.domain.names import clean_name
from celsched.errors import InvalidDefinition


@dataclass(frozen=True, slots=True)
class AlertWishes:
    """What somebody wants of the alerts of a task or schedule; `ping` names a ping of the settings."""

    tunings: Layer = field(default_factory=dict)
    ping: str | None = None

    def __bool__(self) -> bool:
        return bool(self.tunings) or self.ping is not None


def decode_wishes(key: str, value: object) -> AlertWishes:
    """Return the wishes as somebody wrote them: kinds, each true, false or a mapping, and perhaps `ping`.

    Raises:
        InvalidDefinition: at its first fault, with the place as `key`.
    """
    if not isinstance(value, Mapping):
        raise InvalidDefinition(f"`{key}` must be a mapping from alert kind to its settings, not {value!r}", key=key)
    raw = {str(name): said for name, said in value.items()}
    ping = clean_name(raw.pop(PING), f"{key}.{PING}") if PING in raw else None
    return AlertWishes(decode_tunings(key, raw), ping)


def encode_wishes(wishes: AlertWishes) -> dict[str, Any]:
    """Return wishes as a manifest writes them; `decode_wishes` gives back equal ones."""
    return encode_tunings(wishes.tunings) | ({} if wishes.ping is None else {PING: wishes.ping})


def wishes_schema(length: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of wishes; `length` is that of a length of time."""
    ping = {"type": "string", "description": "a ping of the settings, told when the schedule starts and ends"}
    kinds = {kind.kind.value: _kind_schema(kind, length) for kind in KINDS.values()}
    return {"type": "object", "additionalProperties": False, "properties": {**kinds, PING: ping}}


def _kind_schema(kind: Kind, length: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "enabled": {"type": "boolean"},
        "severity": {"enum": [severity.value for severity in Severity]},
        "hold": length,
        **dict(_parameters(kind, length)),
    }
    table = {"type": "object", "additionalProperties": False, "properties": parts}
    return {"anyOf": [{"type": "boolean"}, table], "description": kind.about}


def _parameters(kind: Kind, length: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in kind.parameters:
        if name in LENGTHS:
            yield name, length
        elif name in SHARES:
            yield name, {"type": "number", "minimum": 0, "maximum": 1}
        else:
            yield name, {"type": "number", "minimum": 1}
