"""Whole passes of the watcher over a store in which work waits, runs and ends, and clocks and services misbehave."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from celsched.cli.daemon_parts import rule_book
from celsched.clock import ServerClock
from celsched.domain.execution import Execution, State
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RuleBook
from celsched.domain.policy import Misfire
from celsched.errors import StoreUnreachable
from celsched.monitor.check import CheckResult, Watcher
from celsched.monitor.clocks import ClockWatch
from celsched.monitor.loop import watch_until
from celsched.monitor.observe import Surroundings
from celsched.monitor.probe import Probe
from celsched.operations.control import pause
from celsched.operations.scope import Scope
from celsched.settings import load
from celsched.store import claims, instances, notices
from celsched.store.alerts import StoredAlert
from celsched.store.instances import Instance
from celsched.store.presence import Presence
from celsched.store.store import Store, Tx
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.executions import add_execution
from tests.support.factories import add_schedule, scope_of
from tests.support.stores import START, copy_sqlite, store_at
from tests.support.waiting import wait_until

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HEARTBEAT = 10 * SECOND
NAME = "گزارش شبانه"
RULES = RuleBook({AlertKind.LATE_START: Tuning(parameters={"threshold": 5 * MINUTE})})


@dataclass(slots=True)
class Room:
    """A store with a watcher, and the instances that report to it."""

    store: Store
    clock: ManualClock
    watcher: Watcher

    def come(self, name: str, kind: str = "worker", queues: tuple[str, ...] = ("default",)) -> None:
        """Let an instance start."""
        now = self.clock.now()
        one = Instance(name, kind, "ماشین", 1, name, "1", queues, 1, 0, now, now)
        self.store.write(lambda tx: instances.register(tx, one))

    def beat(self, *names: str) -> None:
        """Let instances report, with what runs in them."""
        now = self.clock.now()
        for name in names:
            self.store.write(lambda tx, one=name: (instances.beat(tx, one, now), claims.beat(tx, one)))  # type: ignore[misc]

    def pass_time(self, length: timedelta, alive: Iterable[str] = ()) -> set[str]:
        """Let time go by, ten seconds at a time with a pass each; return the kinds that fire in the end."""
        kinds: set[str] = set()
        for _ in range(length // HEARTBEAT):
            self.clock.advance(HEARTBEAT)
            self.beat(*alive)
            kinds = self.kinds()
        return kinds

    def firing(self) -> dict[str, StoredAlert]:
        """Look once; return what fires, by kind."""
        return {alert.kind.value: alert for alert in self.watcher.run_once().firing}

    def kinds(self) -> set[str]:
        """Look once; return the kinds that fire."""
        return set(self.firing())


def _room(store: Store, clock: ManualClock, around: Surroundings | None = None) -> Room:
    return Room(store, clock, Watcher(store, clock, rules=RULES, heartbeat=HEARTBEAT, settings={}, around=around))


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    """A store with a living daemon and worker, and nothing wrong."""
    made = _room(store, clock)
    made.come("d", "daemon")
    made.come("w")
    assert made.kinds() == set()
    return made


def _start_latest(store: Store) -> Execution:
    actors.scan(store)
    return actors.start(store, actors.all_executions(store)[-1].id, worker="w")


def test_what_waits_is_late_and_its_queue_has_no_worker_until_it_starts(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE, queue_name="reports")
    room.clock.advance(60 * MINUTE)
    actors.scan(room.store)
    room.beat("d", "w")
    assert room.kinds() == set()

    assert room.pass_time(MINUTE, ["d", "w"]) == {"no_worker"}
    late = room.pass_time(5 * MINUTE, ["d", "w"])

    assert late == {"no_worker", "late_start", "outbox_stuck"}
    assert f'"{NAME}"' in room.firing()["late_start"].summary
    room.come("w2", queues=("reports",))
    actors.run(room.store, actors.all_executions(room.store)[-1].id)
    assert room.pass_time(HEARTBEAT, ["d", "w", "w2"]) == set()


def test_a_pause_that_no_daemon_ends_is_told_until_one_does(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE)
    pause(scope, [NAME], until=room.clock.now() + MINUTE)
    assert room.pass_time(MINUTE + 30 * SECOND, ["d", "w"]) == set()
    assert room.pass_time(10 * SECOND, ["d", "w"]) == {"paused_too_long"}
    assert room.firing()["paused_too_long"].evidence.command == "celsched doctor"
    actors.scan(room.store)
    assert room.kinds() == set()


@pytest.mark.parametrize(("republish", "told_after"), [("30s", 60), ("5m", 600), ("300ms", 30)])
def test_what_a_dead_daemon_held_is_sent_by_another_before_it_counts_as_stuck(
    room: Room, scope: Scope, tmp_path: Path, republish: str, told_after: int
) -> None:
    settings = load({"republish": republish}, {}, tmp_path)
    off = dict.fromkeys((AlertKind.LATE_START, AlertKind.NO_WORKER, AlertKind.NEVER_RAN), Tuning(enabled=False))
    book = RuleBook({**rule_book(settings).general, **off})
    watching = Room(
        room.store, room.clock, Watcher(room.store, room.clock, rules=book, heartbeat=HEARTBEAT, settings={})
    )
    add_schedule(scope, NAME, every=60 * MINUTE)
    room.clock.advance(60 * MINUTE)
    actors.scan(room.store)
    assert actors.take(room.store, republish=settings.republish), "and there it dies"
    assert watching.pass_time(told_after * SECOND, ["d", "w"]) == set()
    assert watching.pass_time(HEARTBEAT, ["d", "w"]) == {"outbox_stuck"}
    actors.publish(room.store)
    assert watching.kinds() == set()


def test_a_silent_worker_shows_by_its_beats_and_not_by_a_clock(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE)
    room.clock.advance(60 * MINUTE)
    room.beat("d", "w")
    room.kinds()
    _start_latest(room.store)
    assert room.pass_time(2 * MINUTE, ["d", "w"]) == set()

    room.clock.set(room.clock.now() + 60 * MINUTE)
    assert "stuck_no_heartbeat" not in room.kinds()
    assert "daemon_down" not in room.kinds()

    assert "stuck_no_heartbeat" not in room.pass_time(3 * HEARTBEAT, ["d"])
    assert "stuck_no_heartbeat" in room.pass_time(HEARTBEAT, ["d"])
    assert "stuck_no_heartbeat" not in room.pass_time(HEARTBEAT, ["d", "w"])


def test_a_watcher_that_comes_later_believes_the_beats_that_it_finds(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE)
    room.clock.advance(60 * MINUTE)
    room.beat("d", "w")
    _start_latest(room.store)
    room.clock.advance(MINUTE)

    assert {"stuck_no_heartbeat", "daemon_down"} <= _room(room.store, room.clock).kinds()


def test_a_run_is_too_long_and_too_short_by_its_own_past(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE)

    def run(length: timedelta) -> set[str]:
        room.clock.advance(60 * MINUTE)
        room.beat("d", "w")
        room.kinds()
        claimed = _start_latest(room.store)
        kinds = room.pass_time(length, ["d", "w"])
        actors.end(room.store, claimed, State.SUCCEEDED)
        return kinds

    for _ in range(11):
        assert run(MINUTE) == set()
    assert run(6 * MINUTE) == set()
    assert run(6 * MINUTE + 2 * HEARTBEAT) == set(), "the long run before counts with the last ten"
    assert run(20 * MINUTE) == {"too_long"}
    assert room.pass_time(HEARTBEAT, ["d", "w"]) == set()

    assert run(HEARTBEAT) == set()
    assert room.pass_time(2 * MINUTE, ["d", "w"]) == {"too_short"}
    room.clock.advance(30 * MINUTE)
    assert "too_short" in _room(room.store, room.clock).kinds(), "a watcher that comes later finds it still so"
    assert run(MINUTE) == {"too_short", "missed"}, "the fire time in those 30 min was coalesced into this one"
    assert room.pass_time(HEARTBEAT, ["d", "w"]) == set()


def test_a_message_lies_too_long_by_the_waits_before(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE)
    begin = room.clock.now()

    def send(number: int) -> int:
        room.clock.advance(begin + number * 60 * MINUTE - room.clock.now())
        actors.scan(room.store)
        actors.publish(room.store)
        room.beat("d", "w")
        return actors.all_executions(room.store)[-1].id

    for number in range(1, 11):
        execution = send(number)
        assert room.pass_time(HEARTBEAT, ["d", "w"]) == set()
        actors.run(room.store, execution)
        assert room.kinds() == set()
    execution = send(11)

    assert room.pass_time(MINUTE, ["d", "w"]) == set()
    assert room.pass_time(HEARTBEAT, ["d", "w"]) == {"queued_too_long"}
    actors.run(room.store, execution)
    assert room.pass_time(HEARTBEAT, ["d", "w"]) == set()


def test_a_queue_that_grows_is_a_backlog_until_it_shrinks(room: Room, scope: Scope) -> None:
    off = dict.fromkeys((AlertKind.LATE_START, AlertKind.OUTBOX_STUCK), Tuning(enabled=False))
    tuned = RuleBook(off | {AlertKind.BACKLOG: Tuning(parameters={"growing": 3})})
    room.watcher = Watcher(room.store, room.clock, rules=tuned, heartbeat=HEARTBEAT, settings={})
    waits = [add_execution(room.store, f"files.tasks.clean{number}") for number in range(2)]
    assert room.pass_time(3 * MINUTE, ["d", "w"]) == set()

    for number in range(2, 5):
        waits.append(add_execution(room.store, f"files.tasks.clean{number}"))
        kinds = room.pass_time(MINUTE, ["d", "w"])
    assert kinds == {"backlog"}
    actors.run(room.store, waits[0])
    assert room.pass_time(MINUTE, ["d", "w"]) == set()


def test_what_was_remembered_of_a_schedule_does_not_end_its_alert(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=4 * MINUTE)

    begin = room.clock.now()

    def run(number: int, length: timedelta) -> set[str]:
        room.clock.advance(begin + number * 4 * MINUTE - room.clock.now())
        room.beat("d", "w")
        claimed = _start_latest(room.store)
        room.clock.advance(length)
        actors.end(room.store, claimed)
        return room.pass_time(2 * HEARTBEAT, ["d", "w"])

    for number in range(1, 14):
        assert run(number, 30 * SECOND) == set()
    assert run(14, SECOND) == {"too_short"}

    assert room.pass_time(3 * MINUTE, ["d", "w"]) == {"too_short"}


def test_a_step_of_the_clock_is_told_for_five_minutes(room: Room) -> None:
    stepped = _room(room.store, room.clock, Surroundings("here", ClockWatch(room.clock, room.clock)))
    stepped.kinds()
    room.clock.set(room.clock.now() - 60 * MINUTE)

    assert stepped.kinds() == {"clock_jump"}
    assert stepped.pass_time(4 * MINUTE, ["d", "w"]) == {"clock_jump"}
    # Another watcher, whose clock is fine, leaves it.
    assert _room(room.store, room.clock, Surroundings("there", ClockWatch(room.clock, room.clock))).kinds() == {
        "clock_jump"
    }
    assert stepped.pass_time(MINUTE, ["d", "w"]) == set()


def _nobody_asks() -> bool:
    return not any(thread.name == "probe-broker" for thread in threading.enumerate())


def test_a_broker_that_does_not_answer_is_told_after_a_while_until_it_is_back(room: Room) -> None:
    answers = {"error": "the broker is away"}

    def ask() -> None:
        if answers["error"]:
            raise OSError(answers["error"])

    seen = _room(room.store, room.clock, Surroundings("here", broker=Probe("broker", ask, room.clock)))

    def passes(count: int) -> set[str]:
        kinds: set[str] = set()
        for _ in range(count):
            kinds = seen.pass_time(HEARTBEAT, ["d", "w"])
            wait_until(_nobody_asks, timeout=60, message="the question is answered")
        return kinds

    passes(2)
    assert passes(2) == {"broker_down"}
    answers["error"] = ""
    assert passes(6) == set()


def test_what_opens_again_and_again_is_flapping(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE, queue_name="reports")
    for number in range(6):
        room.pass_time(80 * SECOND, ["d", "w"])
        name = f"w{number}"
        room.come(name, queues=("reports",))
        kinds = room.pass_time(HEARTBEAT, ["d", "w", name])
        room.store.write(lambda tx, one=name: instances.leave(tx, one, room.clock.now()))  # type: ignore[misc]

    assert kinds == {"flapping"}
    alert = room.firing()["flapping"]
    assert alert.fingerprint == "flapping:no_worker:queue:reports"


def test_a_channel_through_which_nothing_goes_is_told_until_a_send_works(room: Room) -> None:
    used = _room(room.store, room.clock, Surroundings(channels={"تلگرام"}))

    def send(works: bool) -> set[str]:
        now = room.clock.now()

        def work(tx: Tx, channel: str) -> None:
            leased = notices.lease(tx, channel, now, MINUTE)
            assert leased is not None
            if works:
                notices.accepted(tx, leased, now)
            else:
                notices.refused(tx, leased, "connection refused", now)

        for channel in ("تلگرام", "no longer used"):
            room.store.write(partial(work, channel=channel))
        return used.pass_time(12 * MINUTE, ["d", "w"])

    for name in ("تلگرام", "no longer used"):
        message = notices.Message(name, "late_start#1", Severity.WARNING, "title", "body", {})
        room.store.write(lambda tx, one=message: notices.enqueue(tx, one, room.clock.now()))  # type: ignore[misc]
    assert [send(works=False) for _ in range(3)] == [set(), set(), {"channel_failing"}]
    assert "connection refused" in used.firing()["channel_failing"].summary
    assert used.firing()["channel_failing"].scope == "channel:تلگرام"
    assert send(works=True) == set()


def test_a_second_delivery_is_told_of_its_machine(room: Room) -> None:
    room.clock.advance(HEARTBEAT)
    room.store.write(lambda tx: instances.beat(tx, "w", room.clock.now(), duplicates=2))
    room.beat("d")

    alert = room.firing()["dup_delivery"]

    assert (alert.scope, alert.event_at, alert.evidence.count) == ("host:ماشین", room.clock.now(), 2)


def test_an_outage_of_the_store_makes_nobody_silent(room: Room, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE)
    assert room.kinds() == set()
    room.clock.advance(11 * SECOND)
    assert room.kinds() == set(), "a beat is late"

    def away(work: object) -> None:
        raise StoreUnreachable("away")

    with monkeypatch.context() as outage:
        outage.setattr(room.store, "read", away)
        for _ in range(6):
            room.clock.advance(HEARTBEAT)
            with pytest.raises(StoreUnreachable):
                room.watcher.run_once()
    room.clock.advance(HEARTBEAT)
    assert room.kinds() == set(), "nobody could report"
    assert "daemon_down" in room.pass_time(3 * HEARTBEAT), "and now it could"


def test_fire_times_that_a_later_one_stands_for_are_information_until_that_has_succeeded(
    room: Room, scope: Scope
) -> None:
    quick, slow = (add_schedule(scope, name, every=10 * MINUTE) for name in ("تند", NAME))
    room.clock.advance(65 * MINUTE)
    room.beat("d", "w")
    assert actors.scan(room.store).fires == 2
    caught_up = {one.schedule_id: one.id for one in actors.all_executions(room.store) if one.state is State.PENDING}
    actors.run(room.store, caught_up[quick.id])

    alert = room.firing()["missed"]

    assert (alert.schedule_id, alert.severity, alert.evidence.count) == (slow.id, Severity.INFO, 5)
    assert room.pass_time(11 * MINUTE, ["d", "w"]) & {"missed"}, "it stays after its row is out of sight"
    actors.run(room.store, caught_up[slow.id])
    assert "missed" not in room.pass_time(HEARTBEAT, ["d", "w"])


def test_the_first_look_finds_what_went_wrong_while_nobody_watched(room: Room, scope: Scope) -> None:
    add_schedule(scope, NAME, every=60 * MINUTE, misfire=Misfire.SKIP)
    room.clock.advance(3 * 60 * MINUTE)
    actors.scan(room.store)
    room.clock.advance(timedelta(days=3))
    assert "missed" in _room(room.store, room.clock).kinds()


def test_a_watcher_follows_the_servers_clock_when_that_is_set(tmp_path: Path, sqlite_template: Path) -> None:
    server = [START]
    with store_at(copy_sqlite(sqlite_template, tmp_path / "s.db"), ServerClock(lambda: server[0], every=0.0)) as store:
        add_schedule(scope_of(store), NAME, every=60 * MINUTE)
        watcher = Watcher(store, store.clock, rules=RULES, heartbeat=HEARTBEAT, settings={})
        assert "overdue" not in {alert.kind for alert in watcher.run_once().firing}
        server[0] += 90 * MINUTE
        assert "overdue" in {alert.kind for alert in watcher.run_once().firing}


@pytest.mark.parametrize("seconds", [0.7, 3, 7])
def test_a_watcher_reports_each_heartbeat_shorter_than_its_looks_are_apart(
    store: Store, clock: ManualClock, seconds: float
) -> None:
    clock.auto_advance = True
    stop, looks, heartbeat = threading.Event(), iter("gggg"), timedelta(seconds=seconds)
    longest = timedelta(0)

    class Healthy(Watcher):
        def run_once(self) -> CheckResult:
            clock.advance(SECOND / 10)  # a look takes a while
            if next(looks, None) is None:
                stop.set()
            return CheckResult([])

    class Turned(ManualClock):
        def wait(self, event: threading.Event, seconds: float) -> bool:
            nonlocal longest
            waited = clock.wait(event, seconds)
            (row,) = store.read(lambda tx: instances.listing(tx, 10))
            longest = max(longest, clock.now() - row.beat_at)
            return waited

        def now(self) -> datetime:
            return clock.now()

        def monotonic(self) -> float:
            return clock.monotonic()

    turned, born = Turned(START), clock.now()
    watcher = Healthy(store, clock, rules=RULES, heartbeat=heartbeat, settings={})
    watch_until(stop, watcher, Presence(store, turned, "watcher", every=heartbeat), turned)
    assert clock.now() - born >= 40 * SECOND, "the looks stay ten seconds apart"
    assert clock.now() - born < 42 * SECOND
    assert longest <= heartbeat + SECOND / 5


def test_a_watcher_that_sees_nothing_does_not_report_that_it_lives(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.auto_advance = True
    stop, looks, born = threading.Event(), iter("gbbbbbbbb"), clock.now()

    class Blind(Watcher):
        def run_once(self) -> CheckResult:
            if next(looks, None) is None:
                stop.set()
            elif clock.now() > born:
                raise ValueError("a look that cannot be judged")
            return CheckResult([])

    watcher = Blind(store, clock, rules=RULES, heartbeat=HEARTBEAT, settings={})
    watch_until(stop, watcher, Presence(store, clock, "watcher", every=HEARTBEAT), clock)
    (row,) = store.read(lambda tx: instances.listing(tx, 10))
    assert row.beat_at - born <= 2 * HEARTBEAT
    assert clock.now() - born > 4 * HEARTBEAT
    assert "ValueError: a look that cannot be judged" in caplog.text
