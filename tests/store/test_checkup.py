"""What the doctor reads: fire times nobody decided, what rests, what is stuck; on both databases."""

from datetime import timedelta

from sqlalchemy import update

from celsched.domain.execution import State
from celsched.domain.policy import Overlap
from celsched.operations import control
from celsched.operations.scope import Scope
from celsched.store import checkup, instances
from celsched.store.checkup import Some
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.store.tables import executions, states
from tests.support.actors import end, publish, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule
from tests.support.stores import START

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def test_a_fire_time_that_nobody_decided_is_overdue_until_somebody_does(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    for number in range(5):
        add_schedule(scope, f"گزارش {number}")
    assert store.read(lambda tx: checkup.overdue(tx, clock.now())) == Some()
    clock.advance(HOUR)
    found = store.read(lambda tx: checkup.overdue(tx, clock.now()))
    assert (found.count, len(found.first)) == (5, 3)
    assert found.first[0].startswith("گزارش")
    scan(store)
    assert store.read(lambda tx: checkup.overdue(tx, clock.now())) == Some()


def test_what_is_paused_or_deleted_is_neither_overdue_nor_at_rest(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, "paused")
    add_schedule(scope, "deleted")
    add_schedule(scope, "ended", at=START + MINUTE)
    control.pause(scope, ["paused"])
    control.delete_schedule(scope, "deleted")
    clock.advance(2 * MINUTE)
    scan(store)
    assert store.read(lambda tx: checkup.overdue(tx, clock.now() + HOUR)) == Some()
    assert [one.name for one in store.read(checkup.at_rest)] == ["ended"]


def test_an_execution_that_is_due_and_not_sent_is_found(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    assert store.read(lambda tx: checkup.unsent(tx, clock.now() - MINUTE)) == Some()
    clock.advance(2 * MINUTE)
    assert store.read(lambda tx: checkup.unsent(tx, clock.now() - MINUTE)) == Some(1, ("1",))
    publish(store)
    assert store.read(lambda tx: checkup.unsent(tx, clock.now() - MINUTE)) == Some()


def test_one_that_waits_is_stuck_only_where_nothing_is_active(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, overlap=Overlap.QUEUE_ONE)
    clock.advance(HOUR)
    scan(store)
    running = start(store, 1)
    clock.advance(HOUR)
    scan(store)
    clock.advance(HOUR)
    assert store.read(lambda tx: checkup.waiting_for_nothing(tx, clock.now())) == Some()
    # By hand, since celsched itself releases in the transaction that ends the other.
    store.write(lambda tx: tx.execute(update(executions).where(executions.c.id == 1).values(state="succeeded")))
    assert store.read(lambda tx: checkup.waiting_for_nothing(tx, clock.now())) == Some(1, ("2",))
    assert running.id == 1


def test_a_running_one_whose_worker_is_gone_is_found(scope: Scope, store: Store, clock: ManualClock) -> None:
    row = Instance("worker-1", "worker", "server", 1, "worker-1", "0", (), 4, 0, START, START + HOUR)
    store.write(lambda tx: instances.register(tx, row))
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    running = start(store, 1)
    assert store.read(lambda tx: checkup.without_worker(tx, clock.now() - MINUTE)) == Some()
    clock.advance(2 * MINUTE)
    assert store.read(lambda tx: checkup.without_worker(tx, clock.now() - MINUTE)) == Some(1, ("1",))
    end(store, running, State.SUCCEEDED)
    assert store.read(lambda tx: checkup.without_worker(tx, clock.now() - MINUTE)) == Some()


def test_a_schedule_that_should_wake_and_does_not_is_at_rest(scope: Scope, store: Store) -> None:
    add_schedule(scope)
    assert store.read(checkup.at_rest) == []
    store.write(lambda tx: tx.execute(update(states).values(wake_at=None, next_fire_time=None)))
    assert [one.name for one in store.read(checkup.at_rest)] == ["schedule"]
