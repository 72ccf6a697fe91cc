"""What manifests ask for against what is stored: which objects change, in which fields, and whose they are."""

from dataclasses import replace
from datetime import timedelta

import pytest

from celsched.domain.changes import (
    Action,
    ChangeSet,
    Definitions,
    FieldChange,
    diff,
    field_changes,
    prune_limit,
    same_json,
)
from celsched.domain.definition import RuleSpec, ScheduleDefinition, TaskDefinition
from celsched.domain.options import decode_layer

HOUR = timedelta(hours=1)
TASK = TaskDefinition("t", "a.b", default_params={"hours": 24}, owner="set")
SCHEDULE = ScheduleDefinition("s", "t", RuleSpec.every(6 * HOUR), owner="set")
STORED = Definitions([TASK], [SCHEDULE])


def summary(changes: ChangeSet) -> list[tuple[str, str, str]]:
    return [(change.kind, change.name, change.action.value) for change in changes.changes]


def test_what_is_new_is_created_and_a_second_time_it_is_unchanged() -> None:
    assert summary(diff(STORED, Definitions(), sets={"set"})) == [("task", "t", "create"), ("schedule", "s", "create")]
    again = diff(STORED, STORED, sets={"set"}, prune=True)
    assert summary(again) == [("task", "t", "unchanged"), ("schedule", "s", "unchanged")]
    assert again.made == ()


def test_fields_are_named_one_by_one_as_a_manifest_writes_them() -> None:
    old = replace(
        SCHEDULE,
        params={"hours": 48, "dry": True},
        options=decode_layer({"priority": 5, "time_limit": "30m", "retry": {"delay": "10s"}}),
        defaults=decode_layer({"timezone": "UTC", "queue_name": "a"}),
    )
    new = replace(
        SCHEDULE,
        task="u",
        rule=RuleSpec.cron("0 2 * * *"),
        params={"hours": 24, "paths": ["x"]},
        options=decode_layer({"priority": 3, "time_limit": "30m", "retry": {"delay": "20s"}, "enabled": False}),
        defaults=decode_layer({"timezone": "Asia/Tehran"}),
    )
    retry = {"factor": 2, "max_delay": "10m", "jitter": True}
    assert field_changes(old, new) == (
        FieldChange("task", "t", "u"),
        FieldChange("rule", "every 6h", "cron 0 2 * * *"),
        FieldChange("params.hours", 48, 24),
        FieldChange("params.paths", None, ["x"]),
        FieldChange("defaults.timezone", "UTC", "Asia/Tehran"),
        FieldChange("priority", 5, 3),
        FieldChange("retry", {"delay": "10s", **retry}, {"delay": "20s", **retry}),
        FieldChange("enabled", None, False),
        FieldChange("params.dry", True, None),
        FieldChange("defaults.queue_name", "a", None),
    )
    (change,) = diff(Definitions([], [new]), Definitions([], [old]), sets=()).changes
    assert (change.action, change.desired, change.stored) == (Action.UPDATE, new, old)


def test_the_fields_of_a_task() -> None:
    new = replace(TASK, task_path="a.c", description="x", params_schema={}, default_params={})
    assert field_changes(TASK, new) == (
        FieldChange("task_path", "a.b", "a.c"),
        FieldChange("description", None, "x"),
        FieldChange("params_schema", None, {}),
        FieldChange("default_params.hours", 24, None),
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1, {"a": 1}], [1.0, {"a": 1.0}], True),
        ([True], [1], False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ((1, 2), [1, 2], True),
        (None, None, True),
        (None, {}, False),
        ("1", 1, False),
    ],
)
def test_equal_json(one: object, other: object, same: bool) -> None:
    assert same_json(one, other) is same


@pytest.mark.parametrize(
    ("stored", "desired", "conflict"),
    [
        ("set", "set", None),
        (None, None, None),
        ("other", "set", "the set `other`"),
        (None, "set", "no set"),
        ("other", None, "the set `other`"),
    ],
)
def test_what_belongs_to_another_owner_has_to_be_adopted(
    stored: str | None, desired: str | None, conflict: str | None
) -> None:
    wanted, present = Definitions([replace(TASK, owner=desired)]), Definitions([replace(TASK, owner=stored)])
    (refused,) = diff(wanted, present, sets=()).changes
    (adopted,) = diff(wanted, present, sets=(), adopt=True).changes
    assert refused.owner_conflict == conflict
    assert adopted.owner_conflict is None
    assert refused.action is adopted.action is (Action.ADOPT if conflict else Action.UNCHANGED)
    assert adopted.fields == ((FieldChange("owner", stored, desired),) if conflict else ())
    assert diff(wanted, present, sets=()).conflicts == ((refused,) if conflict else ())


def test_pruning_takes_only_what_the_named_sets_own_and_nobody_named() -> None:
    theirs, free = replace(TASK, name="theirs", owner="other"), replace(TASK, name="free", owner=None)
    stored = Definitions(
        [TASK, replace(TASK, name="old"), theirs, free],
        [SCHEDULE, replace(SCHEDULE, name="old s", task="old"), replace(SCHEDULE, name="theirs", owner="other")],
    )
    assert diff(STORED, stored, sets={"set"}).deletions == ()
    changes = diff(STORED, stored, sets={"set"}, prune=True)
    assert summary(changes)[2:] == [("schedule", "old s", "delete"), ("task", "old", "delete")]
    assert changes.owned == 4
    assert [change.dependents for change in changes.deletions] == [(), ()]


def test_a_pruned_task_names_the_schedules_it_would_leave_behind() -> None:
    stored = Definitions([TASK], [replace(SCHEDULE, name="theirs", owner="other")])
    changes = diff(Definitions([], [replace(SCHEDULE, name="mine")]), stored, sets={"set"}, prune=True)
    (deleted,) = changes.deletions
    assert deleted.dependents == ("mine", "theirs")


def test_the_order_is_that_of_the_names_whatever_the_order_of_the_files() -> None:
    tasks = [replace(TASK, name=name) for name in ("b", "ب", "a", "Z")]
    forwards = diff(Definitions(tasks), Definitions(), sets=())
    assert forwards == diff(Definitions(tasks[::-1]), Definitions(), sets=())
    assert [change.name for change in forwards.changes] == ["Z", "a", "b", "ب"]


@pytest.mark.parametrize(("owned", "limit"), [(0, 3), (15, 3), (19, 3), (20, 4), (100, 20)])
def test_the_prune_limit_is_a_fifth_but_at_least_three(owned: int, limit: int) -> None:
    assert prune_limit(owned) == limit
