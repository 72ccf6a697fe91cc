"""The daemon as a whole on a real store: it scans, publishes, says that it lives, survives faults, and stops clean."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, update

from celsched.clock import SystemClock
from celsched.dispatcher.daemon import Daemon, Parts
from celsched.dispatcher.housekeeping import Housekeeping
from celsched.dispatcher.publish import Outbox
from celsched.dispatcher.recover import Recovery
from celsched.dispatcher.tick import DueScan, TickResult
from celsched.domain.execution import State
from celsched.operations.control import pause, resume
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.service import ServiceManager
from celsched.store import definitions, instances, retention
from celsched.store.definitions import StoredSchedule
from celsched.store.presence import Presence
from celsched.store.store import Store
from celsched.store.tables import schedules
from celsched.store.tables_watch import alerts
from celsched.store.wake import Doorbell
from tests.store.messages import find, settle
from tests.support.actors import DAEMON, all_executions, run
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, make_schedule, make_task, store_definitions
from tests.support.publisher import RecordingPublisher
from tests.support.stores import START
from tests.support.waiting import wait_until

SECOND = timedelta(seconds=1)


class ShiftedClock(SystemClock):
    """The machine's clock, moved so that it reads START when it is made; a daemon under test needs one that goes."""

    def __init__(self) -> None:
        self._ahead = (START - SystemClock().now()).total_seconds()
        super().__init__(lambda: self._ahead)

    def skip(self, length: timedelta) -> None:
        """Let `length` pass at once."""
        self._ahead += length.total_seconds()


def _parts(store: Store, publisher: RecordingPublisher, *, address: str | None = None) -> Parts:
    clock = store.clock
    presence = Presence(store, clock, "daemon", every=10 * SECOND)
    return Parts(
        store=store,
        clock=clock,
        scan=DueScan(store, clock, {}, DAEMON),
        outbox=Outbox(store, clock, publisher, word="abc", republish=30 * SECOND),
        recovery=Recovery(store, clock, lease=60 * SECOND, period=10 * SECOND, prove=presence.prove),
        housekeeping=Housekeeping(store, clock, {}, keep=timedelta(days=30)),
        presence=presence,
        doorbell=Doorbell(store, clock),
        service=ServiceManager(address),
    )


@contextmanager
def _running(
    parts: Parts,
    extra: Callable[[], None] | None = None,
    *,
    recover_every: timedelta = 10 * SECOND,
    good: Callable[[str | None], None] | None = None,
) -> Iterator[Daemon]:
    """Run a daemon in a thread while the block lasts; it must stop by itself soon after it is asked to."""
    stop = threading.Event()
    daemon = Daemon(parts, recover_every=recover_every, extra=extra, good=good)
    thread = threading.Thread(target=daemon.run, args=(stop,))
    thread.start()
    try:
        yield daemon
    finally:
        stop.set()
        daemon.wake()
        thread.join(15)
    assert not thread.is_alive()


@pytest.fixture
def moving(store: Store) -> ShiftedClock:
    """Give the store a clock that goes."""
    clock = ShiftedClock()
    store._clock = clock
    return clock


@pytest.fixture
def publisher() -> RecordingPublisher:
    """Remembers what is sent."""
    return RecordingPublisher()


def test_a_fire_time_is_dispatched_and_published_and_a_request_at_once(
    store: Store, scope: Scope, moving: ShiftedClock, publisher: RecordingPublisher
) -> None:
    add_schedule(scope, cron="* * * * *")
    with _running(_parts(store, publisher)):
        moving.skip(30 * SECOND)
        wait_until(lambda: len(publisher.sent) == 1, message="the due fire time is published")
        add_task(scope, "other")
        run_now(scope, RunNow("other"))
        wait_until(lambda: len(publisher.sent) == 2, message="the request is published")
        wait_until(
            lambda: {one.state for one in all_executions(store)} == {State.QUEUED}, message="both are marked as sent"
        )
        (instance,) = store.read(lambda tx: instances.running(tx, "daemon"))

    assert instance.kind == "daemon"
    assert publisher.closed
    assert store.read(lambda tx: instances.running(tx, "daemon")) == []


