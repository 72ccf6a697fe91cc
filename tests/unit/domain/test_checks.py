"""The keys of one definition are checked against each other, and every misfit names its key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from celsched.domain.checks import check_schedule, check_task, json_faults, split_task_path
from celsched.domain.definition import RuleSpec, ScheduleDefinition, ScheduleType, TaskDefinition
from celsched.domain.health.kinds import SETTINGS_ONLY, AlertKind
from celsched.domain.health.wishes import decode_wishes

NOW = datetime(2026, 7, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TASK = TaskDefinition("t", "files.tasks.cleanup")
SCHEDULE = ScheduleDefinition("s", "t", RuleSpec.every(5 * MINUTE))
DEEP: list[Any] = []
for _ in range(70):
    DEEP = [DEEP]


def test_sound_definitions_have_no_fault() -> None:
    assert check_task(replace(TASK, params_schema={"type": "object"}, default_params={"a": [1, None, 0.5]})) == []
    for rule in (SCHEDULE.rule, RuleSpec.cron("0 2 * * *"), RuleSpec.at(NOW + MINUTE)):
        assert check_schedule(replace(SCHEDULE, rule=rule), TASK, {}, NOW) == []
        assert check_schedule(replace(SCHEDULE, rule=rule), None, {}, NOW) == []


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ({"name": " t"}, "name", "begins or ends with a space"),
        ({"name": "cafe\u0301"}, "name", "is not NFC-normalised"),
        ({"task_path": "cleanup"}, "task_path", "is not the path of a function"),
        ({"default_params": {"a": {"b": object()}}}, "default_params.a.b", "cannot be written as JSON"),
        ({"default_params": {"a": [float("nan")]}}, "default_params.a.0", "cannot be written as JSON"),
        ({"default_params": {"a": "x\0"}}, "default_params.a", "holds U+0000"),
        ({"default_params": {5: "x"}}, "default_params", "the key 5 is not text"),
        ({"params_schema": [1]}, "params_schema", "must be a mapping"),
        ({"options": {"misfire": "skip"}}, "misfire", "may not stand on a task"),
        ({"options": {"queue_nmae": "x"}}, "queue_nmae", "unknown option"),
        ({"defaults": {"on_store_outage": "kill"}}, "on_store_outage", "may stand on a task only"),
        ({"options": {"soft_time_limit": MINUTE, "time_limit": MINUTE}}, "soft_time_limit", "(1m) is not shorter"),
        (
            {"options": {"soft_time_limit": MINUTE}, "defaults": {"time_limit": MINUTE / 2}},
            "soft_time_limit",
            "the soft limit (1m) is not shorter than the hard one (30s)",
        ),
    ],
)
def test_a_fault_of_a_task(change: dict[str, Any], key: str, message: str) -> None:
    (fault,) = check_task(replace(TASK, **change))
    assert fault.key == key
    assert message in fault.message
    assert not fault.warning


@pytest.mark.parametrize(
    ("change", "key", "message", "warning"),
    [
        ({"rule": RuleSpec(ScheduleType.CRON, "0 0 31 2 *")}, "rule", "no date ever satisfies", False),
        ({"rule": RuleSpec(ScheduleType.CRON, "61 * * * *")}, "rule", "minute", False),
        ({"rule": RuleSpec(ScheduleType.INTERVAL, "500ms")}, "rule", "at least 1 second", False),
        ({"rule": RuleSpec.cron("*/90 * * * *")}, "rule", "step of 90", True),
        ({"rule": RuleSpec.at(NOW)}, "rule", "is past", True),
        ({"rule": RuleSpec.at(NOW + 2 * MINUTE), "options": {"end_at": NOW + MINUTE}}, "rule", "never fires", True),
        ({"options": {"jitter": 2.5 * MINUTE}}, "jitter", "not less than half the shortest period (5m)", False),
        ({"options": {"start_at": NOW, "end_at": NOW - MINUTE}}, "end_at", "is before the start", False),
        ({"options": {"on_store_outage": "kill"}}, "on_store_outage", "may stand on a task only", False),
        ({"params": {"a": {1, 2}}}, "params.a", "cannot be written as JSON", False),
        ({"options": {"time_limit": MINUTE}}, "soft_time_limit", "(10m) is not shorter than the hard one (1m)", False),
    ],
)
def test_a_fault_of_a_schedule(change: dict[str, Any], key: str, message: str, warning: bool) -> None:
    task = replace(TASK, options={"soft_time_limit": 10 * MINUTE})
    (fault,) = check_schedule(replace(SCHEDULE, **change), task, {}, NOW)
    assert (fault.key, fault.warning) == (key, warning)
    assert message in fault.message


def test_the_limits_of_a_task_are_not_blamed_on_its_schedules() -> None:
    task = replace(TASK, options={"soft_time_limit": MINUTE, "time_limit": MINUTE})
    assert len(check_task(task)) == 1
    assert check_schedule(SCHEDULE, task, {}, NOW) == []


def test_a_jitter_of_the_settings_counts_too_and_one_just_below_half_the_period_is_fine() -> None:
    assert check_schedule(SCHEDULE, TASK, {"jitter": 2.5 * MINUTE - timedelta(microseconds=1)}, NOW) == []
    assert [fault.key for fault in check_schedule(SCHEDULE, TASK, {"jitter": 3 * MINUTE}, NOW)] == ["jitter"]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("files.tasks.cleanup", ("files", "tasks", "cleanup")),
        ("files.tasks:Cleaner.run", ("files", "tasks", "Cleaner", "run")),
        ("tasks:run", ("tasks", "run")),
        ("cleanup", None),
        ("", None),
        (":run", None),
        ("a:", None),
        ("a:b:c", None),
        ("a..b", None),
        ("a.b-c", None),
        ("a.class", None),
        ("a. b", None),
    ],
)
def test_task_paths(path: str, parts: tuple[str, ...] | None) -> None:
    assert split_task_path(path) == parts


def test_deep_values_are_refused_not_followed() -> None:
    assert [fault.message for fault in json_faults("a", DEEP)] == ["nested more than 64 levels deep"]


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"backlog": {"depth": 5}}, "alerts.backlog"),
        ({"daemon_down": False}, "alerts.daemon_down"),
        ({"channel_failing": True}, "alerts.channel_failing"),
        ({"no_worker": {"severity": "info"}}, "alerts.no_worker.severity"),
    ],
)
def test_alerts_in_which_a_definition_has_no_say_are_a_fault(raw: dict[str, Any], key: str) -> None:
    layer = {"alerts": decode_wishes("alerts", raw)}
    found = [
        check_task(replace(TASK, options=layer)),
        check_task(replace(TASK, defaults=layer)),
        check_schedule(replace(SCHEDULE, options=layer), TASK, {}, NOW),
        check_schedule(replace(SCHEDULE, defaults=layer), TASK, {}, NOW),
    ]

    assert [[fault.key for fault in faults] for faults in found] == [[key]] * 4
    assert all(fault.hint and "[alerts]" in fault.hint and not fault.warning for (fault,) in found)


def test_alerts_in_which_a_definition_has_a_say_are_none() -> None:
    raw = {kind.value: True for kind in AlertKind if kind not in SETTINGS_ONLY}
    layer = {"alerts": decode_wishes("alerts", {**raw, "no_worker": False, "ping": "p", "runbook": "https://wiki/a"})}

    assert check_task(replace(TASK, options=layer)) == []
    assert check_schedule(replace(SCHEDULE, options=layer), TASK, {}, NOW) == []
