"""How a value in force is found through the layers, what a rule is stored as, and how parameters are put together."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from celsched.domain.compose import first_base, recipe_of, subject_of
from celsched.domain.definition import (
    RuleSpec,
    ScheduleDefinition,
    ScheduleType,
    TaskDefinition,
    effective,
    merged_params,
)
from celsched.domain.options import OPTIONS
from celsched.domain.policy import Misfire, Overlap
from celsched.errors import InvalidRule
from celsched.timing.interval import Interval
from celsched.timing.once import Once

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _task(**values: Any) -> TaskDefinition:
    return TaskDefinition("پاکسازی", "files.tasks.clean", **values)


def _schedule(rule: RuleSpec | None = None, **values: Any) -> ScheduleDefinition:
    return ScheduleDefinition("شبانه", "پاکسازی", rule or RuleSpec.every(HOUR), **values)


LAYERS = {"schedule": 1, "task": 2, "schedule defaults": 3, "task defaults": 4, "settings": 5}


@pytest.mark.parametrize(
    ("present", "value", "origin"),
    [
        (("schedule", "task", "schedule defaults", "task defaults", "settings"), 1, "schedule"),
        (("task", "schedule defaults", "task defaults", "settings"), 2, "task"),
        (("schedule defaults", "task defaults", "settings"), 3, "defaults"),
        (("task defaults", "settings"), 4, "defaults"),
        (("settings",), 5, "settings"),
        ((), OPTIONS["priority"].default, "built in"),
    ],
)
def test_the_nearest_layer_wins_and_is_named(present: tuple[str, ...], value: int, origin: str) -> None:
    layer = {name: {"priority": number} if name in present else {} for name, number in LAYERS.items()}

    found = effective(
        _task(options=layer["task"], defaults=layer["task defaults"]),
        _schedule(options=layer["schedule"], defaults=layer["schedule defaults"]),
        layer["settings"],
    )

    assert (found.priority, found.origins["priority"]) == (value, origin)


def test_without_a_schedule_only_the_task_and_what_is_below_count() -> None:
    found = effective(_task(options={"queue_name": "صف"}, defaults={"priority": 7}), None, {"priority": 1})

    assert (found.queue_name, found.priority) == ("صف", 7)


def test_every_option_has_a_value_and_an_origin() -> None:
    found = effective(_task(), _schedule(), {})

    assert found.origins == dict.fromkeys(OPTIONS, "built in")
    assert all(getattr(found, key) == option.default for key, option in OPTIONS.items())


def test_a_value_of_none_or_false_still_wins_over_a_lower_layer() -> None:
    found = effective(_task(options={"priority": 0}), _schedule(options={"enabled": False}), {"priority": 9})

    assert (found.priority, found.enabled) == (0, False)


@pytest.mark.parametrize(
    ("rule", "kind", "text"),
    [
        (RuleSpec.every(timedelta(minutes=90)), ScheduleType.INTERVAL, "1h30m"),
        (RuleSpec.cron("  0  2 * *   * "), ScheduleType.CRON, "0 2 * * *"),
        (RuleSpec.at(NOW), ScheduleType.ONCE, "2026-05-01T12:00:00Z"),
    ],
)
def test_a_rule_is_stored_in_canonical_text(rule: RuleSpec, kind: ScheduleType, text: str) -> None:
    assert (rule.type, rule.text) == (kind, text)


def test_a_stored_rule_is_built_with_its_zone_and_base() -> None:
    nightly = RuleSpec.cron("0 2 * * *").build("Asia/Tehran", NOW)

    assert nightly.next_after(NOW) == datetime(2026, 5, 1, 22, 30, tzinfo=UTC)
    assert RuleSpec.every(HOUR).build("UTC", NOW) == Interval(HOUR, NOW)
    assert RuleSpec.at(NOW).build("UTC", NOW) == Once(NOW)


@pytest.mark.parametrize("rule", [RuleSpec(ScheduleType.CRON, "99 * * * *"), RuleSpec(ScheduleType.INTERVAL, "never")])
def test_a_broken_stored_rule_is_said_to_be_one(rule: RuleSpec) -> None:
    with pytest.raises(InvalidRule):
        rule.build("UTC", NOW)


def test_only_an_interval_has_a_period() -> None:
    assert RuleSpec.every(HOUR).period == HOUR
    with pytest.raises(ValueError, match="no period"):
        _ = RuleSpec.at(NOW).period


def test_parameters_are_joined_at_the_top_level_only() -> None:
    assert merged_params({"a": {"x": 1}, "b": 1}, {"a": {"y": 2}}, {"c": None}) == {"a": {"y": 2}, "b": 1, "c": None}


@pytest.mark.parametrize(
    ("rule", "options", "base"),
    [
        (RuleSpec.every(HOUR), {}, NOW + HOUR),
        (RuleSpec.every(HOUR), {"start_at": NOW - 5 * HOUR}, NOW - 5 * HOUR),
        (RuleSpec.cron("0 2 * * *"), {}, NOW),
    ],
)
def test_the_first_fire_time_of_an_interval_is_its_start_or_one_period_ahead(
    rule: RuleSpec, options: dict[str, Any], base: datetime
) -> None:
    schedule = _schedule(rule, options=options)

    assert first_base(schedule, effective(_task(), schedule, {}), NOW) == base


def test_a_subject_takes_every_policy_in_force() -> None:
    schedule = _schedule(options={"misfire": Misfire.SKIP, "overlap": Overlap.ALLOW, "max_runs": 3, "jitter": HOUR / 4})

    subject = subject_of(schedule, effective(_task(), schedule, {"misfire_after": HOUR}), NOW)

    assert subject.rule == Interval(HOUR, NOW)
    assert (subject.misfire, subject.overlap, subject.max_runs) == (Misfire.SKIP, Overlap.ALLOW, 3)
    assert (subject.jitter, subject.misfire_after) == (HOUR / 4, HOUR)


def test_a_recipe_copies_what_is_in_force_and_joins_the_parameters() -> None:
    task = _task(default_params={"hours": 24, "path": "/tmp"}, options={"time_limit": HOUR})
    schedule = _schedule(params={"hours": 48}, options={"priority": 3})

    recipe = recipe_of(task, schedule, effective(task, schedule, {}), params={"path": "/srv"})

    assert recipe.params == {"hours": 48, "path": "/srv"}
    assert (recipe.priority, recipe.time_limit, recipe.overlap) == (3, HOUR, Overlap.SKIP)


def test_overlap_of_a_recipe_is_that_of_the_request_else_of_the_schedule_and_a_bare_task_has_none() -> None:
    task, schedule = _task(), _schedule(options={"overlap": Overlap.QUEUE_ONE})
    policies = effective(task, schedule, {})

    assert recipe_of(task, schedule, policies).overlap is Overlap.QUEUE_ONE
    assert recipe_of(task, schedule, policies, overlap=Overlap.ALLOW).overlap is Overlap.ALLOW
    assert recipe_of(task, None, effective(task, None, {})).overlap is Overlap.ALLOW