class StuckOutbox(Outbox):
    """One whose broker has taken nothing for a while."""

    def stuck_for(self) -> float:
        return 90.0


def test_a_daemon_that_scans_but_cannot_send_is_not_told_outside_as_a_sound_one(
    store: Store, moving: ShiftedClock, publisher: RecordingPublisher
) -> None:
    heard: list[str | None] = []
    parts = _parts(store, publisher)
    with _running(parts, good=heard.append):
        wait_until(lambda: heard, message="a good turn is told")
    assert set(heard) == {None}

    heard.clear()
    stuck = StuckOutbox(store, store.clock, publisher, word="abc", republish=30 * SECOND)
    with _running(replace(parts, outbox=stuck), good=heard.append):
        wait_until(lambda: heard, message="a turn is told")
    assert set(heard) == {"could not send what is due for 90 s"}


def test_it_tells_the_service_manager_that_it_is_ready_lives_and_stops(
    store: Store, moving: ShiftedClock, publisher: RecordingPublisher, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        with _running(_parts(store, publisher, address=address)):
            said = [manager.recv(1000).decode() for _ in range(2)]
        manager.setblocking(False)
        while "STOPPING=1" not in said:
            said.append(manager.recv(1000).decode())

    assert said[0] == "READY=1"
    assert said[1].startswith("WATCHDOG=1\nSTATUS=last scan")


def test_a_failing_companion_neither_ends_the_daemon_nor_its_scans(
    store: Store, scope: Scope, moving: ShiftedClock, publisher: RecordingPublisher
) -> None:
    calls = []

    def broken() -> None:
        calls.append(1)
        raise OSError("no such program")

    add_task(scope)
    with _running(_parts(store, publisher), broken):
        wait_until(lambda: len(calls) >= 2, message="the companion was looked after twice")
        run_now(scope, RunNow("task"))
        wait_until(lambda: publisher.sent, message="the request is published all the same")


def test_an_idle_daemon_looks_as_often_as_silence_is_to_be_measured(
    store: Store, moving: ShiftedClock, publisher: RecordingPublisher
) -> None:
    scans: list[int] = []
    with _running(_parts(store, publisher), lambda: scans.append(1), recover_every=SECOND / 10):
        wait_until(lambda: len(scans) >= 15, timeout=8, message="far more than one look a second")


def test_housekeeping_purges_what_ended_long_ago(scope: Scope, clock: ManualClock) -> None:
    add_task(scope)
    old, young = run_now(scope, RunNow("task")), run_now(scope, RunNow("task"))
    run(scope.store, old)
    clock.advance(timedelta(days=30, seconds=1))
    run(scope.store, young)

    assert Housekeeping(scope.store, clock, {}, keep=timedelta(days=30)).run_once() == 1
    assert [one.id for one in all_executions(scope.store)] == [young]


@pytest.fixture
def slow_purge(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of housekeeping gets through one execution."""
    monkeypatch.setattr("celsched.dispatcher.housekeeping._LONGEST", 0.0)
    monkeypatch.setattr(retention, "purge_batch", partial(retention.purge_batch, limit=1))


@pytest.mark.usefixtures("slow_purge")
def test_a_long_purge_goes_on_in_the_next_turns_and_is_reported_once(
    scope: Scope, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    add_task(scope)

    def three_old_ones() -> None:
        for _ in range(3):
            run(scope.store, run_now(scope, RunNow("task")))
        clock.advance(timedelta(days=30, seconds=1))

    three_old_ones()
    housekeeping = Housekeeping(scope.store, clock, {}, keep=timedelta(days=30))
    assert housekeeping.go_on() == 0, "only what was begun"
    assert [housekeeping.run_once(), *(housekeeping.go_on() for _ in range(3))] == [1, 1, 1, 0]
    assert [one.message for one in caplog.records if "purged" in one.message] == [
        f"purged 3 executions that ended before {(clock.now() - timedelta(days=30)).isoformat()}"
    ]
    three_old_ones()
    assert housekeeping.go_on() == 0, "it had come to the end"
    assert len(all_executions(scope.store)) == 3


@pytest.mark.usefixtures("slow_purge")
def test_a_daemon_does_not_leave_the_rest_of_a_long_purge_for_later(
    store: Store, scope: Scope, moving: ShiftedClock, publisher: RecordingPublisher
) -> None:
    add_task(scope)
    for _ in range(3):
        run(store, run_now(scope, RunNow("task")))
    moving.skip(timedelta(days=31))
    with _running(_parts(store, publisher)):
        wait_until(lambda: not all_executions(store), timeout=20, message="all of them are gone")


def test_housekeeping_purges_alerts_that_are_long_over(store: Store, clock: ManualClock) -> None:
    settle(store, find())
    settle(store)
    clock.advance(timedelta(days=30, seconds=1))
    settle(store, find(scope="schedule:2"))
    Housekeeping(store, clock, {}, keep=timedelta(days=30)).run_once()
    assert list(store.read(lambda tx: tx.scalars(select(alerts.c.fingerprint)).all())) == ["missed:schedule:2"]


def test_the_due_scan_of_an_idle_store_does_nothing(store: Store) -> None:
    assert DueScan(store, store.clock, {}, DAEMON).run_once() == TickResult()


def test_housekeeping_sums_up_a_pause_that_outlasts_retention(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, every=timedelta(days=1))
    pause(scope, ["schedule"])
    clock.advance(timedelta(days=40, seconds=1))

    housekeeping = Housekeeping(scope.store, clock, {}, keep=timedelta(days=30))
    housekeeping.run_once()
    housekeeping.run_once()

    (row,) = all_executions(scope.store)
    assert (row.state, row.reason, row.count) == (State.SKIPPED, "paused", 10)
    resume(scope, ["schedule"])
    assert [one.count for one in all_executions(scope.store)] == [10, 30]


def test_schedules_that_rest_for_good_are_written_once_a_day_and_not_all_in_one_go(
    scope: Scope, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_definitions(scope, make_task(), *(make_schedule(f"once {n}", at=clock.now() + SECOND) for n in range(5)))
    clock.advance(2 * SECOND)
    assert DueScan(store, clock, {}, DAEMON).run_once().fires == 5
    clock.advance(timedelta(days=32))
    monkeypatch.setattr("celsched.dispatcher.housekeeping._SUMMED", 2)
    housekeeping = Housekeeping(store, clock, {}, keep=timedelta(days=30))
    written: list[int] = []

    def turn() -> int:
        before = {one.id: one.state.revision for one in _schedules(store)}
        housekeeping.run_once()
        clock.advance(timedelta(minutes=10))
        written.append(sum(one.state.revision != before[one.id] for one in _schedules(store)))
        return written[-1]

    assert [turn() for _ in range(6)] == [2, 2, 1, 0, 0, 0]
    clock.advance(timedelta(days=1))
    assert [turn() for _ in range(4)] == [2, 2, 1, 0]


def _schedules(store: Store) -> list[StoredSchedule]:
    return store.read(definitions.all_schedules)


def test_a_resting_schedule_that_cannot_be_read_does_not_hold_up_the_purge(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, every=timedelta(days=1))
    run(store, run_now(scope, RunNow("schedule")))
    pause(scope, ["schedule"])
    store.write(lambda tx: tx.execute(update(schedules).values(options={"of_a_newer_version": 1})))
    clock.advance(timedelta(days=40))

    assert Housekeeping(store, clock, {}, keep=timedelta(days=30)).run_once() == 1
