"""The due scan against a real store: downtime, broken schedules, ends of pauses, and edits at the wrong moment."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from celsched.dispatcher import tick
from celsched.domain.execution import State
from celsched.domain.policy import Misfire, Overlap
from celsched.operations import control
from celsched.operations.scope import Scope
from celsched.store.tables import schedules
from celsched.store.tables_watch import audit
from tests.support.actors import DAEMON, all_executions, scan, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, schedule_named
from tests.support.stores import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TWO = START.replace(hour=14, minute=0, second=0)


@pytest.mark.parametrize(
    ("misfire", "rows"),
    [
        (Misfire.RUN_LATEST, ["skipped coalesced x71", "pending x1"]),
        (Misfire.SKIP, ["skipped misfire_skip x72"]),
    ],
)
def test_after_three_days_of_downtime_one_or_none_is_caught_up(
    scope: Scope, clock: ManualClock, misfire: Misfire, rows: list[str]
) -> None:
    add_schedule(scope, misfire=misfire, catch_up_window=timedelta(days=7))
    clock.advance(timedelta(days=3, minutes=10))

    scan(scope.store)

    found = all_executions(scope.store)
    assert [" ".join(filter(None, (one.state, one.reason, f"x{one.count}"))) for one in found] == rows
    assert scan(scope.store).schedules == 0


def test_downtime_beyond_the_window_is_too_late_and_every_fire_time_is_accounted_for(
    scope: Scope, clock: ManualClock
) -> None:
    add_schedule(scope, misfire=Misfire.RUN_ALL, catch_up_window=timedelta(days=6))
    clock.advance(timedelta(days=10, minutes=10))

    result = scan(scope.store)

    rows = all_executions(scope.store)
    assert [(row.reason, row.count) for row in rows if row.state is State.SKIPPED] == [
        ("too_late", 96),
        ("catch_up_cap", 44),
    ]
    assert (result.fires, result.skips, sum(row.count for row in rows)) == (100, 140, 240)


def test_a_broken_schedule_is_fenced_and_the_others_go_on(
    scope: Scope, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("good", "bad rule", "bad zone", "also good"):
        add_schedule(scope, name)

    def spoil(name: str, **values: object) -> None:
        statement = update(schedules).where(schedules.c.name == name).values(**values)
        scope.store.write(lambda tx: tx.execute(statement).rowcount)

    spoil("bad rule", rule="99 * * * *")
    spoil("bad zone", options={"timezone": "Atlantis/Capital"})
    clock.set(TWO)

    with caplog.at_level(logging.ERROR):
        result = scan(scope.store)

    assert (result.schedules, result.fires) == (2, 2)
    assert sorted(str(one.schedule) for one in all_executions(scope.store) if one.state is State.PENDING) == [
        "also good",
        "good",
    ]
    assert sorted(record.schedule for record in caplog.records) == ["bad rule", "bad zone"]  # type: ignore[attr-defined]
    bad = schedule_named(scope.store, "bad rule").state
    assert bad.error is not None
    assert bad.wake_at == clock.now() + MINUTE
    assert scan(scope.store).schedules == 0


def test_a_broken_schedule_can_be_repaired_by_an_edit_and_goes_on_from_there(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    statement = update(schedules).values(rule="99 * * * *")
    scope.store.write(lambda tx: tx.execute(statement).rowcount)
    clock.set(TWO)
    scan(scope.store)

    after = add_schedule(scope, cron="30 * * * *").state

    assert (after.error, after.next_fire_time, after.cursor) == (None, TWO + 30 * MINUTE, TWO)
    assert all_executions(scope.store) == []


def test_a_broken_schedule_can_be_deleted(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    statement = update(schedules).values(rule="99 * * * *")
    scope.store.write(lambda tx: tx.execute(statement).rowcount)
    clock.set(TWO)

    assert control.delete_schedule(scope, "schedule") == []


def test_a_pause_that_runs_out_is_ended_by_the_scan_and_audited_as_the_daemon(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, misfire=Misfire.SKIP)
    control.pause(scope, ["schedule"], until=TWO, reason="تعمیر")
    assert schedule_named(scope.store).state.wake_at == TWO
    clock.set(TWO - timedelta(microseconds=1))
    assert scan(scope.store).schedules == 0
    clock.set(TWO + timedelta(seconds=2))

    scan(scope.store)

    assert [(row.state, row.reason, row.fire_time) for row in all_executions(scope.store)] == [
        (State.SKIPPED, "paused", TWO - HOUR),
        (State.PENDING, None, TWO),
    ]
    state = schedule_named(scope.store).state
    assert (state.paused_at, state.paused_until, state.pause_reason, state.paused_by) == (None, None, None, None)
    assert state.next_fire_time == TWO + HOUR
    asked = select(audit.c.user, audit.c.action, audit.c.subject).order_by(audit.c.id.desc()).limit(1)
    assert scope.store.read(lambda tx: tuple(tx.execute(asked).one())) == (DAEMON.user, "resume", "schedule")


def test_a_pause_that_ran_out_while_no_daemon_was_there_follows_misfire_from_its_end_on(
    scope: Scope, clock: ManualClock
) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"], until=TWO)
    clock.set(TWO + 3 * HOUR + 30 * MINUTE)

    scan(scope.store)

    assert [(row.reason, row.count) for row in all_executions(scope.store)] == [
        ("paused", 1),
        ("coalesced", 3),
        (None, 1),
    ]


def test_an_edit_just_after_a_fire_time_does_not_swallow_it(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, params={"hours": 1})
    clock.set(TWO + timedelta(seconds=0.3))

    add_schedule(scope, cron="30 4 * * *", params={"hours": 2})

    rows = [row for row in all_executions(scope.store) if row.state is State.PENDING]
    assert [(row.fire_time, row.recipe.params) for row in rows if row.recipe] == [(TWO, {"hours": 1})]
    assert schedule_named(scope.store).state.next_fire_time == TWO.replace(day=2, hour=4, minute=30)
    assert scan(scope.store).fires == 0


def test_an_edit_of_the_task_alone_closes_the_ledger_with_the_old_task(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.set(TWO)

    add_task(scope, task_path="files.tasks.other")

    (made,) = [row for row in all_executions(scope.store) if row.state is State.PENDING]
    assert made.recipe is not None
    assert (made.fire_time, made.recipe.task_path) == (TWO, "files.tasks.clean")
    clock.advance(HOUR)
    control.cancel(scope, made.id)
    scan(scope.store)
    newest = all_executions(scope.store)[-1]
    assert newest.recipe is not None
    assert newest.recipe.task_path == "files.tasks.other"


def test_disabling_just_after_a_fire_time_skips_it_as_paused(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.set(TWO + timedelta(seconds=0.3))

    add_schedule(scope, enabled=False)
    clock.advance(2 * HOUR)
    assert scan(scope.store).schedules == 0
    add_schedule(scope, enabled=True)

    rows = all_executions(scope.store)
    assert {(row.state, row.reason) for row in rows} == {(State.SKIPPED, "paused")}
    assert sum(row.count for row in rows) == 4  # 13:00 to 16:00
    assert schedule_named(scope.store).state.next_fire_time == TWO + 3 * HOUR


def test_a_resume_by_hand_pauses_everything_up_to_now_in_one_row(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"])
    clock.advance(5 * HOUR)

    coming = control.resume(scope, ["schedule"])

    (row,) = all_executions(scope.store)
    assert (row.state, row.reason, row.count) == (State.SKIPPED, "paused", 5)
    assert coming == {"schedule": START.replace(hour=18, minute=0, second=0)}
    assert scan(scope.store).schedules == 0


def test_a_rule_changed_while_paused_stays_paused(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"], until=TWO + 5 * HOUR)
    clock.set(TWO)

    state = add_schedule(scope, cron="15 * * * *").state

    assert state.paused
    assert (state.next_fire_time, state.wake_at, state.cursor) == (None, TWO + 5 * HOUR, TWO)


def test_a_new_schedule_never_fires_for_the_time_before_it(scope: Scope, clock: ManualClock) -> None:
    once = add_schedule(scope, "once", at=START - HOUR)
    grid = add_schedule(scope, "grid", every=HOUR, start_at=START - 10 * HOUR - 20 * MINUTE)
    plain = add_schedule(scope, "plain", every=HOUR)

    assert (once.state.next_fire_time, once.state.wake_at) == (None, None)
    assert grid.state.next_fire_time == START + 40 * MINUTE
    assert plain.state.next_fire_time == plain.state.base == START + HOUR
    assert scan(scope.store).schedules == 0


def test_more_than_one_batch_of_schedules_needs_more_than_one_scan(
    scope: Scope, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick, "BATCH", 2)
    for number in range(3):
        add_schedule(scope, f"s{number}", overlap=Overlap.ALLOW)
    clock.set(TWO - HOUR)

    results = [scan(scope.store) for _ in range(3)]

    assert [(one.schedules, one.full) for one in results] == [(2, True), (1, False), (0, False)]
    assert states(scope.store) == ["pending"] * 3


def test_persian_names_are_readable_in_the_log(
    scope: Scope, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    add_schedule(scope, "گزارش‌های روزانه")
    clock.advance(HOUR)

    with caplog.at_level(logging.INFO):
        assert scan(scope.store).fires == 1

    assert any(said.startswith("dispatched 'گزارش‌های روزانه' for ") for said in caplog.messages), caplog.messages
