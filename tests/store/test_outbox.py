"""T2, T3, T10: who may send what when, and that marking what was sent never undoes what a fast worker did."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from celsched.domain.execution import State
from celsched.domain.policy import Overlap, RetryPolicy
from celsched.operations import control
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import outbox
from celsched.store.outbox import BATCH
from celsched.store.store import Store
from celsched.store.tables import executions
from tests.support.actors import end, execution, mark_sent, publish, run, start, states, take
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, scope_of

SECOND = timedelta(seconds=1)


@pytest.fixture
def asked(scope: Scope) -> int:
    """One execution that is to be sent now; it is retried once, after 10 s."""
    add_task(scope, max_retries=1, retry=RetryPolicy(jitter=False), priority=7, queue_name="صف")
    return run_now(scope, RunNow("task"))


def _due(store: Store) -> bool:
    return store.read(lambda tx: outbox.any_due(tx, store.clock.now()))


def test_a_due_execution_is_taken_once_per_lease(store: Store, clock: ManualClock, asked: int) -> None:
    assert _due(store)
    (parcel,) = take(store)

    assert (parcel.execution_id, parcel.attempt, parcel.publishes) == (asked, 1, 1)
    assert (parcel.queue_name, parcel.priority, parcel.subject) == ("صف", 7, "task")
    assert parcel.task_id == f"celsched-x-{asked}.1.1" == execution(store, asked).celery_task_id
    assert not _due(store)
    assert take(store) == []
    assert execution(store, asked).state is State.PENDING


def test_sent_again_later_and_later_never_given_up_and_never_under_an_old_id(
    store: Store, clock: ManualClock, asked: int
) -> None:
    waits, ids = [], set()
    for _ in range(8):
        (parcel,) = take(store)
        mark_sent(store, [parcel])
        ids.add(parcel.task_id)
        waited = timedelta(0)
        while not _due(store):
            clock.advance(SECOND)
            waited += SECOND
        waits.append(waited // SECOND)

    assert waits == [30, 60, 120, 240, 300, 300, 300, 300]
    assert len(ids) == 8
    assert execution(store, asked).state is State.QUEUED


def test_nothing_is_sent_before_its_time(scope: Scope, clock: ManualClock, asked: int) -> None:
    run(scope.store, asked, State.FAILED)

    for _ in range(9):
        clock.advance(SECOND)
        assert take(scope.store) == []
    clock.advance(SECOND)
    (parcel,) = take(scope.store)

    assert (parcel.attempt, parcel.publishes, parcel.task_id) == (2, 1, f"celsched-x-{asked}.2.1")


@pytest.mark.parametrize("how", ["running", "succeeded", "cancelled"])
def test_what_is_started_or_over_is_not_sent(scope: Scope, asked: int, how: str) -> None:
    if how == "cancelled":
        control.cancel(scope, asked)
    else:
        running = start(scope.store, asked)
        if how == "succeeded":
            end(scope.store, running)

    assert take(scope.store) == []
    assert states(scope.store) == [how]


def test_the_mark_makes_it_queued(store: Store, clock: ManualClock, asked: int) -> None:
    parcels = take(store)
    clock.advance(SECOND)
    mark_sent(store, parcels)

    found = execution(store, asked)
    assert (found.state, found.queued_at) == (State.QUEUED, clock.now())


@pytest.mark.parametrize("outcome", [None, State.SUCCEEDED, State.FAILED])
def test_the_mark_never_undoes_what_a_fast_worker_did(store: Store, asked: int, outcome: State | None) -> None:
    parcels = take(store)
    running = start(store, asked)
    if outcome is not None:
        end(store, running, outcome)
    before = execution(store, asked)

    mark_sent(store, parcels)

    assert execution(store, asked) == before
    assert (
        before.state is {None: State.RUNNING, State.SUCCEEDED: State.SUCCEEDED, State.FAILED: State.RETRYING}[outcome]
    )


def test_the_mark_of_an_old_attempt_leaves_the_new_one_alone(store: Store, clock: ManualClock, asked: int) -> None:
    old = take(store)
    run(store, asked, State.FAILED)
    clock.advance(10 * SECOND)

    mark_sent(store, old)

    assert execution(store, asked).state is State.RETRYING
    assert [parcel.attempt for parcel in take(store)] == [2]


@pytest.mark.parametrize("sent", [True, False])
def test_a_row_that_somebody_holds_is_left_and_not_waited_for(
    postgres_store: Store, clock: ManualClock, *, sent: bool
) -> None:
    scope = scope_of(postgres_store)
    add_task(scope)
    held, free = run_now(scope, RunNow("task")), run_now(scope, RunNow("task"))
    parcels = take(postgres_store)
    before = execution(postgres_store, held)
    with postgres_store.engine.begin() as other:
        other.execute(select(executions.c.id).where(executions.c.id == held).with_for_update())
        if sent:
            mark_sent(postgres_store, parcels)
        else:
            postgres_store.write(lambda tx: outbox.put_back(tx, parcels, clock.now()))

    assert execution(postgres_store, held) == before
    if sent:
        assert execution(postgres_store, free).state is State.QUEUED
    else:
        assert [parcel.execution_id for parcel in take(postgres_store)] == [free]


def test_what_was_not_sent_is_due_again_when_said_and_under_a_new_id(
    store: Store, clock: ManualClock, asked: int
) -> None:
    parcels = take(store)
    store.write(lambda tx: outbox.put_back(tx, parcels, clock.now() + 5 * SECOND))

    assert take(store) == []
    clock.advance(5 * SECOND)
    (again,) = take(store)
    assert again.publishes == 2
    store.write(lambda tx: outbox.put_back(tx, parcels, clock.now()))  # of the first lease: too late
    assert take(store) == []


def test_a_lease_of_a_clock_that_was_set_back_counts_as_due(store: Store, clock: ManualClock, asked: int) -> None:
    clock.advance(timedelta(hours=1))
    take(store)
    clock.set(clock.now() - timedelta(hours=1))

    assert [parcel.execution_id for parcel in take(store)] == [asked]


def test_a_row_of_a_clock_that_was_set_back_does_not_wait_for_it(scope: Scope, clock: ManualClock) -> None:
    clock.advance(timedelta(hours=1))
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    clock.set(clock.now() - timedelta(hours=1))

    assert [parcel.execution_id for parcel in take(scope.store)] == [asked]


@pytest.mark.parametrize("how", ["retry", "release"])
def test_what_a_clock_wrote_into_an_old_row_before_it_was_set_back_does_not_wait_for_it(
    scope: Scope, clock: ManualClock, how: str
) -> None:
    """Neither a retry whose attempt began before the clock was wrong, nor one that was released by a wrong clock."""
    store = scope.store
    add_schedule(scope, max_retries=1, retry=RetryPolicy(jitter=False))
    running = start(store, run_now(scope, RunNow("schedule")))
    asked = running.id
    if how == "release":
        asked = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    clock.advance(timedelta(hours=1))
    end(store, running, State.FAILED if how == "retry" else State.SUCCEEDED)
    clock.set(clock.now() - timedelta(hours=1))

    assert publish(store) == [asked]
    clock.advance(31 * SECOND)
    assert publish(store) == [asked], "its message was lost: it is sent again"


def test_a_batch_takes_the_longest_due_first_and_no_more_than_fits(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    first = run_now(scope, RunNow("task"))
    clock.advance(SECOND)
    rest = [run_now(scope, RunNow("task")) for _ in range(BATCH)]

    taken = [parcel.execution_id for parcel in take(scope.store)]

    assert taken == [first, *rest[:-1]]
    assert publish(scope.store) == rest[-1:]


def test_what_waits_is_not_sent(scope: Scope) -> None:
    add_schedule(scope)
    first = run_now(scope, RunNow("schedule"))
    run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))

    assert publish(scope.store) == [first]


def test_two_publishers_at_once_take_different_rows(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    add_task(scope)
    wanted = [run_now(scope, RunNow("task")) for _ in range(120)]
    taken: list[int] = []
    gate = threading.Barrier(3)

    def publisher() -> None:
        gate.wait(10)
        while parcels := take(postgres_store):
            taken.extend(parcel.execution_id for parcel in parcels)

    threads = [threading.Thread(target=publisher) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(taken) == wanted
