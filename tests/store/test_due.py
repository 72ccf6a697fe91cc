"""T1: due schedules are decided once, whoever scans, and what was decided is recorded whole or not at all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from celsched.domain.compose import recipe_of, subject_of
from celsched.domain.definition import effective
from celsched.domain.execution import Cause, Reason, Recipe, State
from celsched.domain.plan import Active, Fire, Plan, Skip, plan
from celsched.domain.policy import Misfire, Overlap
from celsched.operations.scope import Scope
from celsched.store import due, executions
from celsched.store.definitions import StoredSchedule
from celsched.store.due import Decision
from celsched.store.store import Store, Tx
from tests.support.actors import all_executions, execution, scan, start, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, schedule_named, scope_of
from tests.support.stores import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ONE = START.replace(hour=13, minute=0, second=0)
"""The first fire time of an hourly schedule made at START."""


def _recipe(schedule: StoredSchedule) -> Recipe:
    policies = effective(schedule.task.definition, schedule.definition, {})
    return recipe_of(schedule.task.definition, schedule.definition, policies)


def _decision(schedule: StoredSchedule, made: Plan) -> Decision:
    return Decision(schedule, made, _recipe(schedule))


def _record(store: Store, *decisions: Decision) -> None:
    store.write(lambda tx: due.record(tx, decisions, store.clock.now()))


def _plan(*fires: datetime, skips: tuple[Skip, ...] = ()) -> Plan:
    return Plan(tuple(Fire(at, at) for at in fires), skips, ONE + HOUR, ONE + 2 * HOUR)


def test_what_is_due_comes_longest_due_first_and_only_that(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "late", cron="0 15 * * *")
    add_schedule(scope, "b", cron="0 14 * * *")
    add_schedule(scope, "a", cron="0 13 * * *")
    add_schedule(scope, "off", cron="0 13 * * *", enabled=False)

    assert scope.store.read(due.next_wake) == ONE
    clock.set(ONE + HOUR)
    found, broken = scope.store.write(lambda tx: due.lock_due(tx, clock.now(), 10))

    assert [one.name for one in found] == ["a", "b"]
    assert broken == []
    assert [one.name for one in scope.store.write(lambda tx: due.lock_due(tx, clock.now(), 1))[0]] == ["a"]


def test_a_fire_time_becomes_an_execution_that_holds_a_copy_of_everything(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(
        scope, "شبانه", params={"hours": 48}, priority=8, start_deadline=MINUTE, time_limit=HOUR, jitter=10 * MINUTE
    )
    clock.set(ONE)

    scan(scope.store)

    (made,) = all_executions(scope.store)
    assert (made.state, made.cause, made.schedule, made.task) == (State.PENDING, Cause.SCHEDULE, "شبانه", "task")
    assert (made.fire_time, made.attempt, made.publishes, made.waits, made.count) == (ONE, 1, 0, False, 1)
    assert ONE <= made.due_at == made.dispatch_at < ONE + 10 * MINUTE
    assert made.deadline == made.dispatch_at + MINUTE
    assert made.recipe == _recipe(schedule)
    assert made.requested_by is None
    after = schedule_named(scope.store, "شبانه").state
    assert (after.cursor, after.next_fire_time, after.wake_at, after.runs) == (ONE, ONE + HOUR, ONE + HOUR, 1)
    assert after.last_fire_time == ONE


def test_a_late_fire_time_is_dispatched_at_its_birth_and_its_lateness_counts_from_the_fire_time(
    scope: Scope, clock: ManualClock
) -> None:
    add_schedule(scope)
    clock.set(ONE + 7 * MINUTE)
    scan(scope.store)
    (made,) = all_executions(scope.store)

    started = start(scope.store, made.id)

    assert (made.due_at, made.dispatch_at) == (ONE, ONE + 7 * MINUTE)
    assert started.lateness == 7 * MINUTE


def test_skips_are_one_range_row(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, cron="* * * * *", misfire=Misfire.SKIP)
    clock.set(ONE + 30 * timedelta(seconds=1))

    result = scan(scope.store)

    skip, fire = all_executions(scope.store)
    assert (skip.state, skip.reason, skip.count) == (State.SKIPPED, Reason.MISFIRE_SKIP, 59)
    assert (skip.fire_time, skip.until) == (START.replace(minute=1, second=0), ONE - MINUTE)
    assert (skip.recipe, skip.finished_at) == (None, ONE + timedelta(seconds=30))
    assert fire.fire_time == ONE
    assert (result.fires, result.skips) == (1, 59)
    read = scope.store.read
    minutes = [START.replace(second=0) + minute * MINUTE for minute in (1, 59, 60, 61)]
    assert read(lambda tx: [executions.at_fire_time(tx, schedule.id, at) for at in minutes]) == [skip, skip, fire, None]
    assert read(lambda tx: executions.ledger_rows(tx, schedule.id, ONE - MINUTE, ONE)) == [skip]
    assert read(executions.count_by_state) == {State.SKIPPED: 59, State.PENDING: 1}


def test_one_fire_time_is_recorded_once_however_often(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope)
    clock.set(ONE)

    for _ in range(12):  # psycopg would prepare statements by the eleventh time
        _record(scope.store, _decision(schedule, _plan(ONE)))

    assert states(scope.store) == ["pending"]


def test_a_plan_for_another_revision_records_nothing_at_all(scope: Scope) -> None:
    schedule, other = add_schedule(scope, "one"), add_schedule(scope, "two")
    stale = replace(schedule, state=replace(schedule.state, revision=99))

    with pytest.raises(RuntimeError, match="changed under its lock"):
        _record(scope.store, _decision(other, _plan(ONE)), _decision(stale, _plan(ONE)))

    assert all_executions(scope.store) == []
    assert schedule_named(scope.store, "two").state == other.state


def test_one_that_cannot_be_recorded_is_told_apart_from_the_others(scope: Scope) -> None:
    good, bad = add_schedule(scope, "good"), add_schedule(scope, "bad")
    unwritable = Decision(bad, _plan(ONE), replace(_recipe(bad), params={"x": float("nan")}))
    now = scope.now()

    broken = scope.store.write(lambda tx: due.record_fenced(tx, [_decision(good, _plan(ONE)), unwritable], now))

    assert [(one.schedule_id, one.name) for one in broken] == [(bad.id, "bad")]
    assert [one.schedule for one in all_executions(scope.store)] == ["good"]
    assert schedule_named(scope.store, "bad").state == bad.state


def test_a_plan_with_many_kinds_of_rows_is_one_statement(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, overlap=Overlap.QUEUE_ONE, start_deadline=MINUTE)
    skip = Skip(ONE - 3 * HOUR, ONE - 2 * HOUR, 2, Reason.TOO_LATE)
    fires = (Fire(ONE - HOUR, ONE - HOUR, chain=True), Fire(ONE, ONE, waits=True, chain=True), Fire(ONE + HOUR, ONE))

    _record(scope.store, _decision(schedule, Plan(fires, (skip,), ONE, None)))

    assert states(scope.store) == ["skipped", "pending", "pending waits", "pending"]
    _, first, second, ordinary = all_executions(scope.store)
    assert first.chain == second.chain is not None
    assert ordinary.chain is None
    assert schedule_named(scope.store).state.wake_at is None


def test_cancel_running_ends_the_earlier_rows_before_the_new_one(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, overlap=Overlap.CANCEL_RUNNING)
    clock.set(ONE)
    scan(scope.store)
    (first,) = all_executions(scope.store)
    clock.advance(HOUR)
    scan(scope.store)
    second = all_executions(scope.store)[1]
    start(scope.store, second.id)
    clock.advance(HOUR)
    scan(scope.store)

    assert states(scope.store) == ["cancelled", "running", "pending waits"]
    assert execution(scope.store, first.id).reason == "superseded"
    assert execution(scope.store, second.id).cancel_requested


def test_a_broken_schedule_is_looked_at_again_in_a_minute_unless_it_was_changed(scope: Scope) -> None:
    schedule = add_schedule(scope)
    now = scope.now()

    def mark(revision: int) -> None:
        broken = due.Broken(schedule.id, revision, schedule.name, f"revision {revision}")
        scope.store.write(lambda tx: due.mark_broken(tx, broken, now))

    mark(schedule.state.revision)
    mark(99)

    after = schedule_named(scope.store).state
    assert (after.error, after.wake_at) == (f"revision {schedule.state.revision}", now + MINUTE)


@contextmanager
def _held(store: Store, limit: int) -> Iterator[list[StoredSchedule]]:
    """Hold the locks of a due scan in another thread while the block runs."""
    ready, let_go = threading.Event(), threading.Event()
    held: list[StoredSchedule] = []

    def work(tx: Tx) -> None:
        held.extend(due.lock_due(tx, store.clock.now(), limit)[0])
        ready.set()
        assert let_go.wait(10)

    thread = threading.Thread(target=store.write, args=(work,))
    thread.start()
    assert ready.wait(10)
    yield held
    let_go.set()
    thread.join(10)


def test_two_scans_at_once_share_the_work(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    for number in range(6):
        add_schedule(scope, f"s{number}")
    scope.clock.set(ONE)  # type: ignore[attr-defined]

    with _held(postgres_store, 4) as held:
        rest, _ = postgres_store.write(lambda tx: due.lock_due(tx, ONE, 10))

    assert sorted([*(one.name for one in held), *(one.name for one in rest)]) == [f"s{n}" for n in range(6)]
    assert len(rest) == 2


def test_many_scans_at_once_record_each_fire_time_once(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    for number in range(40):
        add_schedule(scope, f"s{number}")
    scope.clock.set(ONE + timedelta(seconds=5))  # type: ignore[attr-defined]
    gate = threading.Barrier(4)

    def scanner() -> None:
        gate.wait(10)
        for _ in range(3):
            scan(postgres_store)

    threads = [threading.Thread(target=scanner) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    made = all_executions(postgres_store)
    assert sorted(str(one.schedule) for one in made) == sorted(f"s{n}" for n in range(40))
    assert {one.fire_time for one in made} == {ONE}


def test_a_stored_plan_is_the_planners(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, cron="*/10 * * * *", misfire=Misfire.RUN_ALL, catch_up_window=2 * HOUR)
    clock.advance(5 * HOUR)
    policies = effective(schedule.task.definition, schedule.definition, {})
    subject = subject_of(schedule.definition, policies, schedule.state.base)
    wanted = plan(subject, schedule.state.cursor, 0, clock.now(), Active())

    scan(scope.store)

    rows = all_executions(scope.store)
    fired = [row for row in rows if row.state is State.PENDING]
    assert [(row.fire_time, row.waits, bool(row.chain)) for row in fired] == [
        (fire.fire_time, fire.waits, fire.chain) for fire in wanted.fires
    ]
    assert [(row.fire_time, row.count) for row in rows if row.state is State.SKIPPED] == [
        (skip.first, skip.count) for skip in wanted.skips
    ]
