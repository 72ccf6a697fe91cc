"""Owns the watcher's loop and its row among the instances. It never judges."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from celsched.clock import Clock
from celsched.domain.health.gap import summary
from celsched.domain.health.machine import WATCH_EVERY
from celsched.errors import CelschedError, StoreUnreachable
from celsched.monitor.check import Watcher
from celsched.monitor.gaps import GapLog
from celsched.runloop import run_until_stopped
from celsched.service import ServiceManager
from celsched.store.presence import Presence

log = logging.getLogger(__name__)
_EVERY = WATCH_EVERY.total_seconds()
_SHORTEST = 0.05
"""Seconds: no wait between looks is shorter, since sums of floats may miss a moment by next to nothing."""


class Listener(Protocol):
    """Who is told how each look went."""

    def begins(self) -> None:
        """A look begins; may raise what the store raises."""

    def good(self) -> None:
        """A look has just succeeded."""

    def partly(self, gaps: str) -> None:
        """A look has just succeeded but for these gaps."""

    def store_away(self, began: float, reason: str) -> None:
        """The store did not answer a look that began then, on the monotonic clock."""


class _Nobody:
    def begins(self) -> None:
        pass

    def good(self) -> None:
        pass

    def partly(self, gaps: str) -> None:
        pass

    def store_away(self, began: float, reason: str) -> None:
        pass


def watch_until(
    stop: threading.Event,
    watcher: Watcher,
    presence: Presence,
    clock: Clock,
    service: ServiceManager | None = None,
    listener: Listener | None = None,
) -> None:
    """Look every ten seconds until `stop` is set; an outage of the store is said once and waited for.

    `service` is told of each look, one that failed fast too: a store that is away is no reason to be killed. A watcher
    whose looks fail for any other reason sees nothing: it does not report that it lives, so that `run` can tell. One
    whose looks have gaps lives, and says so with each report. Short heartbeats make it report between looks too.
    """
    manager, ear = service or ServiceManager(None), listener or _Nobody()
    down, blind, began = False, False, 0.0
    gaps: str | None = None
    said = GapLog("alerts of that kind stay as they are, the rest goes on")

    def report() -> None:
        nonlocal began
        began = clock.monotonic()
        if not blind:
            presence.beat(gaps)

    def step() -> float:
        nonlocal down, blind, gaps
        report()
        ear.begins()
        result = watcher.run_once()
        blind, gaps = False, summary(result.gaps)
        said.tell(result.gaps)
        manager.ready()
        manager.alive("; ".join([f"{len(result.firing)} alerts fire", *([gaps] if gaps else [])]))
        if down:
            log.info("the store answers again", extra={"action": "store_up"})
        down = False
        ear.good() if gaps is None else ear.partly(gaps)
        return _EVERY

    def failed(error: Exception, pause: float) -> None:
        nonlocal down, blind
        say = log.debug if down else log.error
        away = isinstance(error, StoreUnreachable)
        ours = None if isinstance(error, CelschedError) else error
        say("watching failed: %s; trying again", error, extra={"action": "watch_failed"}, exc_info=ours)
        down, blind = True, not away
        manager.alive("the store does not answer" if away else "the last look failed")
        if isinstance(error, StoreUnreachable):
            ear.store_away(began, error.message)

    wake = _reporting(report, presence, stop, clock)
    run_until_stopped(step, stop=stop, clock=clock, on_error=failed, wake=wake, max_backoff=_EVERY)
    _leave(presence, manager)


def _reporting(
    report: Callable[[], None], presence: Presence, stop: threading.Event, clock: Clock
) -> Callable[[float], None] | None:
    """Return a wait between looks that calls `report` whenever a beat is due; None where looks come as often."""
    if presence.every >= _EVERY:
        return None

    def wait(seconds: float) -> None:
        until = clock.monotonic() + seconds
        while not stop.is_set() and (left := until - clock.monotonic()) > 0:
            clock.wait(stop, max(min(left, presence.due_in), _SHORTEST))
            if not stop.is_set() and presence.due_in <= 0:
                report()

    return wait


def _leave(presence: Presence, manager: ServiceManager) -> None:
    manager.stopping()
    try:
        presence.leave()
    except Exception as error:  # the store may be away; a clean stop does not depend on it
        log.debug("could not record the stop: %s", error)
