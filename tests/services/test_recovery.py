"""What heals the ledger: only silence that was really watched counts, deadlines pass, missed releases are repaired."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from celsched.dispatcher import recover
from celsched.dispatcher.recover import Recovery
from celsched.dispatcher.silence import SilenceWatch, Silent
from celsched.domain.execution import State
from celsched.domain.policy import Overlap, RetryPolicy
from celsched.errors import StoreFull
from celsched.operations import control
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import claims, endings
from celsched.store.endings import Ended
from celsched.store.recovery import Running
from celsched.store.store import Store, Tx
from celsched.store.tables import executions
from tests.support.actors import execution, run, start, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LEASE, PERIOD = 60 * SECOND, 10 * SECOND


def _seen(heartbeat: int, token: str = "a") -> Running:
    return Running(1, token, heartbeat, "task", "worker-1")


@pytest.mark.parametrize(
    ("looks", "silent_at"),
    [
        # (second of the look, heartbeat seen) ...; the look at which it is silent for a lease of 60 s, periods of 10 s
        ([(s, 0) for s in range(0, 80, 10)], 60),
        ([(s, s // 10) for s in range(0, 200, 10)], None),
        # One beat in between starts the silence anew.
        ([*((s, 0) for s in range(0, 60, 10)), *((s, 1) for s in range(60, 140, 10))], 120),
        # An outage of an hour between two looks counts as two periods at most.
        ([(0, 0), (3600, 0), (3610, 0), (3620, 0), (3630, 0), (3640, 0)], 3640),
        ([(0, 0), (3600, 0), (3610, 0), (3620, 0), (3630, 1)], None),
        # Time that goes back counts as none.
        ([(50, 0), (40, 0), (50, 0), (60, 0), (70, 0), (80, 0), (90, 0), (100, 0)], 100),
    ],
)
def test_only_observed_silence_counts(looks: list[tuple[int, int]], silent_at: int | None) -> None:
    watch = SilenceWatch(LEASE, PERIOD)

    found = [second for second, heartbeat in looks if watch.look([_seen(heartbeat)], float(second)).whole]

    assert found == ([] if silent_at is None else [second for second, _ in looks if second >= silent_at])


def test_each_claim_is_watched_for_itself_and_forgotten_when_it_ends() -> None:
    watch = SilenceWatch(LEASE, PERIOD)
    for second in range(0, 50, 10):
        watch.look([_seen(0)], float(second))

    nobody = Silent([], [])
    assert watch.look([_seen(0, "b")], 50.0) == nobody
    assert watch.look([_seen(0)], 60.0) == nobody
    assert SilenceWatch(LEASE, PERIOD).look([_seen(0)], 10**6) == nobody


class Disk:
    """The disk below the store; while it is full nobody can beat."""

    full = False

    def write(self) -> None:
        """Prove that there is room."""
        if self.full:
            raise StoreFull("the disk of the store is full")


@pytest.fixture
def disk() -> Disk:
    """A disk with room."""
    return Disk()


@pytest.fixture
def recovery(store: Store, clock: ManualClock, disk: Disk) -> Recovery:
    """A recovery that looks each 10 s and waits a minute."""
    return Recovery(store, clock, lease=LEASE, period=PERIOD, prove=disk.write)


def _watch(recovery: Recovery, clock: ManualClock, seconds: int) -> int:
    """Look every ten seconds; return how many executions changed."""
    changed = recovery.run_once()
    for _ in range(seconds // 10):
        clock.advance(PERIOD)
        changed += recovery.run_once()
    return changed


def test_a_silent_execution_is_lost_after_a_lease(scope: Scope, recovery: Recovery, clock: ManualClock) -> None:
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    start(scope.store, asked)

    assert _watch(recovery, clock, 50) == 0
    assert _watch(recovery, clock, 10) == 1

    found = execution(scope.store, asked)
    assert (found.state, found.reason) == (State.LOST, "no_heartbeat")
    assert _watch(recovery, clock, 100) == 0


def test_a_lost_one_is_tried_again_where_that_is_allowed(scope: Scope, recovery: Recovery, clock: ManualClock) -> None:
    add_task(scope, retry_on_lost=1, retry=RetryPolicy(jitter=False))
    asked = run_now(scope, RunNow("task"))
    start(scope.store, asked)

    assert _watch(recovery, clock, 60) == 1

    found = execution(scope.store, asked)
    assert (found.state, found.attempt) == (State.RETRYING, 2)
    assert found.dispatch_at == clock.now() + 10 * SECOND


def test_one_that_was_to_be_cancelled_is_cancelled_instead_of_lost(
    scope: Scope, recovery: Recovery, clock: ManualClock
) -> None:
    add_task(scope, retry_on_lost=5)
    asked = run_now(scope, RunNow("task"))
    start(scope.store, asked)
    control.cancel(scope, asked)

    _watch(recovery, clock, 60)

    assert execution(scope.store, asked).state is State.CANCELLED


def test_silence_while_nobody_could_beat_is_none(
    scope: Scope, recovery: Recovery, clock: ManualClock, disk: Disk
) -> None:
    """A store on a full disk can be read on; the write that would record the loss is the first that succeeds."""
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    running = start(scope.store, asked)
    assert _watch(recovery, clock, 50) == 0
    disk.full = True
    for _ in range(20):
        clock.advance(PERIOD)
        with pytest.raises(StoreFull):
            recovery.run_once()
    disk.full = False

    clock.advance(PERIOD)
    assert _watch(recovery, clock, 20) == 0, "whoever lives has half a lease to say so"
    assert running.worker is not None
    scope.store.write(lambda tx: claims.beat(tx, str(running.worker)))
    assert _watch(recovery, clock, 50) == 0
    assert _watch(recovery, clock, 20) == 1, "a dead one is lost, a lease after its last beat"


def test_an_interruption_between_two_looks_counts_as_none_and_faults_that_come_again_hide_no_dead_worker(
    scope: Scope, recovery: Recovery, clock: ManualClock
) -> None:
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    start(scope.store, asked)
    assert _watch(recovery, clock, 50) == 0
    recovery.interrupt()
    clock.advance(PERIOD)
    assert _watch(recovery, clock, 20) == 0
    recovery.interrupt()
    clock.advance(PERIOD)
    assert _watch(recovery, clock, 30) == 1


def test_a_beating_one_is_left_alone_and_a_jump_of_the_wall_clock_means_nothing(
    scope: Scope, store: Store, recovery: Recovery, clock: ManualClock
) -> None:
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    start(store, asked)
    for _ in range(20):
        store.write(lambda tx: claims.beat(tx, "worker-1"))
        clock.set(clock.now() + timedelta(hours=1))
        assert _watch(recovery, clock, 10) == 0

    assert states(store) == ["running"]


def test_what_passed_its_start_deadline_expires(scope: Scope, recovery: Recovery, clock: ManualClock) -> None:
    add_schedule(scope, start_deadline=MINUTE)
    run_now(scope, RunNow("schedule"))
    run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    clock.advance(MINUTE)

    assert recovery.run_once() == 1
    assert states(scope.store) == ["expired", "pending"]


def test_a_missed_release_is_repaired(scope: Scope, recovery: Recovery) -> None:
    add_schedule(scope)
    first = run_now(scope, RunNow("schedule"))
    run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    gone = update(executions).where(executions.c.id == first).values(state=State.LOST)
    scope.store.write(lambda tx: tx.execute(gone).rowcount)

    assert recovery.run_once() == 1
    assert recovery.run_once() == 0
    assert states(scope.store) == ["lost", "pending"]


def test_with_nothing_wrong_nothing_changes(scope: Scope, recovery: Recovery) -> None:
    add_task(scope)
    run(scope.store, run_now(scope, RunNow("task")))
    run_now(scope, RunNow("task"))

    assert recovery.run_once() == 0


def test_a_row_that_cannot_be_healed_is_told_once_and_stops_nothing_for_the_others(
    scope: Scope,
    store: Store,
    recovery: Recovery,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add_task(scope)
    poison, other = (run_now(scope, RunNow("task")) for _ in range(2))
    for asked in (poison, other):
        start(store, asked)
    add_schedule(scope, start_deadline=MINUTE)
    late = run_now(scope, RunNow("schedule"))
    token = execution(store, poison).claim_token
    real = endings.finish

    def finish(tx: Tx, claimed: str, *rest: Any, **named: Any) -> Ended | None:
        if claimed == token:
            raise KeyError("of_a_newer_version")
        return real(tx, claimed, *rest, **named)

    monkeypatch.setattr(recover, "finish", finish)
    _watch(recovery, clock, 100)

    assert execution(store, poison).state is State.RUNNING
    assert execution(store, other).state is State.LOST
    assert execution(store, late).state is State.EXPIRED
    assert len([one for one in caplog.records if one.levelno >= logging.ERROR]) == 1
