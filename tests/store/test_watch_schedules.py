"""What the watcher reads of schedules: each live one with what is in force, and what went wrong with executions.

It judges nothing here.
"""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from celsched.domain.execution import State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import LabelRule, RuleBook, Trouble, Watched
from celsched.domain.health.wishes import AlertWishes
from celsched.domain.policy import Misfire
from celsched.monitor.check import Watcher
from celsched.operations import control
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import transitions, watch_schedules
from celsched.store.store import Store
from celsched.store.tables import schedules
from celsched.store.watch_schedules import Roster
from tests.support.actors import all_executions, end, run, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, make_schedule, make_task, store_definitions
from tests.support.stores import START

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
COUNT = AlertKind.CONSECUTIVE_FAILURES


def _wish(count: int) -> AlertWishes:
    return AlertWishes({COUNT: Tuning(parameters={"count": count})})


def _look(store: Store, roster: Roster) -> dict[str, Watched]:
    return {watched.name: watched for watched in store.read(roster.look).values()}


def _troubles(store: Store, since: Any = START) -> list[Trouble]:
    return store.read(lambda tx: watch_schedules.troubles(tx, since))


def test_each_live_schedule_comes_with_what_is_in_force_for_it(scope: Scope) -> None:
    add_task(scope, queue_name="صف", labels={"set": "مالی"})
    add_schedule(scope, "گزارش", timezone="Asia/Tehran", end_at=START + DAY, max_runs=5)
    add_schedule(scope, "off", enabled=False)
    add_schedule(scope, "gone")
    control.delete_schedule(scope, "gone")

    found = _look(scope.store, Roster(RuleBook(), {"timezone": "Europe/Berlin"}))

    assert found.keys() == {"گزارش", "off"}
    watched = found["گزارش"]
    assert (watched.task, watched.queue, watched.labels) == ("task", "صف", {"set": "مالی"})
    assert (watched.schedule_type, watched.rule, watched.timezone) == ("cron", "0 * * * *", "Asia/Tehran")
    assert (watched.end_at, watched.max_runs, watched.created_at, watched.active) == (START + DAY, 5, START, True)
    assert (found["off"].timezone, found["off"].active) == ("Europe/Berlin", False)


def test_rules_come_from_settings_labels_defaults_task_and_schedule_the_last_one_strongest(scope: Scope) -> None:
    labelled = LabelRule({"set": "مالی"}, {COUNT: Tuning(parameters={"count": 5})})
    roster = Roster(RuleBook({COUNT: Tuning(parameters={"count": 4, "recovery": 2})}, (labelled,)), {})
    task = make_task("tuned", alerts=_wish(7), defaults={"alerts": _wish(6)})
    store_definitions(
        scope,
        make_task("plain"),
        make_task("defaulted", defaults={"alerts": _wish(6)}),
        task,
        make_schedule("settings", task="plain"),
        make_schedule("label", task="plain", labels={"set": "مالی"}),
        make_schedule("defaults", task="defaulted", labels={"set": "مالی"}),
        make_schedule("task", task="tuned"),
        make_schedule("schedule", task="tuned", alerts=_wish(8)),
    )
    found = _look(scope.store, roster)
    counts = {name: watched.rules[COUNT].number("count") for name, watched in found.items()}
    assert counts == {"settings": 4, "label": 5, "defaults": 6, "task": 7, "schedule": 8}
    assert {watched.rules[COUNT].number("recovery") for watched in found.values()} == {2}


def test_definitions_are_read_again_only_when_they_change(scope: Scope) -> None:
    add_schedule(scope, "a")
    add_schedule(scope, "b")
    roster, counted = Roster(RuleBook(), {}), []
    _look(scope.store, roster)
    event.listen(scope.store.engine, "before_cursor_execute", lambda *call: counted.append(call[2]))

    run(scope.store, run_now(scope, RunNow("a")), State.FAILED)
    counted.clear()
    assert _look(scope.store, roster)["b"].state.failure_streak == 0
    assert len([statement for statement in counted if "FROM" in statement]) == 1
    add_task(scope, queue_name="other")
    assert {watched.queue for watched in _look(scope.store, roster).values()} == {"other"}
    add_schedule(scope, "b", queue_name="own")
    assert _look(scope.store, roster)["b"].queue == "own"


