"""T6, T8, T9: how an attempt ends, what follows it, the streaks, and that repeating or fencing changes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from celsched.domain.execution import Execution, State
from celsched.domain.policy import Overlap, RetryPolicy
from celsched.operations import control
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import claims, executions
from celsched.store.endings import Ending, finish
from celsched.store.store import Store
from celsched.store.tables import executions as table
from celsched.store.tables import schedules
from tests.support.actors import end, execution, publish, run, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, schedule_named

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def _asked(scope: Scope, **options: Any) -> int:
    add_task(scope, **{"retry": RetryPolicy(jitter=False), "max_retries": 2, **options})
    return run_now(scope, RunNow("task"))


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (State.SUCCEEDED, State.SUCCEEDED),
        (State.FAILED, State.RETRYING),
        (State.TIMED_OUT, State.RETRYING),
        (State.LOST, State.LOST),
        (State.CANCELLED, State.CANCELLED),
    ],
)
def test_an_ending_is_recorded_in_the_execution_and_its_attempt(
    scope: Scope, clock: ManualClock, outcome: State, after: State
) -> None:
    running = start(scope.store, _asked(scope))
    clock.advance(3 * SECOND)
    values: dict[str, Any] = {
        "error": "خطا",
        "error_type": "E",
        "traceback": "...",
        "cpu_seconds": 1.5,
        "peak_memory_bytes": 2**33,
    }

    ended = end(scope.store, running, outcome, result={"شمار": 3}, **values)

    assert ended is not None
    assert (ended.execution_id, ended.state, ended.attempt, ended.subject) == (running.id, after, 1, "task")
    found = execution(scope.store, running.id)
    assert (found.state, found.error) == (after, "E: خطا")
    (attempt,) = scope.store.read(lambda tx: executions.attempts_of(tx, running.id))
    assert (attempt.state, attempt.finished_at) == (outcome, clock.now())
    assert {name: getattr(attempt, name) for name in values} == values
    if after is State.RETRYING:
        assert ended.next_attempt_at == found.dispatch_at == clock.now() + 10 * SECOND
        assert (found.attempt, found.finished_at, found.publishes) == (2, None, 0)
    else:
        assert (found.finished_at, found.result, found.duration) == (clock.now(), {"شمار": 3}, 3 * SECOND)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("bad", "E: bad"), ("E", "E"), ("E: bad", "E: bad"), ("Eh: bad", "E: Eh: bad"), ("", "E"), (None, "E")],
)
def test_what_is_kept_of_an_exception_names_it_once(scope: Scope, said: str | None, kept: str) -> None:
    running = start(scope.store, _asked(scope, max_retries=0))
    end(scope.store, running, State.FAILED, error=said, error_type="E", traceback="...")
    assert execution(scope.store, running.id).error == kept


def test_retries_back_off_and_end(scope: Scope, clock: ManualClock) -> None:
    asked = _asked(scope)
    delays = []
    for attempt in (1, 2, 3):
        ended = run(scope.store, asked, State.FAILED, attempt=attempt)
        assert ended is not None
        if ended.next_attempt_at:
            delays.append((ended.next_attempt_at - clock.now()) // SECOND)
            clock.set(ended.next_attempt_at)

    found = execution(scope.store, asked)
    assert delays == [10, 20]
    assert (found.state, found.attempt, found.failures) == (State.FAILED, 3, 3)
    attempts = scope.store.read(lambda tx: executions.attempts_of(tx, asked))
    assert [(one.attempt, one.state) for one in attempts] == [(n, State.FAILED) for n in (1, 2, 3)]


def test_losses_have_a_budget_of_their_own(scope: Scope, clock: ManualClock) -> None:
    asked = _asked(scope, max_retries=0, retry_on_lost=1)

    first = run(scope.store, asked, State.LOST)
    clock.advance(60 * SECOND)
    second = run(scope.store, asked, State.LOST, attempt=2)

    assert first is not None
    assert second is not None
    assert (first.state, second.state) == (State.RETRYING, State.LOST)
    assert execution(scope.store, asked).losses == 2


def test_an_ending_may_forbid_a_retry(scope: Scope) -> None:
    running = start(scope.store, _asked(scope))

    ended = end(scope.store, running, State.FAILED, retryable=False)

    assert ended is not None
    assert (ended.state, ended.next_attempt_at) == (State.FAILED, None)


@pytest.mark.parametrize("outcome", [State.SUCCEEDED, State.FAILED])
@pytest.mark.parametrize("published", [False, True])
def test_repeating_an_ending_whose_reply_was_lost_says_what_the_first_one_did(
    scope: Scope, clock: ManualClock, outcome: State, published: bool
) -> None:
    running = start(scope.store, _asked(scope))
    first = end(scope.store, running, outcome)
    clock.advance(60 * SECOND)
    if published:
        publish(scope.store)
    before = execution(scope.store, running.id)

    assert end(scope.store, running, outcome) == first
    assert execution(scope.store, running.id) == before


def test_whoever_was_replaced_is_fenced(scope: Scope, clock: ManualClock) -> None:
    asked = _asked(scope, retry_on_lost=1)
    first = start(scope.store, asked)
    end(scope.store, first, State.LOST)
    clock.advance(60 * SECOND)
    second = start(scope.store, asked, 2)

    assert end(scope.store, first, State.SUCCEEDED, result="old") is None
    assert execution(scope.store, asked) == second
    ended = end(scope.store, second)
    assert ended is not None
    assert ended.state is State.SUCCEEDED


def _lose(store: Store, running: Execution, heartbeat: int) -> State | None:
    token, now = str(running.claim_token), store.clock.now()
    found = store.write(lambda tx: finish(tx, token, Ending(State.LOST), now, chance=0, heartbeat=heartbeat))
    return found.state if found else None


def test_an_observer_loses_it_only_if_no_beat_came_since_it_looked(scope: Scope) -> None:
    running = start(scope.store, _asked(scope))
    scope.store.write(lambda tx: claims.beat(tx, "worker-1"))

    assert _lose(scope.store, running, 0) is None
    assert execution(scope.store, running.id).state is State.RUNNING
    assert _lose(scope.store, running, 1) is State.LOST


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (State.FAILED, State.CANCELLED),
        (State.TIMED_OUT, State.CANCELLED),
        (State.LOST, State.CANCELLED),
        (State.CANCELLED, State.CANCELLED),
        # It came to its end before anybody could stop it.
        (State.SUCCEEDED, State.SUCCEEDED),
    ],
)
def test_with_the_cancel_flag_nothing_is_retried_or_lost(scope: Scope, outcome: State, after: State) -> None:
    running = start(scope.store, _asked(scope, retry_on_lost=5))
    control.cancel(scope, running.id)

    ended = end(scope.store, running, outcome, reason="worker_shutdown")

    assert ended is not None
    assert (ended.state, ended.next_attempt_at) == (after, None)
    assert execution(scope.store, running.id).reason == (
        "cancelled_by_user" if after is State.CANCELLED else "worker_shutdown"
    )


def test_streaks_count_final_ends_only(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, max_retries=1, retry=RetryPolicy(timedelta(0)))

    def streaks() -> tuple[int, int]:
        state = schedule_named(scope.store).state
        return state.success_streak, state.failure_streak

    def once(*outcomes: State) -> tuple[int, int]:
        asked = run_now(scope, RunNow("schedule"))
        for attempt, outcome in enumerate(outcomes, 1):
            run(scope.store, asked, outcome, attempt=attempt)
        return streaks()

    assert once(State.SUCCEEDED) == (1, 0)
    assert once(State.FAILED, State.SUCCEEDED) == (2, 0)
    assert schedule_named(scope.store).state.last_failure_at is None
    clock.advance(SECOND)
    assert once(State.FAILED, State.FAILED) == (0, 1)
    assert once(State.LOST) == (0, 2)
    assert once(State.CANCELLED) == (0, 2)
    state = schedule_named(scope.store).state
    assert (state.last_success_at, state.last_failure_at) == (clock.now() - SECOND, clock.now())
    assert once(State.SUCCEEDED) == (1, 0)


@pytest.mark.parametrize(
    ("outcome", "column"), [(State.SUCCEEDED, "last_success_at"), (State.FAILED, "last_failure_at")]
)
def test_an_end_recorded_late_does_not_move_the_last_one_back(
    scope: Scope, clock: ManualClock, outcome: State, column: str
) -> None:
    add_schedule(scope, max_retries=0)
    begun = clock.now()
    late = start(scope.store, run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW)))
    later = start(scope.store, run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW)))
    clock.advance(HOUR)
    end(scope.store, later, outcome)
    clock.advance(HOUR)
    end(scope.store, late, outcome, ended_at=begun + MINUTE)

    assert getattr(schedule_named(scope.store).state, column) == begun + HOUR
    assert execution(scope.store, late.id).finished_at == begun + MINUTE


def test_an_end_recorded_late_is_the_last_one_where_none_was_later(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    begun = clock.now()
    run(scope.store, run_now(scope, RunNow("schedule")))
    late = start(scope.store, run_now(scope, RunNow("schedule")))
    clock.advance(HOUR)
    end(scope.store, late, ended_at=begun + MINUTE)
    assert schedule_named(scope.store).state.last_success_at == begun + MINUTE


def test_a_success_from_before_the_clock_was_set_back_is_not_the_last_for_ever(
    scope: Scope, clock: ManualClock
) -> None:
    add_schedule(scope)
    run(scope.store, run_now(scope, RunNow("schedule")))
    clock.set(clock.now() - HOUR)
    run(scope.store, run_now(scope, RunNow("schedule")))
    assert schedule_named(scope.store).state.last_success_at == clock.now()


def test_what_follows_from_an_end_recorded_late_begins_when_it_is_recorded(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, max_retries=0, pause_after_failures=1)
    begun = clock.now()
    running = start(scope.store, run_now(scope, RunNow("schedule")))
    ask = RunNow("schedule", overlap=Overlap.QUEUE_ONE)
    waits = run_now(scope, ask)
    scope.store.write(
        lambda tx: tx.execute(update(table).where(table.c.id == waits).values(start_deadline=10 * MINUTE))
    )
    clock.advance(HOUR)
    end(scope.store, running, State.FAILED, ended_at=begun + MINUTE)

    released = execution(scope.store, waits)
    assert (released.waits, released.dispatch_at) == (False, clock.now()), "its start deadline counts from here"
    assert schedule_named(scope.store).state.paused_at == clock.now()


def test_failures_in_a_row_pause_the_schedule(scope: Scope) -> None:
    add_schedule(scope, max_retries=0, pause_after_failures=2)

    ends = [run(scope.store, run_now(scope, RunNow("schedule")), State.FAILED) for _ in range(3)]

    assert [one.schedule_paused for one in ends if one] == [False, True, False]
    state = schedule_named(scope.store).state
    assert state.paused
    assert (state.pause_reason, state.paused_by) == ("2 failures in a row (pause_after_failures)", "celsched")
    assert (state.next_fire_time, state.wake_at, state.paused_until) == (None, None, None)
    control.resume(scope, ["schedule"])
    assert schedule_named(scope.store).state.failure_streak == 0


@pytest.mark.parametrize("options", [{"timezone": "Mars/Olympus"}, {"of_a_newer_version": 1}])
def test_an_end_is_recorded_although_the_schedules_definition_cannot_be_read(
    scope: Scope, options: dict[str, Any]
) -> None:
    add_schedule(scope, max_retries=0, pause_after_failures=1)
    running = start(scope.store, run_now(scope, RunNow("schedule")))
    scope.store.write(lambda tx: tx.execute(update(schedules).values(options=options)))

    ended = end(scope.store, running, State.FAILED)

    assert ended is not None
    assert (ended.state, ended.schedule_paused) == (State.FAILED, False)
    assert execution(scope.store, running.id).state is State.FAILED
