"""Owns the watcher's loop and its row among the instances. It never judges."""

import logging
import threading
from typing import Protocol

from celsched.clock import Clock
from celsched.domain.health.machine import WATCH_EVERY
from celsched.errors import CelschedError, StoreUnreachable
from celsched.monitor.check import Watcher
from celsched.runloop import run_until_stopped
from celsched.service import ServiceManager
from celsched.store.presence import Presence

log = logging.getLogger(__name__)
_EVERY = WATCH_EVERY.total_seconds()


class Listener(Protocol):
    """Who is told how each look went."""

    def good(self) -> None:
        """A look has just succeeded."""

    def store_away(self, began: float, reason: str) -> None:
        """The store did not answer a look that began then, on the monotonic clock."""


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
    whose looks fail for any other reason sees nothing: it does not report that it lives, so that `run` can tell.
    """
    manager = service or ServiceManager(None)
    down, blind, began = False, False, 0.0

    def step() -> float:
        nonlocal down, blind, began
        began = clock.monotonic()
        if not blind:
            presence.beat()
        firing = watcher.run_once().firing
        blind = False
        manager.ready()
        manager.alive(f"{len(firing)} alerts fire")
        if down:
            log.info("the store answers again", extra={"action": "store_up"})
        down = False
        if listener is not None:
            listener.good()
        return _EVERY

    def failed(error: Exception, pause: float) -> None:
        nonlocal down, blind
        say = log.debug if down else log.error
        away = isinstance(error, StoreUnreachable)
        ours = None if isinstance(error, CelschedError) else error
        say("watching failed: %s; trying again", error, extra={"action": "watch_failed"}, exc_info=ours)
        down, blind = True, not away
        manager.alive("the store does not answer" if away else "the last look failed")
        if listener is not None and isinstance(error, StoreUnreachable):
            listener.store_away(began, error.message)

    run_until_stopped(step, stop=stop, clock=clock, on_error=failed, max_backoff=_EVERY)
    manager.stopping()
    try:
        presence.leave()
    except Exception as error:  # the store may be away; a clean stop does not depend on it
        log.debug("could not record the stop: %s", error)
