"""The JSON Schema takes what reading takes, and refuses the mistakes an editor can know."""

import json
from typing import Any

import jsonschema
import pytest

from celsched.domain.health.kinds import KINDS, Kind
from celsched.domain.health.rules import LENGTHS, SHARES
from celsched.manifest.schema import manifest_schema
from tests.unit.manifest.reading import read

SOUND: list[dict[str, Any]] = [
    {"version": 1},
    {
        "version": 1,
        "set": "helssa",
        "defaults": {"queue_name": "default", "timezone": "Asia/Tehran"},
        "tasks": {"پاکسازی": {"task_path": "a.b", "retry": {"delay": "10s"}, "params_schema": {"type": "object"}}},
        "schedules": {
            "a": {"task": "پاکسازی", "every": "1h30m", "priority": 5},
            "b": {"task": "پاکسازی", "cron": "0 2 * * *", "params": {"hours": 48}},
            "c": {"task": "پاکسازی", "schedule_type": "once", "run_at": "2026-12-01T09:00:00+03:30"},
            "d": {"task": "پاکسازی", "interval_seconds": 60, "overlap": "queue_one", "labels": {"a": "b"}},
        },
    },
]


def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(manifest_schema())


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(manifest_schema())


@pytest.mark.parametrize("manifest", SOUND)
def test_what_is_sound_fits(manifest: dict[str, Any]) -> None:
    assert [error.message for error in validator().iter_errors(manifest)] == []


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"version": 2},
        {"version": 1, "sett": "a"},
        {"version": 1, "tasks": {"t": {}}},
        {"version": 1, "tasks": {"t": {"task_path": "a.b", "misfire": "skip"}}},
        {"version": 1, "defaults": {"on_store_outage": "kill"}},
        {"version": 1, "schedules": {"s": {"task": "t"}}},
        {"version": 1, "schedules": {"s": {"task": "t", "every": "5m", "cron": "* * * * *"}}},
        {"version": 1, "schedules": {"s": {"task": "t", "every": "5m", "priority": 10}}},
        {"version": 1, "schedules": {"s": {"task": "t", "every": "5 minutes"}}},
    ],
)
def test_what_an_editor_can_know_is_refused_by_both(manifest: dict[str, Any]) -> None:
    assert list(validator().iter_errors(manifest))
    # JSON is YAML, so the very same text goes through reading.
    assert read(json.dumps(manifest), stored_tasks=["t"]).problems


def _said_of(kind: Kind) -> list[object]:
    """Everything that can be said of a kind, one thing at a time."""
    values = {name: "2m" if name in LENGTHS else 0.5 if name in SHARES else 5 for name in kind.parameters}
    values |= {"enabled": False, "severity": "info", "hold": "1m", "runbook": "https://wiki/a"}
    return [True, False, {}, *({name: value} for name, value in values.items())]


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_of_alerts_it_takes_just_what_reading_takes(kind: Kind) -> None:
    task, schedule = {"task_path": "a.b"}, {"task": "t", "every": "5m"}
    for said in _said_of(kind):
        alerts = {"alerts": {kind.kind.value: said}}
        for manifest in (
            {"version": 1, "defaults": alerts, "tasks": {"t": task}, "schedules": {"s": schedule}},
            {"version": 1, "tasks": {"t": {**task, **alerts}}},
            {"version": 1, "tasks": {"t": task}, "schedules": {"s": {**schedule, **alerts}}},
        ):
            problems = read(json.dumps(manifest)).problems
            assert validator().is_valid(manifest) == (not problems), (manifest, problems)
