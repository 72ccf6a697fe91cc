"""Owns the `alerts:` of a task, schedule or `defaults`: how it is read, written and described. It never judges."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from celsched.domain.health.kinds import KINDS, SETTINGS_ONLY, SWITCH_ONLY, UNLABELLED, AlertKind, Kind, Severity
from celsched.domain.health.rules import (
    LENGTHS,
    PING,
    RUNBOOK,
    SHARES,
    Layer,
    Tuning,
    address,
    decode_tunings,
    encode_tunings,
    merged,
)
from celsched.domain.names import clean_name
from celsched.errors import InvalidDefinition


def tuned_where(kind: AlertKind) -> str:
    """Return the next step of who would tune, in a definition, what only the settings say of a kind."""
    where = "tune it in the settings: `[alerts]` of celsched.toml"
    return where if kind in UNLABELLED else f"{where}, or `[[alert_rules]]` with the label `queue` for one queue"


ELSEWHERE: Mapping[str, str] = {
    kind.value: f"this alert kind is about a queue, a process, a machine or a channel; {tuned_where(kind)}"
    for kind in AlertKind
    if kind in SETTINGS_ONLY
}
"""What to say of each kind that exists and may not stand in a definition."""


@dataclass(frozen=True, slots=True)
class AlertWishes:
    """What somebody wants of the alerts of a task or schedule; `ping` names a ping of the settings.

    `runbook` is that of every kind which has none of its own.
    """

    tunings: Layer = field(default_factory=dict)
    ping: str | None = None
    runbook: str | None = None

    def __bool__(self) -> bool:
        return bool(self.tunings) or self.ping is not None or self.runbook is not None

    @property
    def layer(self) -> Layer:
        """The tunings as rules take them, with the runbook of all kinds."""
        if self.runbook is None:
            return self.tunings
        said = {kind: self.tunings.get(kind, Tuning()) for kind in AlertKind}
        return {kind: replace(tuning, runbook=tuning.runbook or self.runbook) for kind, tuning in said.items()}


def merged_wishes(wishes: Iterable[AlertWishes]) -> AlertWishes:
    """Return what is in force of several, the weakest first; a later one wins, key by key."""
    found = AlertWishes()
    for one in wishes:
        # A runbook for everything stands before those of single kinds in a weaker layer, as rules have it.
        below = {kind: replace(said, runbook=None) for kind, said in found.tunings.items()}
        tunings = merged(found.tunings if one.runbook is None else below, one.tunings)
        found = AlertWishes(tunings, one.ping or found.ping, one.runbook or found.runbook)
    return found


def decode_wishes(key: str, value: object) -> AlertWishes:
    """Return the wishes as somebody wrote them: kinds, each true, false or a mapping, and perhaps `ping`.

    Raises:
        InvalidDefinition: at its first fault, with the place as `key`.
    """
    if not isinstance(value, Mapping):
        raise InvalidDefinition(f"`{key}` must be a mapping from alert kind to its settings, not {value!r}", key=key)
    raw = {str(name): said for name, said in value.items()}
    ping = clean_name(raw.pop(PING), f"{key}.{PING}") if PING in raw else None
    runbook = address(f"{key}.{RUNBOOK}", raw.pop(RUNBOOK)) if RUNBOOK in raw else None
    return AlertWishes(decode_tunings(key, raw), ping, runbook)


def encode_wishes(wishes: AlertWishes) -> dict[str, Any]:
    """Return wishes as a manifest writes them; `decode_wishes` gives back equal ones."""
    found = encode_tunings(wishes.tunings) | ({} if wishes.ping is None else {PING: wishes.ping})
    return found | ({} if wishes.runbook is None else {RUNBOOK: wishes.runbook})


def plain_wishes(wishes: AlertWishes) -> dict[str, Any]:
    """Return wishes for programs: what was said, and nothing else, with lengths of time as such."""
    found: dict[str, Any] = {}
    for kind, said in wishes.tunings.items():
        values = {"enabled": said.enabled, "severity": said.severity, "hold": said.hold, RUNBOOK: said.runbook}
        known = {name: value for name, value in values.items() if value is not None}
        found[kind.value] = known | dict(said.parameters)
    beside = {PING: wishes.ping, RUNBOOK: wishes.runbook}
    return found | {name: value for name, value in beside.items() if value is not None}


def wishes_schema(length: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of wishes, without what no definition has a say in; `length` is of a length of time."""
    ping = {"type": "string", "description": "a ping of the settings, told when the schedule starts and ends"}
    kinds = {kind.value: _kind_schema(row, length) for kind, row in KINDS.items() if kind not in SETTINGS_ONLY}
    beside = {PING: ping, RUNBOOK: _RUNBOOK_SCHEMA}
    return {"type": "object", "additionalProperties": False, "properties": {**kinds, **beside}}


_RUNBOOK_SCHEMA = {
    "type": "string",
    "pattern": r"^https?://\S+$",
    "description": "the address of what to do about it; messages carry it",
}


def _kind_schema(kind: Kind, length: Mapping[str, Any]) -> dict[str, Any]:
    switch: dict[str, Any] = {"enabled": {"type": "boolean"}}
    tuned: dict[str, Any] = {
        "severity": {"enum": [severity.value for severity in Severity]},
        "hold": length,
        RUNBOOK: _RUNBOOK_SCHEMA,
        **dict(_parameters(kind, length)),
    }
    parts = switch if kind.kind in SWITCH_ONLY else switch | tuned
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
