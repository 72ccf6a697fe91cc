"""Owns who delivers messages while no watcher does: the daemon, which has told that they are all gone. It never judges.

Delivery is guarded in the store, so that it does no harm where a watcher, or another daemon, delivers at the same time.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from celsched.clock import Clock
from celsched.domain.health.kinds import AlertKind
from celsched.errors import SettingsError
from celsched.monitor.deliver import Delivery
from celsched.runloop import run_until_stopped
from celsched.store import alerts
from celsched.store.store import Store

log = logging.getLogger(__name__)
_EVERY = 5.0


class StandIn:
    """Delivers while `watch_down` fires; `make` puts the delivery together, which only happens when it is needed.

    What else fires nobody has judged since, so `make` should begin to tell of nothing else.
    """

    def __init__(self, store: Store, clock: Clock, make: Callable[[], Delivery]) -> None:
        self._store = store
        self._clock = clock
        self._make = make
        self._delivery: Delivery | None = None
        self._at_work = ExitStack()
        self.delivers = False

    def run_once(self) -> None:
        """Begin or end delivering, as it is needed now; raise what the store raises, or what a channel lacks."""
        needed = self._store.read(lambda tx: alerts.fires(tx, f"{AlertKind.WATCH_DOWN}:all"))
        if needed and not self.delivers:
            # Before the first need: a daemon's machine may lack what channels want, and fires without it.
            self._delivery = self._delivery or self._make()
            self._at_work.enter_context(self._delivery.running(threading.Event()))
            log.warning("no watcher is running: this daemon delivers messages", extra={"action": "stands_in"})
        elif self.delivers and not needed:
            self._at_work.close()
            log.info("a watcher is back and delivers messages", extra={"action": "stood_in"})
        self.delivers = needed

    @contextmanager
    def running(self, stop: threading.Event) -> Iterator[None]:
        """Stand in within the block, until `stop` is set."""
        thread = threading.Thread(target=self._until, args=(stop,), name="stand-in", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=10)

    def _until(self, stop: threading.Event) -> None:
        said = False

        def step() -> float:
            self.run_once()
            return _EVERY

        def failed(error: Exception, pause: float) -> None:
            nonlocal said
            # That the store is away the scan says already.
            loud = isinstance(error, SettingsError) and not said
            log.log(logging.ERROR if loud else logging.DEBUG, "cannot deliver messages: %s", error)
            said = said or loud

        with self._at_work:
            run_until_stopped(step, stop=stop, clock=self._clock, on_error=failed, max_backoff=60.0)