def test_a_schedule_of_which_nothing_has_changed_is_the_one_of_the_last_look(scope: Scope) -> None:
    for name in ("a", "b"):
        add_schedule(scope, name)
    roster = Roster(RuleBook(), {})
    before = _look(scope.store, roster)
    assert all(watched is before[name] for name, watched in _look(scope.store, roster).items())
    control.pause(scope, ["a"])
    after = _look(scope.store, roster)
    assert (after["a"].active, after["b"] is before["b"]) == (False, True)
    add_task(scope, queue_name="other")
    assert {watched.queue for watched in _look(scope.store, roster).values()} == {"other"}


def test_a_definition_that_cannot_be_decoded_is_a_bad_one_and_the_others_go_on(scope: Scope) -> None:
    add_schedule(scope, "bad")
    add_schedule(scope, "good")
    broken = update(schedules).where(schedules.c.name == "bad").values(options={"timezone": "Asia/Tehrn"})
    scope.store.write(lambda tx: tx.execute(broken))

    found = _look(scope.store, Roster(RuleBook(), {}))

    assert found["good"].state.error is None
    assert "Asia/Tehrn" in str(found["bad"].state.error)


def test_troubles_are_the_newest_of_each_schedule_and_kind(scope: Scope, clock: ManualClock) -> None:
    store = scope.store
    add_schedule(scope, "a", max_retries=0)
    add_schedule(scope, "b", max_retries=1)
    for outcome in (State.FAILED, State.FAILED, State.TIMED_OUT, State.LOST, State.SUCCEEDED, State.CANCELLED):
        clock.advance(MINUTE)
        running = start(store, run_now(scope, RunNow("a")), worker="کارگر")
        end(store, running, outcome, error="خطا", error_type="ValueError")
    run(store, run_now(scope, RunNow("b")), State.FAILED)  # a retry follows
    asked = run_now(scope, RunNow("task", params={}))
    end(store, start(store, asked), State.LOST)

    found = _troubles(store)

    a = [trouble for trouble in found if trouble.schedule_id is not None]
    assert [(one.state, one.count, one.ended_at) for one in a] == [
        (State.FAILED, 2, START + 2 * MINUTE),
        (State.TIMED_OUT, 1, START + 3 * MINUTE),
        (State.LOST, 1, START + 4 * MINUTE),
    ]
    assert (a[0].execution, a[0].error_type, a[0].worker, a[0].task) == (2, "ValueError", "کارگر", "task")
    assert [one.execution for one in found if one.schedule_id is None] == [asked]
    assert [one.state for one in _troubles(store, START + 4 * MINUTE)] == [State.LOST, State.LOST]


def test_missed_fire_times_and_expired_ones_are_troubles(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, "skips", cron="* * * * *", misfire=Misfire.SKIP)
    add_schedule(scope, "expires", start_deadline=MINUTE)
    asked = run_now(scope, RunNow("expires"))
    clock.advance(HOUR)
    scan(scope.store)
    scope.store.write(lambda tx: transitions.expire_one(tx, asked, None, clock.now()))

    found = {(one.state, one.reason): one for one in _troubles(scope.store)}

    skipped = found[State.SKIPPED, "misfire_skip"]
    assert (skipped.schedule_id, skipped.ended_at) == (schedule.id, clock.now())
    assert skipped.count == 59, "one row stands for all of them"
    assert found[State.EXPIRED, "start_deadline"].execution == asked


def test_coalesced_fire_times_are_troubles_of_their_own_kind(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, "again", cron="* * * * *")
    clock.set(START + HOUR)
    scan(scope.store)

    (found,) = _troubles(scope.store)

    assert (found.schedule_id, found.state, found.reason) == (schedule.id, State.SKIPPED, "coalesced")
    assert (found.count, found.fire_time, found.ended_at) == (59, START + MINUTE / 2, clock.now())
    assert _troubles(scope.store, clock.now() + MINUTE) == []


