"""Applying definitions: idempotent, by owner, with limits; and pause, resume and delete of what is stored."""

from datetime import timedelta

import pytest

from celsched.domain.changes import Definitions
from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.domain.execution import State
from celsched.errors import Conflict, NotFound, UsageError
from celsched.operations import apply, control
from celsched.operations.apply import Wanted
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import definitions
from tests.support.actors import all_executions, end, execution, run, scan, start, states
from tests.support.clock import ManualClock
from tests.support.factories import (
    add_schedule,
    add_task,
    make_schedule,
    make_task,
    schedule_named,
    store_definitions,
    task_named,
)
from tests.support.stores import START

HOUR = timedelta(hours=1)
TWO = START.replace(hour=14, minute=0, second=0)


def _wanted(*items: TaskDefinition | ScheduleDefinition, **values: object) -> Wanted:
    found = Definitions(
        tuple(item for item in items if isinstance(item, TaskDefinition)),
        tuple(item for item in items if isinstance(item, ScheduleDefinition)),
    )
    return Wanted(found, **values)  # type: ignore[arg-type]


def test_applying_twice_changes_nothing_the_second_time(scope: Scope) -> None:
    items = (make_task(owner="helssa"), make_schedule(owner="helssa", every=HOUR))
    store_definitions(scope, *items)
    before = schedule_named(scope.store)

    again = apply.preview(scope, _wanted(*items))

    assert again.empty
    assert {change.action for change in again.changes.changes} == {"unchanged"}
    apply.apply(scope, _wanted(*items), again, checked=())
    assert schedule_named(scope.store) == before


def test_two_who_apply_the_same_both_succeed_and_it_is_written_once(scope: Scope) -> None:
    wanted = _wanted(make_task(), make_schedule())
    one, two = apply.preview(scope, wanted), apply.preview(scope, wanted)

    apply.apply(scope, wanted, one, checked=())
    apply.apply(scope, wanted, two, checked=())

    assert schedule_named(scope.store).revision == 1


def test_what_was_changed_by_somebody_else_meanwhile_is_looked_at_again(scope: Scope) -> None:
    wanted = _wanted(make_task(priority=1))
    seen = apply.preview(scope, wanted)
    add_task(scope, priority=7)

    with pytest.raises(Conflict, match="changed by somebody else"):
        apply.apply(scope, wanted, seen, checked=())

    assert task_named(scope.store, "task").definition.options == {"priority": 7}


def test_an_object_of_another_owner_is_taken_over_only_by_adopting(scope: Scope) -> None:
    store_definitions(scope, make_task(owner="a"), make_schedule(owner="a"))
    mine = (make_task(owner="b"), make_schedule(owner="b"))

    refused = apply.preview(scope, _wanted(*mine))
    with pytest.raises(Conflict, match="belongs to the set `a`") as caught:
        apply.apply(scope, _wanted(*mine), refused, checked=())
    assert "--adopt" in str(caught.value.hint)
    store_definitions(scope, *mine, adopt=True)

    assert schedule_named(scope.store).definition.owner == task_named(scope.store, "task").definition.owner == "b"


def test_pruning_takes_only_its_own_set_and_no_more_than_is_said(scope: Scope) -> None:
    own = [make_schedule(f"s{number}", owner="a") for number in range(5)]
    store_definitions(scope, make_task(owner="a"), make_schedule("foreign", owner="b"), make_schedule("free"), *own)
    keep = _wanted(make_task(owner="a"), sets=frozenset({"a"}), prune=True)

    seen = apply.preview(scope, keep)
    with pytest.raises(Conflict, match="would delete 5 objects; at most 3"):
        apply.apply(scope, keep, seen, checked=())
    store_definitions(scope, make_task(owner="a"), sets=frozenset({"a"}), prune=True, allow_prune=5)

    assert scope.store.read(definitions.schedule_names) == ["foreign", "free"]


def test_pruning_a_task_that_is_still_used_is_refused(scope: Scope) -> None:
    store_definitions(scope, make_task(owner="a"), make_schedule(owner="b"))
    wanted = _wanted(make_task("other", owner="a"), sets=frozenset({"a"}), prune=True)

    with pytest.raises(Conflict, match="which 'schedule' still uses"):
        apply.apply(scope, wanted, apply.preview(scope, wanted), checked=())
    assert scope.store.read(definitions.task_names) == ["task"]


