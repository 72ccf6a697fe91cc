"""Owns how the delivery of messages is put together from settings. It sends nothing."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from celsched.cli.daemon_parts import rule_book
from celsched.clock import Clock
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.notices import Channel
from celsched.monitor.deliver import Courier, Delivery, Plan, Planner
from celsched.monitor.heart import Heart
from celsched.monitor.outage import Outage
from celsched.notify import Send, sender_of
from celsched.notify.ping import ping
from celsched.operations.addresses import address_of
from celsched.settings import NotifyTarget, Settings
from celsched.settings.fault import fault_of
from celsched.store import outages
from celsched.store.notices import PING
from celsched.store.store import Store


class Telling:
    """What runs beside a watcher: messages, the outage of the store, the ping of the watcher itself."""

    def __init__(self, delivery: Delivery, heart: Heart | None) -> None:
        self._delivery = delivery
        self._heart = heart

    def begins(self) -> None:
        """A look begins."""
        self._delivery.outage.begins()

    def good(self) -> None:
        """A look has just succeeded."""
        self._looked(None)

    def partly(self, gaps: str) -> None:
        """A look has just succeeded but for these gaps: the store answers, and who waits for the ping hears of them."""
        self._looked(gaps)

    def store_away(self, began: float, reason: str) -> None:
        """The store did not answer a look that began then."""
        self._delivery.outage.failed(began, reason)

    def _looked(self, gaps: str | None) -> None:
        self._delivery.outage.answers()
        if self._heart is not None:
            self._heart.beat("; ".join(one for one in (gaps, self._delivery.gaps) if one) or None)

    @contextmanager
    def running(self, stop: threading.Event) -> Iterator[None]:
        """Deliver within the block, until `stop` is set."""
        with ExitStack() as parts:
            if self._heart is not None:
                parts.enter_context(self._heart.running(stop))
            parts.enter_context(self._delivery.running(stop))
            yield


def telling_of(settings: Settings, store: Store, clock: Clock) -> Telling:
    """Return what tells people what the watcher finds.

    Raises:
        SettingsError: a channel is unusable, or needs what is not installed.
    """
    return Telling(
        delivery_of(settings, store, clock), heart_of(settings, settings.watch_ping, "celsched watch", clock)
    )


def delivery_of(settings: Settings, store: Store, clock: Clock, *, news: AlertKind | None = None) -> Delivery:
    """Return the planner and the couriers of every channel and ping that the settings name.

    With `news` only an alert of that kind begins to be told: of the others nobody knows any more whether they are true.
    """
    rules, fault, zone = rule_book(settings).rules(), fault_of(settings.fault), ZoneInfo(settings.timezone)
    channels = [channel_of(target) for target in settings.notify]
    sends = [(target.name, sender(settings, target, clock)) for target in settings.notify]
    sends += [(f"{PING}{target.name}", ping(target.url.reveal())) for target in settings.pings]
    couriers = [Courier(store, clock, name, send, fault=fault) for name, send in sends]
    plan = Plan(
        channels if news is None else [replace(one, kinds=frozenset({news})) for one in channels if one.takes(news)],
        zone,
        timedelta(days=settings.cleanup_days),
        frozenset(target.name for target in settings.pings),
        settings.notice_times,
    )
    boxes = [(channel, courier.straight) for channel, courier in zip(channels, couriers, strict=False)]
    outage = Outage(
        clock,
        boxes,
        zone,
        rule=rules[AlertKind.STORE_DOWN],
        record=lambda alert, now: store.write(lambda tx: outages.record(tx, alert, now)),
        times=settings.notice_times,
    )
    return Delivery(Planner(store, clock, plan), couriers, outage, clock)


def channel_of(target: NotifyTarget) -> Channel:
    """Return who is told of what."""
    return Channel(
        name=target.name,
        severities=frozenset(Severity(word) for word in target.severities),
        kinds=frozenset(AlertKind(word) for word in target.kinds),
        labels=target.labels,
        pushes=address_of(target).pushes,
    )


def sender(settings: Settings, target: NotifyTarget, clock: Clock) -> Send:
    """Return how messages are sent through a channel.

    Raises:
        SettingsError: it is unusable, or needs what is not installed.
    """
    return sender_of(address_of(target, settings), clock)


def heart_of(settings: Settings, name: str | None, who: str, clock: Clock) -> Heart | None:
    """Return the ping by which a process says outside that it is alive, None where none is asked for."""
    urls = {target.name: target.url.reveal() for target in settings.pings}
    return None if name is None else Heart(clock, ping(urls[name]), who)
