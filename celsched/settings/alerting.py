"""Owns how the settings of alerts are read and written: kinds, and rules for labels. It never judges anything."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celsched.domain.health.kinds import OF_QUEUES, SWITCH_ONLY, UNLABELLED
from celsched.domain.health.rules import Layer, Tuning, decode_tunings, encode_tunings
from celsched.domain.health.watched import LabelRule
from celsched.domain.names import suggestion
from celsched.errors import InvalidDefinition
from celsched.settings.unusable import Unusable

_RULE_KEYS = ("labels", "alerts")


def tunings(raw: Any, base: Path) -> Layer:
    """Read a table from alert kind to true, false or a table; in text as JSON."""
    return _tunings(_table(_parsed(raw)), "")


def label_rules(raw: Any, base: Path) -> tuple[LabelRule, ...]:
    """Read a list of tables with `labels` and `alerts`; in text as JSON."""
    items = _parsed(raw)
    if not isinstance(items, list | tuple):
        raise Unusable(f"must be a list of tables with `labels` and `alerts`, not {raw!r}")
    return tuple(_rule(item, number) for number, item in enumerate(items, start=1))


def written_tunings(layer: Layer) -> dict[str, Any]:
    """Return kinds as a settings file writes them."""
    return encode_tunings(layer)


def written_rule(rule: LabelRule) -> dict[str, Any]:
    """Return a rule as a settings file writes it."""
    return {"labels": dict(rule.labels), "alerts": encode_tunings(rule.tunings)}


def _rule(raw: Any, number: int) -> LabelRule:
    table = _table(raw)
    for key in table:
        if key not in _RULE_KEYS:
            raise Unusable(f"has in rule {number} the unknown key `{key}`", suggestion(key, _RULE_KEYS))
    labels = table.get("labels")
    if not isinstance(labels, Mapping) or not labels or not all(isinstance(text, str) for text in labels.values()):
        raise Unusable(f"needs in rule {number} `labels`, a table from text to text, not {labels!r}")
    alerts = table.get("alerts")
    if not isinstance(alerts, Mapping):
        raise Unusable(f"needs in rule {number} `alerts`, a table from alert kind to its settings, not {alerts!r}")
    rule = LabelRule(dict(labels), _tunings(_table(alerts), f"in rule {number}: "))
    _require_met(rule, number)
    return rule


def _require_met(rule: LabelRule, number: int) -> None:
    """Refuse what no alert would ever meet; whoever wrote it waits for it in vain."""
    for kind, said in rule.tunings.items():
        if kind in UNLABELLED:
            raise Unusable(f"has in rule {number} `{kind}`, whose alerts carry no labels", "tune it in `alerts`")
        switched = kind in SWITCH_ONLY and said == Tuning(enabled=said.enabled)  # by the labels of the schedules
        if kind in OF_QUEUES and rule.labels.keys() != {"queue"} and not switched:
            hint = 'for example labels = {queue = "reports"}'
            raise Unusable(f"has in rule {number} `{kind}`, whose alerts carry the label `queue` and no other", hint)


def _tunings(table: dict[str, Any], where: str) -> Layer:
    try:
        return decode_tunings("alerts", table)
    except InvalidDefinition as error:
        raise Unusable(
            f"is not acceptable {where}{error.message}" if where else f"is not acceptable: {error.message}", error.hint
        ) from None


def _parsed(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Unusable(f"is no JSON: {error}") from None


def _table(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise Unusable(f"must be a table from alert kind to its settings, not {raw!r}")
    return {str(key): value for key, value in raw.items()}
