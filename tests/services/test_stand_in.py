"""The daemon delivers while no watcher does: what it begins, what it ends, and that a bad channel stops nothing."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from celsched.clock import SystemClock
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import RuleBook
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.errors import SettingsError
from celsched.monitor.deliver import Courier, Delivery, Plan, Planner
from celsched.monitor.outage import Outage
from celsched.monitor.stand_in import StandIn
from celsched.notify import Outgoing
from celsched.settings.fault import no_fault
from celsched.store.store import Store
from tests.store.messages import find, settle
from tests.support.clock import ManualClock
from tests.support.waiting import wait_until

DOWN = find(AlertKind.WATCH_DOWN, "all", subject="watcher")


class Told:
    """What was delivered, and the delivery that did it."""

    def __init__(self, store: Store) -> None:
        self.titles: list[str] = []
        self.made = 0
        self._store = store

    def make(self) -> Delivery:
        """Put a delivery together."""
        self.made += 1
        zone = ZoneInfo("UTC")
        planner = Planner(self._store, self._store.clock, Plan([Channel("x")], zone, timedelta(days=30)))
        courier = Courier(self._store, self._store.clock, "x", self._send, fault=no_fault)
        rule = RuleBook().rules()[AlertKind.STORE_DOWN]
        outage = Outage(self._store.clock, [], zone, rule=rule, record=lambda alert, now: None, times=NoticeTimes())
        return Delivery(planner, [courier], outage, SystemClock())

    def _send(self, message: Outgoing) -> None:
        self.titles.append(message.title)


@pytest.fixture
def told(store: Store) -> Told:
    return Told(store)


@pytest.fixture
def stand_in(store: Store, told: Told) -> Iterator[StandIn]:
    """One that runs until the test is over."""
    one = StandIn(store, SystemClock(), told.make)
    with one.running(threading.Event()):
        yield one


def test_that_no_watcher_lives_is_delivered_by_the_daemon(
    store: Store, clock: ManualClock, told: Told, stand_in: StandIn
) -> None:
    settle(store, DOWN)
    clock.advance(timedelta(minutes=1))
    wait_until(lambda: told.titles, timeout=60, message="the daemon tells")
    assert told.titles == ['[critical] watch_down: "watcher"']

    settle(store)
    wait_until(lambda: not stand_in.delivers, timeout=60, message="the watcher does it again")
    assert told.made == 1


def test_while_a_watcher_lives_it_delivers_nothing(store: Store, clock: ManualClock, told: Told) -> None:
    stand_in = StandIn(store, SystemClock(), told.make)
    settle(store, find())
    clock.advance(timedelta(minutes=1))
    stand_in.run_once()
    assert (stand_in.delivers, told.made) == (False, 0)


def test_a_channel_that_is_unusable_here_is_said_once_and_stops_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def make() -> Delivery:
        tries.append(1)
        raise SettingsError("apprise is not installed")

    settle(store, DOWN)
    with StandIn(store, SystemClock(), make).running(threading.Event()):
        wait_until(lambda: len(tries) > 1, timeout=60, message="it is tried again")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "cannot deliver messages: apprise is not installed"
    ]
