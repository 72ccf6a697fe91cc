"""The daemon's look at watchers: one that died is told, one that never came or was stopped is not."""

from datetime import timedelta

import pytest

from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RuleBook
from celsched.monitor.check import Watcher
from celsched.monitor.watchers import WatcherCheck
from celsched.store import alerts
from celsched.store.presence import Presence
from celsched.store.store import Store
from tests.support.clock import ManualClock

HEARTBEAT = timedelta(seconds=10)


def _check(store: Store, clock: ManualClock, rules: RuleBook | None = None) -> WatcherCheck:
    return WatcherCheck(store, clock, rules=rules or RuleBook(), heartbeat=HEARTBEAT)


def _firing(store: Store) -> list[str]:
    return [alert.kind.value for alert in store.read(alerts.firing)]


def _pass(check: WatcherCheck, clock: ManualClock, beats: int) -> None:
    for _ in range(beats):
        clock.advance(HEARTBEAT)
        check.run_once()


@pytest.fixture
def watcher(store: Store, clock: ManualClock) -> Presence:
    """A watcher that has just come."""
    presence = Presence(store, clock, "watcher", every=HEARTBEAT)
    presence.beat()
    return presence


def test_a_watcher_that_died_is_told_once_until_one_looks_again(
    store: Store, clock: ManualClock, watcher: Presence
) -> None:
    check = _check(store, clock)
    check.run_once()
    _pass(check, clock, 3)
    assert _firing(store) == []

    _pass(check, clock, 3)

    assert _firing(store) == ["watch_down"]
    watcher.beat()
    looks = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})
    assert looks.run_once().firing == []
    _pass(check, clock, 1)
    assert _firing(store) == []


def test_a_daemon_that_starts_later_believes_the_last_beat(store: Store, clock: ManualClock, watcher: Presence) -> None:
    clock.advance(timedelta(hours=1))

    _check(store, clock).run_once()

    assert _firing(store) == ["watch_down"]


def test_a_step_of_the_clock_is_no_silence(store: Store, clock: ManualClock, watcher: Presence) -> None:
    check = _check(store, clock)
    check.run_once()
    clock.set(clock.now() + timedelta(hours=1))
    check.run_once()

    assert _firing(store) == []


def test_a_watcher_that_was_stopped_or_never_came_is_missed_by_nobody(
    store: Store, clock: ManualClock, watcher: Presence
) -> None:
    watcher.leave()

    _pass(_check(store, clock), clock, 10)

    assert _firing(store) == []


def test_one_that_died_long_ago_is_not_missed_when_its_successor_is_stopped(
    store: Store, clock: ManualClock, watcher: Presence
) -> None:
    clock.advance(timedelta(days=1))
    successor = Presence(store, clock, "watcher", every=HEARTBEAT)
    successor.beat()
    successor.leave()

    _pass(_check(store, clock), clock, 10)

    assert _firing(store) == []


def test_it_can_be_switched_off(store: Store, clock: ManualClock, watcher: Presence) -> None:
    off = RuleBook({AlertKind.WATCH_DOWN: Tuning(enabled=False)})

    _pass(_check(store, clock, off), clock, 10)

    assert _firing(store) == []
