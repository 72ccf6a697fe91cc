"""Owns the ping by which a daemon or watcher says outside that it is alive. It never speaks for one that is stuck.

A turn with gaps is pinged as a failure: it is no silence, and must not pass for a good one.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from celsched.clock import Clock
from celsched.notify import Outgoing, Send, SendFailed
from celsched.notify.ping import FAIL, SUCCESS

log = logging.getLogger(__name__)
EVERY = 60.0


class Heart:
    """Pings every minute, if `beat` was called since the last ping: a loop that does not turn falls silent outside."""

    def __init__(self, clock: Clock, send: Send, who: str, *, every: float = EVERY) -> None:
        self._clock = clock
        self._send = send
        self._who = who
        self._every = every
        self._beaten = threading.Event()
        self._gaps: str | None = None

    def beat(self, gaps: str | None = None) -> None:
        """Say that a turn was good, or good but for these gaps."""
        self._gaps = gaps
        self._beaten.set()

    @contextmanager
    def running(self, stop: threading.Event) -> Iterator[None]:
        """Ping within the block, until `stop` is set."""
        thread = threading.Thread(target=self._until, args=(stop,), name="heart", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=5)

    def _until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if self._clock.wait(self._beaten, 0.5):
                self._beaten.clear()
                try:
                    self._send(self._word(self._gaps))
                except SendFailed as error:
                    log.debug("the ping of %s failed: %s", self._who, error, extra={"action": "ping_failed"})
                self._clock.wait(stop, self._every)

    def _word(self, gaps: str | None) -> Outgoing:
        if gaps is None:
            return Outgoing("alive", "info", self._who, f"{self._who} is alive", {"signal": SUCCESS})
        return Outgoing("alive", "critical", self._who, f"{self._who} is alive, but {gaps}", {"signal": FAIL})
