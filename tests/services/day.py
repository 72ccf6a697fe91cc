"""Owns a day of a store for tests: its daemon, its workers, its watcher and what that sends, taking turns by hand.

It starts no process and never turns the clock; what goes wrong, and when, is the test's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from celsched.dispatcher.recover import Recovery
from celsched.dispatcher.tick import DueScan
from celsched.domain.execution import Execution, State
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RuleBook
from celsched.domain.notices import Channel
from celsched.monitor.check import Watcher
from celsched.monitor.deliver import Courier, Plan, Planner
from celsched.monitor.observe import Surroundings
from celsched.notify import Outgoing, SendFailed
from celsched.settings.fault import no_fault
from celsched.store import alerts, claims, instances, outbox
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.store.tables import executions
from tests.support import actors
from tests.support.factories import scope_of
from tests.support.stores import clock_of

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = HEARTBEAT = timedelta(minutes=1)
RULES = RuleBook({AlertKind.LATE_START: Tuning(parameters={"threshold": 5 * MINUTE})})
"""The rules as settings make them by default."""
CHANNELS = (Channel("mail"), Channel("pager", severities=frozenset({Severity.CRITICAL})))

Body = Callable[[str, datetime], tuple[timedelta, State]]
"""Says how long the execution of a schedule for a fire time runs, and how it ends."""


def clock_time(text: str) -> datetime:
    """Return an instant of the day by its hour and minute."""
    hours, minutes = text.split(":")
    return MIDNIGHT + timedelta(hours=int(hours), minutes=int(minutes))


def between(now: datetime, first: str, last: str) -> bool:
    """Return whether it is from the first time up to just before the last one."""
    return clock_time(first) <= now < clock_time(last)


@dataclass
class Crew:
    """A worker with room for everything: it takes what was sent to its queue, and ends it when its time has come."""

    store: Store
    name: str
    queue: str
    body: Body
    running: list[tuple[datetime, State, Execution]] = field(default_factory=list)

    def come(self) -> None:
        """Start."""
        now = self.store.clock.now()
        one = Instance(self.name, "worker", "ماشین", 1, self.name, "1", (self.queue,), 1, 0, now, now)
        self.store.write(lambda tx: instances.register(tx, one))

    def leave(self) -> None:
        """Stop."""
        self.store.write(lambda tx: instances.leave(tx, self.name, self.store.clock.now()))

    def turn(self, *, takes: bool = True) -> None:
        """Report, end what has run its time, and take what waits."""
        now = self.store.clock.now()
        self.store.write(lambda tx: (instances.beat(tx, self.name, now), claims.beat(tx, self.name)))
        for one in [one for one in self.running if one[0] <= now]:
            self.running.remove(one)
            actors.end(self.store, one[2], one[1])
        e = executions.c
        waiting = select(e.id).where(e.state == "queued", e.queue_name == self.queue).order_by(e.id)
        for number in self.store.read(lambda tx: list(tx.scalars(waiting))) if takes else ():
            claimed = actors.start(self.store, number, worker=self.name)
            length, outcome = self.body(str(claimed.schedule), claimed.fire_time or now)
            if length:
                self.running.append((now + length, outcome, claimed))
            else:
                actors.end(self.store, claimed, outcome)


class Day:
    """The store, everybody who works on it, and what arrived through each channel: time, what it said, about what."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.scope = store, clock_of(store), scope_of(store)
        self.arrived: dict[str, list[tuple[str, str, str]]] = {channel.name: [] for channel in CHANNELS}
        self.pager_works = True
        self.scan = DueScan(store, self.clock, {}, actors.DAEMON)
        self.recovery = Recovery(store, self.clock, lease=3 * HEARTBEAT, period=HEARTBEAT, prove=lambda: None)
        around = Surroundings(channels={"mail", "pager"})
        self.watcher = Watcher(store, self.clock, rules=RULES, heartbeat=HEARTBEAT, settings={}, around=around)
        plan = Plan(CHANNELS, ZoneInfo("UTC"), timedelta(days=30))
        self.planner = Planner(store, self.clock, plan)
        self.couriers = [
            Courier(store, self.clock, channel.name, self._sender(channel.name), fault=no_fault) for channel in CHANNELS
        ]

    def _sender(self, channel: str) -> Any:
        def send(message: Outgoing) -> None:
            if channel == "pager" and not self.pager_works:
                raise SendFailed("connection refused")
            what, _, subject = message.title.rpartition(": ")
            self.arrived[channel].append((f"{self.clock.now():%H:%M}", what, subject.strip('"')))

        return send

    def daemon(self) -> None:
        """One turn of the daemon."""
        now = self.clock.now()
        one = Instance("daemon", "daemon", "ماشین", 1, "daemon", "1", (), 1, 0, MIDNIGHT, now)
        self.store.write(lambda tx: instances.register(tx, one))
        self.scan.run_once()
        self.recovery.run_once()
        if self.store.read(lambda tx: outbox.any_due(tx, now)):
            actors.publish(self.store)

    def watch(self) -> None:
        """One look of the watcher, and all messages that are due."""
        self.watcher.run_once()
        self.planner.run_once()
        for courier in self.couriers:
            while courier.run_once():
                pass

    def alert(self, kind: AlertKind, subject: str) -> int:
        """Return the number of an alert that fires."""
        (found,) = [one for one in self.store.read(alerts.firing) if (one.kind, one.subject) == (kind, subject)]
        return found.id
