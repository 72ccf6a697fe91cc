"""T4, T5, T12: one claim per attempt, whatever messages say; refusals; heartbeats; giving way to one that runs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from celsched.domain.execution import Execution, State
from celsched.domain.policy import Overlap, RetryPolicy
from celsched.operations import control
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import claims, executions, tables
from celsched.store.claims import Refusal
from celsched.store.store import Store
from tests.support.actors import claimant, end, execution, publish, run, scan, start, states, try_claim
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def asked(scope: Scope) -> int:
    """One execution of a task that is retried once, after 10 s, and expires when not started within a minute."""
    add_task(scope, max_retries=1, retry=RetryPolicy(jitter=False), start_deadline=MINUTE)
    return run_now(scope, RunNow("task"))


def test_a_claim_says_who_runs_it_and_makes_an_attempt(store: Store, clock: ManualClock, asked: int) -> None:
    clock.advance(SECOND)
    by = claimant("کارگر")

    got = try_claim(store, asked, by=by)

    assert isinstance(got, Execution)
    assert got == execution(store, asked)
    assert (got.state, got.claim_token, got.worker, got.host, got.pid) == (
        State.RUNNING,
        by.token,
        "کارگر",
        "server",
        4711,
    )
    assert (got.heartbeat, got.started_at, got.attempt_started_at) == (0, clock.now(), clock.now())
    assert got.lateness == SECOND
    (attempt,) = store.read(lambda tx: executions.attempts_of(tx, asked))
    assert (attempt.attempt, attempt.state, attempt.worker, attempt.started_at) == (
        1,
        State.RUNNING,
        "کارگر",
        clock.now(),
    )


@pytest.mark.parametrize("published", [False, True])
def test_pending_and_queued_can_be_claimed(store: Store, asked: int, published: bool) -> None:
    if published:
        publish(store)

    assert start(store, asked).state is State.RUNNING


def test_a_second_claim_is_refused_also_after_the_end(store: Store, asked: int) -> None:
    running = start(store, asked)

    assert try_claim(store, asked) is Refusal.TAKEN
    end(store, running)
    assert try_claim(store, asked) is Refusal.TAKEN
    assert len(store.read(lambda tx: executions.attempts_of(tx, asked))) == 1


def test_repeating_a_claim_whose_reply_was_lost_finds_it_granted(store: Store, asked: int) -> None:
    by = claimant()
    first = try_claim(store, asked, by=by)

    assert try_claim(store, asked, by=by) == first
    assert store.read(lambda tx: claims.claimed_by(tx, by.token)) == first
    assert store.read(lambda tx: claims.claimed_by(tx, "other")) is None


def test_an_unknown_execution_is_gone(store: Store) -> None:
    assert try_claim(store, 4_000_000) is Refusal.GONE


@pytest.mark.parametrize("attempt", [1, 3])
def test_only_the_attempt_that_is_due_can_be_claimed(
    store: Store, clock: ManualClock, asked: int, attempt: int
) -> None:
    run(store, asked, State.FAILED)

    assert try_claim(store, asked, attempt) is Refusal.STALE
    clock.advance(10 * SECOND)
    second = start(store, asked, 2)
    assert (second.attempt, second.started_at) == (2, clock.now() - 10 * SECOND)
    assert second.attempt_started_at == clock.now()


@pytest.mark.parametrize(("late", "expected"), [(MINUTE - SECOND, None), (MINUTE, Refusal.EXPIRED)])
def test_past_its_start_deadline_the_first_attempt_is_refused(
    store: Store, clock: ManualClock, asked: int, late: timedelta, expected: Refusal | None
) -> None:
    clock.advance(late)

    found = try_claim(store, asked)

    assert (found if isinstance(found, Refusal) else None) is expected


def test_the_start_deadline_is_none_of_later_attempts(store: Store, clock: ManualClock, asked: int) -> None:
    run(store, asked, State.FAILED)
    clock.advance(60 * MINUTE)

    assert start(store, asked, 2).attempt == 2


def test_a_message_that_is_not_ours_may_not_come_before_its_time(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, cron="* * * * *", jitter=20 * SECOND)
    clock.set(clock.now().replace(minute=1, second=0))
    scan(scope.store)
    (made,) = scope.store.read(lambda tx: executions.listing(tx, executions.Filter(), 5))
    assert made.dispatch_at > clock.now()

    assert try_claim(scope.store, made.id, only_due=True) is Refusal.NOT_DUE
    clock.set(made.dispatch_at)
    assert isinstance(try_claim(scope.store, made.id, only_due=True), Execution)


def test_a_cancelled_one_is_refused(scope: Scope, asked: int) -> None:
    control.cancel(scope, asked)

    assert try_claim(scope.store, asked) is Refusal.TAKEN
    assert states(scope.store) == ["cancelled"]


def test_a_waiting_one_is_refused(scope: Scope) -> None:
    add_schedule(scope)
    run_now(scope, RunNow("schedule"))
    waiting = run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))

    assert try_claim(scope.store, waiting) is Refusal.TAKEN
    assert states(scope.store) == ["pending", "pending waits"]


@pytest.mark.parametrize("overlap", list(Overlap))
def test_a_claim_gives_way_to_a_running_execution_of_the_schedule(scope: Scope, overlap: Overlap) -> None:
    add_schedule(scope, overlap=overlap, max_retries=1)
    # Two rows of one schedule that do not wait: `allow` lets the second in, whatever the schedule says.
    first = run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
    second = run_now(scope, RunNow("schedule")) if overlap is Overlap.ALLOW else _unblocked(scope, overlap)
    publish(scope.store)
    running = start(scope.store, first)

    found = try_claim(scope.store, second)

    if overlap is Overlap.ALLOW:
        assert isinstance(found, Execution)
        return
    assert found is Refusal.BLOCKED
    put_back = execution(scope.store, second)
    assert (put_back.state, put_back.waits, put_back.publishes) == (State.PENDING, True, 1)
    end(scope.store, running)
    again = execution(scope.store, second)
    assert (again.waits, again.publishes) == (False, 1)
    assert start(scope.store, second).state is State.RUNNING


def _unblocked(scope: Scope, overlap: Overlap) -> int:
    """Record an execution of this overlap beside an active one that is not running yet."""
    allowed = run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
    # What two daemons could do before T4 was there: the row is not waiting although another is active.
    exclusive = update(tables.executions).where(tables.executions.c.id == allowed).values(overlap=overlap.value)
    scope.store.write(lambda tx: tx.execute(exclusive).rowcount)
    return allowed


def test_a_later_attempt_that_gives_way_goes_back_to_retrying(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, max_retries=3, retry=RetryPolicy(jitter=False))
    first = run_now(scope, RunNow("schedule"))
    run(scope.store, first, State.FAILED)
    clock.advance(10 * SECOND)
    other = run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
    running = start(scope.store, other)
    publish(scope.store)

    assert try_claim(scope.store, first, 2) is Refusal.BLOCKED
    found = execution(scope.store, first)
    assert (found.state, found.waits, found.attempt) == (State.RETRYING, True, 2)
    end(scope.store, running)
    assert start(scope.store, first, 2).attempt == 2


def test_one_that_gave_way_has_its_start_deadline_anew(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, start_deadline=MINUTE)
    first = run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
    second = _unblocked(scope, Overlap.SKIP)
    running = start(scope.store, first)
    try_claim(scope.store, second)
    clock.advance(10 * MINUTE)

    end(scope.store, running)

    found = execution(scope.store, second)
    assert (found.dispatch_at, found.deadline) == (clock.now(), clock.now() + MINUTE)
    assert isinstance(try_claim(scope.store, second), Execution)


def test_one_beat_is_for_all_of_a_worker_and_only_what_runs(scope: Scope) -> None:
    add_task(scope)
    ids = [run_now(scope, RunNow("task")) for _ in range(4)]
    one, two, others, over = (start(scope.store, found, worker=name) for found, name in zip(ids, "aaba", strict=True))
    end(scope.store, over)

    held = scope.store.write(lambda tx: claims.beat(tx, "a"))
    scope.store.write(lambda tx: claims.beat(tx, "a"))

    assert sorted((one.execution_id, one.token, one.attempt, one.pid) for one in held) == [
        (running.id, running.claim_token, 1, 4711) for running in (one, two)
    ]
    assert [execution(scope.store, found).heartbeat for found in ids] == [2, 2, 0, 0]
    assert others.worker == "b"


def test_a_beat_tells_what_is_to_be_stopped(scope: Scope, asked: int) -> None:
    start(scope.store, asked)
    control.cancel(scope, asked)

    (held,) = scope.store.write(lambda tx: claims.beat(tx, "worker-1"))
    assert held.cancel_requested
    assert scope.store.read(lambda tx: claims.stop_requests(tx, "worker-1")) == [held]
    assert scope.store.read(lambda tx: claims.stop_requests(tx, "worker-2")) == []


def test_progress_is_kept_for_the_claim_that_runs_and_for_no_other(
    store: Store, clock: ManualClock, asked: int
) -> None:
    running = start(store, asked)

    def report(token: str, done: float, message: str | None) -> None:
        store.write(lambda tx: claims.report_progress(tx, token, done, 10, message))

    report(str(running.claim_token), 3, "سه از ده")
    report("somebody else", 9, None)

    found = execution(store, asked)
    assert found == replace(running, progress_done=3, progress_total=10, progress_message="سه از ده")
    end(store, running, State.FAILED)
    clock.advance(10 * SECOND)
    assert start(store, asked, 2).progress_done is None


def test_a_milder_wish_to_stop_takes_back_no_stronger_one(scope: Scope, asked: int) -> None:
    start(scope.store, asked)
    for force in (False, True, False):
        control.cancel(scope, asked, force=force)

    (held,) = scope.store.read(lambda tx: claims.stop_requests(tx, "worker-1"))
    assert (held.cancel_requested, held.cancel_force) == (True, True)
