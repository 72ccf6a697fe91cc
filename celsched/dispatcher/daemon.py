"""Composes the daemon: the due scan in the main thread, the publisher in its own. It never runs user code."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from celsched.clock import Clock
from celsched.dispatcher.housekeeping import Housekeeping
from celsched.dispatcher.publish import Outbox
from celsched.dispatcher.recover import Recovery
from celsched.dispatcher.tick import DueScan, TickResult
from celsched.errors import StoreUnreachable
from celsched.runloop import WakeEvent, run_until_stopped
from celsched.service import ServiceManager
from celsched.store import due
from celsched.store.presence import Presence
from celsched.store.store import Store
from celsched.store.wake import Doorbell

log = logging.getLogger(__name__)
_LONGEST_SLEEP = 1.0
_PUBLISHER_SLEEP = 0.25
_LONGEST_BACKOFF = 2.0
_STUCK = 60.0
"""Seconds after which a broker that takes nothing is no hiccup."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a daemon is put together from. `chores`: what else it does, and how often, while the store answers."""

    store: Store
    clock: Clock
    scan: DueScan
    outbox: Outbox
    recovery: Recovery
    housekeeping: Housekeeping
    presence: Presence
    doorbell: Doorbell
    service: ServiceManager
    chores: Sequence[tuple[timedelta, Callable[[], object]]] = ()


class Chore:
    """Something done in the scan's thread at most every so often."""

    def __init__(self, clock: Clock, every: timedelta, work: Callable[[], object]) -> None:
        self._clock = clock
        self._every = every.total_seconds()
        self._work = work
        self._last: float | None = None

    def run_if_due(self) -> None:
        """Do the work unless it was done less than `every` ago; raise what it raises, and then try again later."""
        moment = self._clock.monotonic()
        if self._last is None or moment - self._last >= self._every:
            self._last = moment
            self._work()


class Daemon:
    """Runs until `stop` is set; whatever happens to store or broker it goes on, and says so once.

    `extra` is called in every turn, `good` only after one that succeeded, with what is amiss all the same, if anything.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        recover_every: timedelta,
        extra: Callable[[], None] | None = None,
        good: Callable[[str | None], None] | None = None,
    ) -> None:
        self._parts = parts
        self._publisher_wake = WakeEvent(parts.clock)
        self._extra = extra
        self._good = good
        # Silence is counted in looks: one that came later than its period would stretch every lease.
        self._longest_sleep = min(_LONGEST_SLEEP, recover_every.total_seconds())
        self._store_down = False
        self._chores = (
            Chore(parts.clock, recover_every, parts.recovery.run_once),
            Chore(parts.clock, timedelta(minutes=10), parts.housekeeping.run_once),
            Chore(parts.clock, timedelta(seconds=1), parts.housekeeping.go_on),
            *(Chore(parts.clock, every, work) for every, work in parts.chores),
        )

    def run(self, stop: threading.Event) -> None:
        """Scan and publish until `stop` is set, then end what is in flight and leave."""
        publisher = threading.Thread(target=self._publish_until, args=(stop,), name="publisher", daemon=True)
        publisher.start()
        run_until_stopped(
            self._scan,
            stop=stop,
            clock=self._parts.clock,
            on_error=self._failed,
            wake=self._wait,
            max_backoff=_LONGEST_BACKOFF,
        )
        self._parts.service.stopping()
        self._publisher_wake.set()
        publisher.join(timeout=10)
        self._leave()

    def wake(self) -> None:
        """End the present waits; any thread may call."""
        self._parts.doorbell.poke()

    def _wait(self, seconds: float) -> None:
        if self._parts.doorbell.wait(seconds):
            self._publisher_wake.set()

    def _scan(self) -> float | None:
        parts = self._parts
        parts.store.refresh_clock()
        result = parts.scan.run_once()
        if result.fires:
            self._publisher_wake.set()
        parts.service.ready()
        if self._store_down:
            self._store_down = False
            log.info("the store answers again", extra={"action": "store_up"})
        parts.presence.beat(f"{result.schedules} due")
        for chore in self._chores:
            chore.run_if_due()
        if self._extra:
            self._extra()
        if self._good:
            self._good(self._gaps())
        parts.service.alive(f"last scan: {result.schedules} schedules due, {result.fires} dispatched")
        return None if result.full else self._pause(result)

    def _gaps(self) -> str | None:
        """Return what this daemon cannot do although it scans: who waits for its ping would take it for a sound one."""
        stuck = self._parts.outbox.stuck_for()
        return f"could not send what is due for {stuck:.0f} s" if stuck >= _STUCK else None

    def _pause(self, result: TickResult) -> float:
        coming = self._parts.store.read(due.next_wake)
        if coming is None:
            return self._longest_sleep
        left = (coming - self._parts.clock.now()).total_seconds()
        # Nothing was taken although something is due: another daemon holds it; do not spin meanwhile.
        floor = 0.001 if result.schedules else 0.05
        return min(max(left, floor), self._longest_sleep)

    def _failed(self, error: Exception, pause: float) -> None:
        # A store that is away is no reason to be killed by the service manager.
        self._parts.service.alive("the store does not answer")
        if isinstance(error, StoreUnreachable):
            self._parts.recovery.interrupt()
        if self._extra:
            with suppress(Exception):  # a second failure, perhaps the very one that is handled here, must not end us
                self._extra()
        if not self._store_down:
            self._store_down = True
            log.error("scan failed: %s; trying again", error, extra={"action": "scan_failed"})
        else:
            log.debug("scan failed again, next in %.1f s: %s", pause, error)

    def _publish_until(self, stop: threading.Event) -> None:
        def step() -> float | None:
            result = self._parts.outbox.run_once(stop)
            return None if result.full else _PUBLISHER_SLEEP

        def failed(error: Exception, pause: float) -> None:
            # That the store is away the scan says already.
            level = logging.DEBUG if isinstance(error, StoreUnreachable) else logging.ERROR
            said = "publishing failed, next try in %.1f s: %s"
            log.log(level, said, pause, error, extra={"action": "publish_failed"})

        run_until_stopped(
            step,
            stop=stop,
            clock=self._parts.clock,
            on_error=failed,
            wake=self._publisher_wake,
            max_backoff=_LONGEST_BACKOFF,
        )
        self._parts.outbox.close()

    def _leave(self) -> None:
        try:
            self._parts.presence.leave()
        except Exception as error:  # the store may be away; a clean stop does not depend on it
            log.debug("could not record the stop: %s", error)
        self._parts.doorbell.close()
