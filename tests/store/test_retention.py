"""The purge removes old ended rows with all that hangs on them, a bounded number at a time, and nothing that lives."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from celsched.domain.execution import LogLine, State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.policy import Misfire, RetryPolicy
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import executions, logs, retention
from celsched.store.retention import Purged
from celsched.store.store import Store
from celsched.store.tables_watch import alerts
from tests.store.messages import find, settle
from tests.support.actors import all_executions, publish, run, scan, start, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, schedule_named

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
