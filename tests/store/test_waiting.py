"""Who waits for whom, who goes first, and T7 and T11: cancelling and expiring what has not started lets others go."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from celsched.domain.execution import State
from celsched.domain.policy import Misfire, Overlap
from celsched.operations import control
from celsched.operations.control import Cancelled
from celsched.operations.requests import Backfill, RunNow, backfill, run_now
from celsched.operations.scope import Scope
from celsched.store import recovery, transitions
from celsched.store.store import Store
from celsched.store.tables import executions
from tests.support.actors import all_executions, end, execution, publish, run, scan, start, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task
from tests.support.stores import START

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def _chain(scope: Scope, hours: int, *, overlap: Overlap | None = None) -> list[int]:
    """Record a backfill of the last full hours."""
    wish = Backfill("schedule", scope.now() - hours * HOUR, scope.now(), overlap=overlap, every=True)
    return list(backfill(scope, wish).executions)


def _go(store: Store) -> int:
    """Run the one execution that does not wait; return its id."""
    (free,) = [one for one in all_executions(store) if one.state is State.PENDING and not one.waits]
    run(store, free.id)
    return free.id


def test_a_chain_runs_one_at_a_time_in_the_order_of_its_fire_times(scope: Scope) -> None:
    add_schedule(scope)
    chain = _chain(scope, 4)

    assert states(scope.store) == ["pending", *["pending waits"] * 3]
    assert [_go(scope.store) for _ in chain] == chain
    assert states(scope.store) == ["succeeded"] * 4


def test_ordinary_rows_go_before_chain_rows_and_the_smallest_id_first(scope: Scope) -> None:
    add_schedule(scope)
    chain = _chain(scope, 3)
    ordinary = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))

    order = [_go(scope.store) for _ in range(4)]

    assert order == [chain[0], ordinary, *chain[1:]]


def test_chains_under_allow_wait_only_for_themselves(scope: Scope) -> None:
    add_schedule(scope, overlap=Overlap.ALLOW)
    running = start(scope.store, run_now(scope, RunNow("schedule")))
    one, two = _chain(scope, 2), _chain(scope, 3)

    assert states(scope.store) == ["running", "pending", "pending waits", "pending", "pending waits", "pending waits"]
    run(scope.store, one[0])
    assert not execution(scope.store, one[1]).waits
    assert execution(scope.store, two[1]).waits
    end(scope.store, running)
    assert execution(scope.store, two[1]).waits


@pytest.mark.parametrize("outcome", [State.SUCCEEDED, State.FAILED, State.LOST, State.CANCELLED])
def test_any_end_lets_the_waiting_one_go_and_a_retry_does_not(scope: Scope, outcome: State) -> None:
    add_schedule(scope, max_retries=1)
    first = run_now(scope, RunNow("schedule"))
    waiting = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))

    run(scope.store, first, outcome)

    still = outcome is State.FAILED
    assert execution(scope.store, waiting).waits is still


def test_a_released_one_is_due_now_but_never_before_its_jittered_time(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, overlap=Overlap.QUEUE_ONE, jitter=29 * MINUTE, start_deadline=MINUTE)
    first = run_now(scope, RunNow("schedule"))
    clock.set(START.replace(hour=13, minute=0, second=0))
    scan(scope.store)
    waiting = all_executions(scope.store)[1]
    assert waiting.waits
    assert waiting.due_at > clock.now()

    control.cancel(scope, first)

    early = execution(scope.store, waiting.id)
    assert (early.waits, early.dispatch_at, early.deadline) == (False, waiting.due_at, waiting.due_at + MINUTE)


def test_the_start_deadline_of_one_that_waited_counts_from_its_release(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, start_deadline=MINUTE)
    first = run_now(scope, RunNow("schedule"))
    waiting = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    running = start(scope.store, first)
    clock.advance(HOUR)

    assert scope.store.read(lambda tx: transitions.expire(tx, clock.now(), 10)) == []
    end(scope.store, running)

    released = execution(scope.store, waiting)
    assert (released.dispatch_at, released.deadline) == (clock.now(), clock.now() + MINUTE)
    assert publish(scope.store) == [waiting]


def test_a_missed_release_is_found_and_repaired(scope: Scope) -> None:
    schedule = add_schedule(scope)
    add_schedule(scope, "other", overlap=Overlap.ALLOW)
    chain = _chain(scope, 2)
    keep = [run_now(scope, RunNow("other"))]
    keep += backfill(scope, Backfill("other", scope.now() - 2 * HOUR, scope.now())).executions
    assert scope.store.read(recovery.forgotten_waits) == []
    # Somebody ends the blocking rows without letting the waiting ones go.
    gone = update(executions).where(executions.c.id.in_([chain[0], keep[1]])).values(state=State.LOST)
    scope.store.write(lambda tx: tx.execute(gone).rowcount)

    found = sorted(scope.store.read(recovery.forgotten_waits))

    other = execution(scope.store, keep[0]).schedule_id
    assert other is not None
    assert found == sorted([schedule.id, other])
    repaired = [
        scope.store.write(lambda tx: recovery.repair_waits(tx, schedule.id, scope.now())),
        scope.store.write(lambda tx: recovery.repair_waits(tx, other, scope.now())),
        scope.store.write(lambda tx: recovery.repair_waits(tx, other, scope.now())),
    ]
    assert repaired == [1, 1, 0]
    assert not execution(scope.store, chain[1]).waits
    assert not execution(scope.store, keep[2]).waits


@pytest.mark.parametrize("how", ["pending", "queued", "retrying", "waits"])
def test_cancelling_what_has_not_started_is_certain(scope: Scope, clock: ManualClock, how: str) -> None:
    add_schedule(scope, max_retries=1)
    asked = run_now(scope, RunNow("schedule"))
    behind = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    target = behind if how == "waits" else asked
    if how == "queued":
        publish(scope.store)
    if how == "retrying":
        run(scope.store, asked, State.FAILED)

    result = control.cancel(scope, target)

    assert result.outcome is Cancelled.BEFORE_START
    assert (result.execution.state, result.execution.reason) == (State.CANCELLED, "cancelled_by_user")
    assert (result.execution.finished_at, result.execution.waits) == (clock.now(), False)
    assert execution(scope.store, behind).waits is False


def test_cancelling_a_running_one_asks_and_an_ended_one_is_over(scope: Scope) -> None:
    add_task(scope)
    running = start(scope.store, run_now(scope, RunNow("task")))

    asked = control.cancel(scope, running.id)
    end(scope.store, running, State.CANCELLED)
    over = control.cancel(scope, running.id)

    assert (asked.outcome, asked.execution.state, asked.execution.cancel_requested) == (
        Cancelled.ASKED,
        State.RUNNING,
        True,
    )
    assert (over.outcome, over.execution.state) == (Cancelled.ALREADY_OVER, State.CANCELLED)


@pytest.mark.parametrize("published", [False, True])
def test_past_its_start_deadline_an_unstarted_one_expires_and_lets_others_go(
    scope: Scope, clock: ManualClock, published: bool
) -> None:
    schedule = add_schedule(scope, start_deadline=MINUTE)
    asked = run_now(scope, RunNow("schedule"))
    behind = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    if published:
        publish(scope.store)
    clock.advance(MINUTE - timedelta(microseconds=1))
    store = scope.store
    assert store.read(lambda tx: transitions.expire(tx, clock.now(), 10)) == []
    clock.advance(timedelta(microseconds=1))

    assert store.read(lambda tx: transitions.expire(tx, clock.now(), 10)) == [(asked, schedule.id)]
    done = [store.write(lambda tx: transitions.expire_one(tx, asked, schedule.id, clock.now())) for _ in range(2)]

    assert done == [True, False]
    assert (execution(store, asked).state, execution(store, asked).reason) == (State.EXPIRED, "start_deadline")
    assert not execution(store, behind).waits


def test_neither_a_running_one_nor_a_later_attempt_expires(scope: Scope, clock: ManualClock) -> None:
    add_task(scope, start_deadline=MINUTE, max_retries=1)
    running, again = run_now(scope, RunNow("task")), run_now(scope, RunNow("task"))
    start(scope.store, running)
    run(scope.store, again, State.FAILED)
    clock.advance(HOUR)

    assert scope.store.read(lambda tx: transitions.expire(tx, clock.now(), 10)) == []
    assert not scope.store.write(lambda tx: transitions.expire_one(tx, running, None, clock.now()))


def test_cancel_running_leaves_a_chain_alone(scope: Scope) -> None:
    add_schedule(scope, overlap=Overlap.CANCEL_RUNNING)
    ordinary = run_now(scope, RunNow("schedule"))
    chain = _chain(scope, 2)

    newest = run_now(scope, RunNow("schedule"))

    assert execution(scope.store, ordinary).state is State.CANCELLED
    assert [execution(scope.store, one).state for one in chain] == [State.PENDING] * 2
    assert not execution(scope.store, newest).waits


def test_rows_of_run_all_are_never_skipped_by_overlap(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, misfire=Misfire.RUN_ALL)
    running = start(scope.store, run_now(scope, RunNow("schedule")))
    clock.set(START.replace(hour=15, minute=30))

    scan(scope.store)

    assert states(scope.store) == ["running", *["pending waits"] * 3]
    end(scope.store, running)
    fired = [execution(scope.store, _go(scope.store)).fire_time for _ in range(3)]
    assert fired == [START.replace(hour=hour, minute=0, second=0) for hour in (13, 14, 15)]
