"""The purge removes old ended rows with all that hangs on them, a bounded number at a time, and nothing that lives."""

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from celsched.domain.execution import LogLine, State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.policy import Misfire, RetryPolicy
from celsched.operations import upkeep
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import executions, logs, retention, tables
from celsched.store.retention import Place, Purged
from celsched.store.store import Store, Tx
from celsched.store.tables_watch import alerts, audit
from tests.store.messages import find, settle
from tests.support.actors import all_executions, publish, run, scan, start, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, schedule_named, scope_of
from tests.support.stores import clock_of, store_at
from tests.support.waiting import wait_until

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _purge(scope: Scope, before: datetime, limit: int = 1000) -> Purged:
    return scope.store.write(lambda tx: retention.purge_batch(tx, before, limit=limit))


def test_only_what_ended_before_the_limit_goes(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    old, edge = run_now(scope, RunNow("task")), run_now(scope, RunNow("task"))
    run(scope.store, old)
    clock.advance(timedelta(microseconds=1))
    run(scope.store, edge)

    assert scope.store.read(lambda tx: retention.countable(tx, clock.now())) == 1
    assert _purge(scope, clock.now()) == Purged(1, 0)
    assert [one.id for one in all_executions(scope.store)] == [edge]


def test_old_alerts_go_and_what_a_person_resolved_is_remembered(store: Store, clock: ManualClock) -> None:
    failed = find(AlertKind.FAILED, event_at=clock.now())
    wrong = [find(AlertKind.OVERDUE, f"schedule:{number}") for number in (1, 2, 3)]
    settle(store, failed, *wrong)
    closed = {"state": "resolved", "resolved_at": clock.now(), "resolved_by": "سارا"}
    for finding in (failed, wrong[0]):
        mine = alerts.c.fingerprint == finding.fingerprint
        store.write(lambda tx, mine=mine: tx.execute(update(alerts).where(mine).values(closed)).rowcount)  # type: ignore[misc]
    settle(store, wrong[2])
    clock.advance(DAY)

    def purge(before: datetime) -> int:
        return store.write(lambda tx: retention.purge_alerts(tx, before, limit=1))

    assert purge(clock.now() - DAY) == 0
    assert [purge(clock.now()) for _ in range(3)] == [1, 1, 0]
    left = select(alerts.c.fingerprint).order_by(alerts.c.id)
    assert list(store.read(lambda tx: tx.scalars(left).all())) == ["failed:schedule:1", "overdue:schedule:3"]
    assert settle(store, failed, wrong[2]).opened == []
    newer = find(AlertKind.FAILED, event_at=clock.now())
    assert len(settle(store, newer, wrong[2]).opened) == 1
    clock.advance(DAY)
    assert purge(clock.now()) == 1, "a newer one of its kind remembers"


def test_living_rows_stay_however_old(scope: Scope, clock: ManualClock) -> None:
    add_task(scope, max_retries=1, retry=RetryPolicy(100 * DAY, max_delay=100 * DAY, jitter=False))
    pending, queued, running, retrying = (run_now(scope, RunNow("task")) for _ in range(4))
    start(scope.store, running)
    run(scope.store, retrying, State.FAILED)
    clock.advance(timedelta(seconds=1))
    publish(scope.store)
    clock.advance(90 * DAY)

    assert _purge(scope, clock.now()) == Purged(0, 0)
    assert states(scope.store) == ["queued", "queued", "running", "retrying"]
    assert pending < queued


def test_attempts_and_logs_go_along(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    gone = run_now(scope, RunNow("task"))
    lines = [LogLine(gone, 1, seq, clock.now(), 20, "stdout", "سطر") for seq in range(3)]
    scope.store.write(lambda tx: logs.append(tx, lines))
    run(scope.store, gone)

    assert _purge(scope, clock.now() + HOUR) == Purged(1, 3)
    assert scope.store.read(lambda tx: executions.attempts_of(tx, gone)) == []
    assert scope.store.read(lambda tx: logs.tail(tx, gone, 10)) == []


def _store_lines(scope: Scope, execution_id: int, count: int, attempt: int = 1) -> None:
    lines = [LogLine(execution_id, attempt, seq, scope.now(), 20, "stdout", "سطر") for seq in range(count)]
    scope.store.write(lambda tx: logs.append(tx, lines))


def _ended_with(scope: Scope, clock: ManualClock, *counts: int) -> list[int]:
    """Add executions that ended one after the other with so many lines each."""
    made = [run_now(scope, RunNow("task")) for _ in counts]
    for one, count in zip(made, counts, strict=True):
        _store_lines(scope, one, count)
        run(scope.store, one)
        clock.advance(timedelta(seconds=1))
    return made


def _purge_by(scope: Scope, lines: int, after: Purged | None = None) -> Purged:
    on_at = after.on_at if after else None
    return scope.store.write(lambda tx: retention.purge_batch(tx, scope.now(), on_at=on_at, lines=lines))


def _purge_all_by(scope: Scope, lines: int) -> list[Purged]:
    steps = [_purge_by(scope, lines)]
    while steps[-1].more:
        steps.append(_purge_by(scope, lines, steps[-1]))
    return steps


def test_a_very_long_log_goes_first_the_oldest_lines_before_the_others_and_its_execution_last(
    scope: Scope, clock: ManualClock
) -> None:
    add_task(scope)
    long, short = _ended_with(scope, clock, 15, 1)
    _store_lines(scope, long, 12, attempt=2)

    first = _purge_by(scope, 10)
    assert first == Purged(0, 10, more=True, on_at=Place(long, 1, 10))
    second = _purge_by(scope, 10, first)
    assert second == Purged(0, 5, more=True, on_at=Place(long, 2, 0))
    left = scope.store.read(lambda tx: logs.read(tx, long))
    assert [(line.attempt, line.seq) for line in left] == [(2, seq) for seq in range(12)]
    assert [one.id for one in all_executions(scope.store)] == [long, short]
    assert scope.store.read(lambda tx: executions.attempts_of(tx, long)) != []
    third = _purge_by(scope, 10, second)
    assert third == Purged(0, 10, more=True, on_at=Place(long, 2, 10))
    assert _purge_by(scope, 10, third) == Purged(1, 2, more=True)
    assert [_purge_by(scope, 10) for _ in range(2)] == [Purged(1, 1), Purged(0, 0)]
    assert retention.LINES == 10_000


def test_a_purge_that_does_not_know_its_place_any_more_finds_it(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    _ended_with(scope, clock, 35)

    assert [_purge_by(scope, 10).logs for _ in range(4)] == [10, 10, 10, 5]
    assert all_executions(scope.store) == []


def test_of_many_executions_a_transaction_takes_as_many_as_their_lines_allow(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    _ended_with(scope, clock, 4, 4, 4, 4, 11, 0, 4)

    steps = _purge_all_by(scope, 10)

    assert [(one.executions, one.logs) for one in steps] == [(1, 4), (1, 4), (2, 8), (0, 10), (1, 1), (2, 4)]
    assert all_executions(scope.store) == []


def test_the_purge_looks_through_no_whole_table(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    long, _ = _ended_with(scope, clock, 3_000, 10)
    plans: list[str] = []
    word = "EXPLAIN" if scope.store.dialect.row_locks else "EXPLAIN QUERY PLAN"

    def explained(tx: Tx, on_at: Place | None = None) -> Purged:
        @event.listens_for(tx, "before_cursor_execute")
        def _explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if "execution_logs" in statement:
                plans.append(statement)
                plans.extend(str(row) for row in cursor.execute(f"{word} {statement}", parameters).fetchall())

        return retention.purge_batch(tx, clock.now(), on_at=on_at, lines=100)

    assert scope.store.write(explained).logs == 100
    assert scope.store.write(lambda tx: explained(tx, Place(long, 1, 100))).logs == 100
    told = "\n".join(plans)
    assert "DELETE FROM execution_logs" in told
    for slow in ("Seq Scan", "Bitmap", "Sort", "SCAN execution_logs", "TEMP B-TREE"):
        assert slow not in told, told


def test_who_waited_for_another_purge_leaves_no_long_log_to_one_statement(
    postgres_store: Store, postgres_url: str
) -> None:
    scope, clock = scope_of(postgres_store), clock_of(postgres_store)
    add_task(scope)
    (long,) = _ended_with(scope, clock, 25)
    found: list[Purged] = []
    beside = threading.Thread(target=lambda: found.append(_purge_by(scope, 10)))
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    with store_at(postgres_url) as other:

        def slowly(tx: Tx) -> Purged:
            first = retention.purge_batch(tx, clock.now(), lines=10)
            beside.start()
            wait_until(lambda: other.read(lambda tx: tx.scalar(waiting)), message="the second waits for the first")
            return first

        assert other.write(slowly) == Purged(0, 10, more=True, on_at=Place(long, 1, 10))
    beside.join()
    assert found == [Purged(0, 0, more=True, on_at=Place(long, 1, 10))]
    assert len(all_executions(scope.store)) == 1


def test_a_long_purge_of_a_file_with_one_writer_lets_others_write(
    scope: Scope, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_task(scope)
    _ended_with(scope, clock, 1, 1, 1)
    monkeypatch.setattr(retention, "purge_batch", partial(retention.purge_batch, limit=2))
    clock.advance(HOUR)
    clock.auto_advance = True
    begun = clock.monotonic()

    assert upkeep.purge(scope, HOUR / 2) == 3

    assert clock.monotonic() - begun == pytest.approx(0 if scope.store.dialect.row_locks else 0.1)


def test_a_purge_that_is_broken_off_is_audited_with_what_went(
    scope: Scope, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_task(scope)
    _ended_with(scope, clock, 1, 1)
    some = partial(retention.purge_batch, limit=1)

    def broken_off(tx: Tx, before: datetime, **_: object) -> Purged:
        if len(all_executions(scope.store)) == 1:
            raise KeyboardInterrupt
        return some(tx, before)

    monkeypatch.setattr(retention, "purge_batch", broken_off)
    with pytest.raises(KeyboardInterrupt):
        upkeep.purge(scope, -HOUR)
    (details,) = scope.store.read(lambda tx: tx.scalars(select(audit.c.details).where(audit.c.action == "purge")).all())
    assert details["removed"] == 1


_KILLED = """
import os, signal, sys
from datetime import timedelta
from sqlalchemy import event
from celsched.operations.upkeep import purge
from celsched.store.store import open_store
from tests.support.factories import scope_of

store, seen = open_store(sys.argv[1]), []

@event.listens_for(store.engine, "after_cursor_execute")
def kill(_c, _cu, statement, *_):
    if statement.startswith("DELETE FROM execution_logs"):
        seen.append(1)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

purge(scope_of(store), timedelta(0))
"""


def test_a_purge_that_is_killed_leaves_the_execution_with_the_rest_of_its_lines(
    scope: Scope, store_url: str, clock: ManualClock
) -> None:
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    add_task(scope)
    _ended_with(scope, clock, retention.LINES + 10, 3)
    killed = subprocess.run([sys.executable, "-c", _KILLED, store_url], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    assert len(all_executions(scope.store)) == 2
    count = select(func.count()).select_from(tables.logs)
    assert scope.store.read(lambda tx: tx.scalar(count)) == 13
    assert upkeep.purge(scope, timedelta(0)) == 2
    assert scope.store.read(lambda tx: tx.scalar(count)) == 0


def test_a_transaction_removes_no_more_than_its_limit_oldest_first(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    ids = [run_now(scope, RunNow("task")) for _ in range(5)]
    for one in reversed(ids):
        run(scope.store, one)
        clock.advance(timedelta(seconds=1))

    counts = [_purge(scope, clock.now(), limit=2).executions for _ in range(4)]

    assert counts == [2, 2, 1, 0]
    assert retention.BATCH == 1000


def test_the_state_remembers_how_far_the_ledger_was_removed_also_on_a_leap_day(
    scope: Scope, clock: ManualClock
) -> None:
    clock.set(datetime(2028, 2, 28, 12, 30, tzinfo=UTC))
    add_schedule(scope, cron="0 */6 * * *", misfire=Misfire.SKIP)
    clock.set(datetime(2028, 2, 29, 13, tzinfo=UTC))
    scan(scope.store)
    assert [one.count for one in all_executions(scope.store)] == [4]

    _purge(scope, clock.now() + HOUR)

    assert schedule_named(scope.store).state.purged_until == datetime(2028, 2, 29, 12, tzinfo=UTC)
    run(scope.store, run_now(scope, RunNow("schedule")))
    _purge(scope, clock.now() + HOUR)
    assert schedule_named(scope.store).state.purged_until == datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert schedule_named(scope.store).state.last_success_at == clock.now()
