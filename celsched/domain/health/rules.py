"""Owns how a kind is switched and tuned: reading what people wrote, and which of several layers holds.

It never judges. Layers are mappings from kind to `Tuning`, weakest first: settings, each matching label rule, task,
schedule; below them is the table of kinds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from celsched.domain.health.kinds import KINDS, AlertKind, Kind, Severity, Value
from celsched.domain.names import suggestion
from celsched.errors import InvalidDefinition, InvalidRule
from celsched.timing.duration import format_duration, parse_duration

PING = "ping"
"""Beside the kinds: the name of a ping among the settings, sent to when the schedule starts and ends."""
RUNBOOK = "runbook"
"""Of a kind, and beside the kinds for all of them: the address of what to do, which messages carry."""
_LONGEST_ADDRESS = 1000

LENGTHS = {"threshold", "tolerance", "after", "limit", "extra", "age", "jump", "stable", "quiet", "within", "at_least"}
SHARES = {"share", "critical_share"}
FACTORS = {"factor", "back"}
"""How each parameter is written: as a length of time, a share from 0 to 1, a factor; all others are whole numbers."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What one layer says of one kind; None says nothing."""

    enabled: bool | None = None
    severity: Severity | None = None
    hold: timedelta | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    runbook: str | None = None


Layer = Mapping[AlertKind, Tuning]


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind with everything that is in force for it somewhere. `severity` None leaves it to the judge."""

    kind: Kind
    enabled: bool
    severity: Severity | None
    hold: timedelta
    parameters: Mapping[str, Value]
    runbook: str | None = None

    def length(self, name: str, default: timedelta = timedelta(0)) -> timedelta:
        """Return a parameter that is a length of time, `default` where nobody set one."""
        value = self.parameters[name]
        return value if isinstance(value, timedelta) else default

    def number(self, name: str) -> float:
        """Return a parameter that is a count, a share or a factor."""
        value = self.parameters[name]
        assert isinstance(value, int | float)
        return value


def rule_of(kind: AlertKind, layers: Iterable[Layer]) -> Rule:
    """Return what is in force for a kind; of the layers a later one wins, key by key."""
    spec = KINDS[kind]
    enabled, severity, hold, parameters, runbook = spec.enabled, None, spec.hold, dict(spec.parameters), None
    for layer in layers:
        said = layer.get(kind)
        if said is None:
            continue
        enabled = enabled if said.enabled is None else said.enabled
        severity = severity if said.severity is None else said.severity
        hold = hold if said.hold is None else said.hold
        parameters |= said.parameters
        runbook = said.runbook or runbook
    return Rule(spec, enabled, severity, hold, parameters, runbook)


def merged(below: Layer, above: Layer) -> Layer:
    """Return two layers as one: what `above` says wins, key by key."""
    found = dict(below)
    for kind, said in above.items():
        former = found.get(kind, Tuning())
        found[kind] = Tuning(
            former.enabled if said.enabled is None else said.enabled,
            said.severity or former.severity,
            former.hold if said.hold is None else said.hold,
            {**former.parameters, **said.parameters},
            said.runbook or former.runbook,
        )
    return found


def decode_tunings(key: str, raw: Mapping[str, object]) -> dict[AlertKind, Tuning]:
    """Return a layer as somebody wrote it: kind -> true, false or a mapping; `ping` is left to the caller.

    Raises:
        InvalidDefinition: at its first fault, with the place as `key`.
    """
    return {_kind(f"{key}.{name}", name): _tuning(f"{key}.{name}", name, value) for name, value in raw.items()}


def encode_tunings(layer: Layer) -> dict[str, Any]:
    """Return a layer as a manifest writes it; `decode_tunings` gives back an equal one."""
    return {kind.value: _encode(said) for kind, said in layer.items()}


def _kind(place: str, name: str) -> AlertKind:
    words = [kind.value for kind in AlertKind]
    if name not in words:
        hint = suggestion(name, words) or f"kinds are {', '.join(words)}"
        raise InvalidDefinition(f"there is no alert kind `{name}`", key=place, hint=hint)
    return AlertKind(name)


def _tuning(place: str, name: str, value: object) -> Tuning:
    if isinstance(value, bool):
        return Tuning(enabled=value)
    if not isinstance(value, Mapping):
        raise InvalidDefinition(f"`{place}` must be true, false or a mapping, not {value!r}", key=place)
    spec = KINDS[AlertKind(name)]
    known = ["enabled", "severity", "hold", *spec.parameters, RUNBOOK]
    for word in value:
        if word not in known:
            hint = suggestion(str(word), known) or f"it may hold {', '.join(known)}"
            raise InvalidDefinition(f"`{place}` has no `{word}`", key=f"{place}.{word}", hint=hint)
    return Tuning(
        enabled=_boolean(f"{place}.enabled", value["enabled"]) if "enabled" in value else None,
        severity=_severity(f"{place}.severity", value["severity"]) if "severity" in value else None,
        hold=_length(f"{place}.hold", value["hold"]) if "hold" in value else None,
        parameters={
            word: _parameter(f"{place}.{word}", word, value[word]) for word in spec.parameters if word in value
        },
        runbook=address(f"{place}.{RUNBOOK}", value[RUNBOOK]) if RUNBOOK in value else None,
    )


def _parameter(place: str, name: str, value: object) -> Value:
    if name in LENGTHS:
        return _length(place, value)
    whole = name not in SHARES | FACTORS
    most = 1 if name in SHARES else 1_000_000
    least = 1 if whole or name in FACTORS else 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidDefinition(f"`{place}` must be a number from {least} to {most}, not {value!r}", key=place)
    if whole and value != int(value):
        raise InvalidDefinition(f"`{place}` must be a whole number, not {value!r}", key=place)
    return int(value) if whole else float(value)


def _length(place: str, value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidDefinition(f"`{place}` must be a duration such as 30s, 5m or 26h, not {value!r}", key=place)
    try:
        return parse_duration(value)
    except InvalidRule as error:
        raise InvalidDefinition(f"`{place}`: {error.message}", key=place, hint=error.hint) from None


def _boolean(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidDefinition(f"`{place}` must be true or false, not {value!r}", key=place)
    return value


def address(place: str, value: object) -> str:
    """Return the address of a runbook; raise InvalidDefinition."""
    good = isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) <= _LONGEST_ADDRESS
    if not good or not str(value).isprintable() or " " in str(value):
        raise InvalidDefinition(f"`{place}` must be an http or https address, not {value!r}", key=place)
    return str(value)


def _severity(place: str, value: object) -> Severity:
    words = [severity.value for severity in Severity]
    if value not in words:
        raise InvalidDefinition(f"`{place}` must be one of {', '.join(words)}, not {value!r}", key=place)
    return Severity(str(value))


def _encode(said: Tuning) -> Any:
    found: dict[str, Any] = {}
    if said.enabled is not None:
        found["enabled"] = said.enabled
    if said.severity is not None:
        found["severity"] = said.severity.value
    if said.hold is not None:
        found["hold"] = format_duration(said.hold)
    found |= {
        name: format_duration(value) if isinstance(value, timedelta) else value
        for name, value in said.parameters.items()
    }
    found |= {} if said.runbook is None else {RUNBOOK: said.runbook}
    return found["enabled"] if found.keys() == {"enabled"} else found
