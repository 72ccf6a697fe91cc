"""From an alert to a real receiver: sent once, sent again after a death, and no channel holds up another.

The judges are not asked; alerts are settled by hand.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from celsched.clock import Clock, SystemClock
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import RuleBook
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.monitor import deliver
from celsched.monitor.deliver import Courier, Delivery, Plan, Planner
from celsched.monitor.heart import Heart
from celsched.monitor.outage import Outage, Straight
from celsched.notify import Address, Outgoing, Send, SendFailed, sender_of
from celsched.notify.ping import ping
from celsched.settings.fault import fault_of, no_fault
from celsched.store import notices
from celsched.store.store import Store
from tests.store.messages import find, message, queue, settle
from tests.support.clock import ManualClock
from tests.support.receivers import HttpReceiver, http_receiver
from tests.support.waiting import wait_until

UTC = ZoneInfo("UTC")
PLAN = Plan([Channel("hook"), Channel("bad")], ZoneInfo("Asia/Tehran"), timedelta(days=30))


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as server:
        yield server


def hook(receiver: HttpReceiver, clock: ManualClock) -> Send:
    return sender_of(Address("hook", f"webhook+{receiver.url}/x"), clock, timeout=5)


def courier(store: Store, send: Send, name: str = "hook", fault: Callable[[str], None] = no_fault) -> Courier:
    return Courier(store, store.clock, name, send, fault=fault)


def test_an_alert_reaches_its_receiver_in_persian(store: Store, clock: ManualClock, receiver: HttpReceiver) -> None:
    planner, one = Planner(store, clock, PLAN), courier(store, hook(receiver, clock))
    settle(store, find(since=clock.now()))
    assert planner.run_once() == 0
    clock.advance(timedelta(seconds=30))
    assert planner.run_once() == 2
    assert one.run_once()
    assert not one.run_once()
    payload = json.loads(receiver.requests[0].body)
    assert payload["title"] == '[critical] missed: "گزارش شب"'
    assert payload["alerts"][0]["evidence"] == {"execution": 7, "error": "خطا", "count": 1}
    assert "error: خطا" in payload["body"]


@pytest.mark.parametrize(("point", "arrived"), [("notice.leased", 1), ("notice.sent", 2)])
def test_who_is_killed_while_delivering_leaves_it_to_be_sent_again(
    store: Store, clock: ManualClock, receiver: HttpReceiver, point: str, arrived: int
) -> None:
    queue(store, message(channel="hook"))
    store.close()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what it says there is not this test's
            courier(store, hook(receiver, clock), fault=fault_of(point)).run_once()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    other = courier(store, hook(receiver, clock))
    assert not other.run_once(), "it may be on its way still"
    clock.advance(timedelta(seconds=60))
    assert other.run_once()
    assert not other.run_once()
    assert [request.headers["Idempotency-Key"] for request in receiver.requests] == ["missed#1.1"] * arrived


def test_a_refused_message_is_kept_and_its_error_shows_no_secret(
    store: Store, clock: ManualClock, receiver: HttpReceiver
) -> None:
    receiver.statuses = [500, 200]
    one = courier(store, sender_of(Address("hook", f"webhook+{receiver.url}/hunter2"), clock))
    queue(store, message(channel="hook"))
    assert one.run_once()
    assert not one.run_once()
    (health,) = store.read(notices.channel_health)
    assert (health.failures_in_a_row, health.last_sent_at) == (1, None)
    assert "answered 500" in str(health.last_error)
    assert "hunter2" not in str(health.last_error)
    clock.advance(timedelta(seconds=10))
    assert one.run_once()
    assert store.read(notices.channel_health)[0].failures_in_a_row == 0


def test_a_channel_that_hangs_holds_up_no_other(store: Store, receiver: HttpReceiver) -> None:
    clock, hangs, sent = SystemClock(), threading.Event(), threading.Event()

    def hang(message: Outgoing) -> None:
        hangs.wait(60)
        raise SendFailed("hung")

    queue(store, message(channel="bad"), message(channel="hook"))
    couriers = [
        Courier(store, store.clock, "bad", hang, fault=no_fault),
        Courier(store, store.clock, "hook", lambda message: sent.set(), fault=no_fault),
    ]
    outage = outage_told_at_once(clock, [])
    stop = threading.Event()
    with Delivery(Planner(store, store.clock, PLAN), couriers, outage, clock).running(stop):
        assert sent.wait(20)
        wait_until(
            lambda: [one.channel for one in store.read(notices.channel_health) if one.last_sent_at] == ["hook"],
            message="the good one's message is recorded",
        )
        hangs.set()


def test_many_channels_that_hang_end_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, hung, over = SystemClock(), [threading.Event() for _ in range(30)], threading.Event()

    def hanging(event: threading.Event) -> Send:
        def send(message: Outgoing) -> None:
            event.set()
            over.wait(60)

        return send

    monkeypatch.setattr(deliver, "_ENDING", 0.5)
    queue(store, *(message(channel=str(number)) for number in range(len(hung))))
    couriers = [
        Courier(store, store.clock, str(number), hanging(event), fault=no_fault) for number, event in enumerate(hung)
    ]
    delivery = Delivery(Planner(store, store.clock, PLAN), couriers, outage_told_at_once(clock, []), clock)
    with delivery.running(threading.Event()):
        assert all(event.wait(30) for event in hung)
        began = clock.monotonic()
    assert clock.monotonic() - began < len(hung) * 0.5 / 2, "each had that long"
    over.set()
    wait_until(lambda: not any("courier" in one.name for one in threading.enumerate()), message="they have ended")


def outage_told_at_once(clock: Clock, boxes: list[tuple[Channel, Straight]]) -> Outage:
    rule = replace(RuleBook().rules()[AlertKind.STORE_DOWN], hold=timedelta(0))
    return Outage(clock, boxes, UTC, rule=rule, record=lambda alert, now: None, times=NoticeTimes())


def test_what_is_told_straight_is_sent_although_the_store_is_away(
    store: Store, clock: ManualClock, receiver: HttpReceiver
) -> None:
    receiver.statuses = [503]
    one = courier(store, hook(receiver, clock))
    outage = outage_told_at_once(clock, [(Channel("hook"), one.straight)])
    outage.failed(clock.monotonic(), "no route")
    with pytest.raises(SendFailed):
        one.run_once()
    assert one.run_once()
    assert not one.run_once()
    payload = json.loads(receiver.requests[-1].body)
    assert "cannot be reached" in payload["body"]
    assert payload["incident"] == json.loads(receiver.requests[0].body)["incident"]


def test_that_no_channel_works_is_left_to_the_ping_of_the_watcher(store: Store, clock: ManualClock) -> None:
    works = {"hook": False, "bad": False}

    def send(channel: str) -> Send:
        def sent(message: Outgoing) -> None:
            if not works[channel]:
                raise SendFailed("refused")

        return sent

    couriers = [courier(store, send(name), name) for name in works]
    couriers.append(courier(store, lambda message: None, "ping:nightly"))
    delivery = Delivery(Planner(store, clock, PLAN), couriers, outage_told_at_once(clock, []), clock)
    queue(store, *(message(f"g{number}#1.1", name) for number in range(4) for name in works))

    def turn(times: int) -> str | None:
        for one in couriers * times:
            one.run_once()
        return delivery.gaps

    assert turn(2) is None, "it may be a hiccup"
    assert turn(1) == "could not send through any channel"
    works["bad"] = True
    assert turn(1) is None, "the one tells of the other"


def test_a_heart_pings_only_while_it_beats(receiver: HttpReceiver) -> None:
    stop = threading.Event()
    heart = Heart(SystemClock(), ping(f"{receiver.url}/key"), "celsched watch", every=0.01)
    with heart.running(stop):
        heart.beat()
        wait_until(lambda: len(receiver.requests) == 1, message="a beat is a ping")
        heart.beat()
        wait_until(lambda: len(receiver.requests) == 2, message="the next beat is the next ping")
    assert receiver.paths() == ["/key", "/key"]


def test_a_channel_that_breaks_in_an_unknown_way_has_failed_like_any_other(store: Store, clock: ManualClock) -> None:
    def broken(message: Outgoing) -> None:
        raise KeyError("password=hunter2")

    queue(store, message(channel="hook"))
    one = courier(store, broken)
    assert one.run_once()
    (health,) = store.read(notices.channel_health)
    assert (health.failures_in_a_row, health.last_error) == (1, "KeyError('password=***')")
    clock.advance(timedelta(days=1))
    assert one.run_once()
    clock.advance(timedelta(days=1))
    assert not one.run_once(), "it was given up"


def test_a_planner_that_breaks_says_so_once(store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    clock.auto_advance = True
    stop, turns = threading.Event(), iter(range(3))

    class Broken(Planner):
        def run_once(self) -> int:
            if next(turns, None) is None:
                stop.set()
            raise ValueError("a text that cannot be made")

    with (
        caplog.at_level("ERROR"),
        Delivery(Broken(store, clock, PLAN), [], outage_told_at_once(clock, []), clock).running(stop),
    ):
        wait_until(stop.is_set, message="the planner has had its turns")
    assert [record.getMessage()[:40] for record in caplog.records] == ["planner: a text that cannot be made; aga"]