def test_a_schedule_of_an_unknown_task_is_not_stored(scope: Scope) -> None:
    with pytest.raises(NotFound):
        store_definitions(scope, make_schedule(task="nobody"))

    assert scope.store.read(definitions.schedule_names) == []


def test_a_task_in_use_goes_only_with_its_schedules(scope: Scope) -> None:
    add_schedule(scope, "a")
    add_schedule(scope, "b")
    kept = run_now(scope, RunNow("a"))
    started = start(scope.store, run_now(scope, RunNow("b")))

    with pytest.raises(Conflict, match="used by 2 schedules") as caught:
        control.delete_task(scope, "task")
    assert "--cascade" in str(caught.value.hint)
    cancelled = control.delete_task(scope, "task", cascade=True)

    assert cancelled == [kept]
    assert (execution(scope.store, kept).state, execution(scope.store, kept).reason) == (
        State.CANCELLED,
        "schedule_deleted",
    )
    ended = end(scope.store, started)
    assert ended is not None
    assert ended.state is State.SUCCEEDED
    assert scope.store.read(definitions.schedule_names) == scope.store.read(definitions.task_names) == []


def test_deleting_skips_what_is_due_as_deleted_and_nothing_fires_afterwards(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.set(TWO + timedelta(seconds=0.3))

    control.delete_schedule(scope, "schedule")
    clock.advance(5 * HOUR)

    assert scan(scope.store).schedules == 0
    assert [(row.state, row.reason, row.count) for row in all_executions(scope.store)] == [
        (State.SKIPPED, "deleted", 2)
    ]


def test_deleting_a_paused_one_skips_as_paused_and_an_ended_one_skips_nothing(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "paused")
    control.pause(scope, ["paused"])
    add_schedule(scope, "ended", max_runs=1)
    clock.set(TWO - HOUR)
    scan(scope.store)
    clock.set(TWO + 3 * HOUR)

    control.delete_schedule(scope, "paused")
    control.delete_schedule(scope, "ended")

    assert [(row.schedule, row.state, row.reason, row.count) for row in all_executions(scope.store)] == [
        ("ended", State.CANCELLED, "schedule_deleted", 1),
        ("paused", State.SKIPPED, "paused", 5),
    ]


def test_a_pause_lets_recorded_executions_go_on(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    asked = run_now(scope, RunNow("schedule"))

    control.pause(scope, ["schedule"], reason="نگهداری")
    clock.advance(5 * HOUR)

    assert scan(scope.store).schedules == 0
    run(scope.store, asked)
    assert states(scope.store) == ["succeeded"]
    state = schedule_named(scope.store).state
    assert (state.pause_reason, state.paused_by, state.paused_at) == ("نگهداری", "سارا", START)


def test_pausing_again_keeps_its_beginning_and_applying_never_touches_it(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"])
    clock.advance(HOUR)

    control.pause(scope, ["schedule"], until=clock.now() + HOUR)
    state = add_schedule(scope, priority=2).state

    assert (state.paused_at, state.paused_until, state.wake_at) == (START, START + 2 * HOUR, START + 2 * HOUR)


def test_a_pause_must_end_in_the_future_and_all_names_must_exist(scope: Scope) -> None:
    add_schedule(scope)

    with pytest.raises(UsageError, match="--until"):
        control.pause(scope, ["schedule"], until=START)
    with pytest.raises(NotFound):
        control.pause(scope, ["schedule", "nobody"])
    with pytest.raises(Conflict, match="not paused"):
        control.resume(scope, ["schedule"])
    assert not schedule_named(scope.store).state.paused


def test_a_preview_says_what_it_means_for_fire_times(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.set(TWO)

    edit = apply.preview(scope, _wanted(make_schedule(cron="30 * * * *")))
    off = apply.preview(scope, _wanted(make_schedule(enabled=False)))
    new = apply.preview(scope, _wanted(make_schedule("new", cron="15 * * * *")))

    assert edit.consequences["schedule"][0][0] == "1 due fire time runs first, by the old definition"
    assert TWO + timedelta(minutes=30) in edit.consequences["schedule"][1]
    assert not any("runs first" in str(line) for line in off.consequences["schedule"])
    assert new.consequences == {"new": (("first fires ", TWO + timedelta(minutes=15)),)}