def test_an_end_that_was_recorded_long_after_it_happened_is_a_trouble_from_then_on(
    scope: Scope, clock: ManualClock
) -> None:
    add_task(scope, max_retries=0)
    ended = START + 5 * MINUTE
    late, prompt = (start(scope.store, run_now(scope, RunNow("task", params={}))) for _ in range(2))
    clock.set(ended)
    end(scope.store, prompt, State.LOST)
    clock.set(START + HOUR)
    end(scope.store, late, State.LOST, ended_at=ended)

    (both,) = _troubles(scope.store)
    assert (both.execution, both.count) == (prompt.id, 2)
    seen = _troubles(scope.store, START + 50 * MINUTE)
    assert [(one.execution, one.ended_at) for one in seen] == [(late.id, ended)]
    assert _troubles(scope.store, START + HOUR + MINUTE) == []


def test_started_are_schedules_of_which_something_ran_that_neither_succeeded_nor_failed(
    scope: Scope, clock: ManualClock
) -> None:
    for name in ("runs", "waits", "ran", "stopped"):
        add_schedule(scope, name, cron="* * * * *")
    clock.advance(MINUTE)
    scan(scope.store)
    first = {one.schedule: one for one in all_executions(scope.store)}
    start(scope.store, first["runs"].id)
    run(scope.store, first["ran"].id)
    run(scope.store, first["stopped"].id, State.CANCELLED)

    started = {first[name].schedule_id for name in ("runs", "stopped")}
    assert scope.store.read(watch_schedules.started) == started


@pytest.fixture
def watcher(store: Store, clock: ManualClock) -> Watcher:
    """A watcher of this store."""
    rules = RuleBook({AlertKind.LATE_START: Tuning(parameters={"threshold": 5 * MINUTE})})
    return Watcher(store, clock, rules=rules, heartbeat=timedelta(seconds=10), settings={})


def _kinds(watcher: Watcher) -> set[AlertKind]:
    return {alert.kind for alert in watcher.run_once().firing} - {AlertKind.DAEMON_DOWN, AlertKind.NO_WORKER}


def test_a_look_opens_and_resolves_what_executions_do(scope: Scope, clock: ManualClock, watcher: Watcher) -> None:
    add_schedule(scope, max_retries=0)
    assert _kinds(watcher) == set()
    run(scope.store, run_now(scope, RunNow("schedule")), State.TIMED_OUT)
    assert _kinds(watcher) == {AlertKind.TIMEOUT}
    clock.advance(MINUTE)
    assert _kinds(watcher) == {AlertKind.TIMEOUT}
    run(scope.store, run_now(scope, RunNow("schedule")))
    assert _kinds(watcher) == set()


def test_an_unknown_task_is_over_when_the_task_succeeds(scope: Scope, clock: ManualClock, watcher: Watcher) -> None:
    add_task(scope, "کار", max_retries=0)
    running = start(scope.store, run_now(scope, RunNow("کار")))
    end(scope.store, running, State.FAILED, error="`files` has no `x`", error_type="InvalidDefinition")
    assert _kinds(watcher) == {AlertKind.UNKNOWN_TASK}
    for _ in range(2):
        clock.advance(20 * MINUTE)
        assert _kinds(watcher) == {AlertKind.UNKNOWN_TASK}, "it stays after its row is out of sight"
    run(scope.store, run_now(scope, RunNow("کار")))
    assert _kinds(watcher) == set()


def test_a_watcher_that_begins_anew_keeps_what_lives(scope: Scope, clock: ManualClock, watcher: Watcher) -> None:
    add_schedule(scope, max_retries=0)
    run(scope.store, run_now(scope, RunNow("schedule")), State.LOST)
    before = watcher.run_once().firing
    clock.advance(2 * DAY)
    fresh = Watcher(scope.store, clock, rules=RuleBook(), heartbeat=MINUTE, settings={})
    found = fresh.run_once().firing
    kept = [[one.id for one in some if one.kind is AlertKind.LOST_WORKER] for some in (before, found)]
    assert kept[0] == kept[1] != []
