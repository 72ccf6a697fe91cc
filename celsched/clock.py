"""Owns every read of the clock and every wait; the rest of the package is handed a `Clock`.

It never decides anything: instants go in and out as aware UTC, truncated to microseconds.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What may know the time: wall time for fire times, monotonic seconds for leases and waits."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event` at most `seconds`; return whether it is set."""
        ...


class SystemClock:
    """The machine's clock, plus an offset in seconds read at each call (tests shift it; production leaves it 0)."""

    def __init__(self, offset: Callable[[], float] | None = None) -> None:
        self._offset = offset

    def now(self) -> datetime:
        """Return the machine's time, plus the offset."""
        present = datetime.now(UTC)
        return present + timedelta(seconds=self._offset()) if self._offset else present

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds; the offset does not touch them."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event` at most `seconds`; return whether it is set."""
        return event.wait(max(0.0, seconds))


class ServerClock:
    """The database server's clock: the machine's monotonic clock plus a measured offset, so machines need not agree.

    `measure` asks the server for its time. It is called when the clock is made and then at most every
    `every` seconds; the round trip is halved. While the server does not answer, the last offset stands.
    """

    def __init__(self, measure: Callable[[], datetime], *, every: float = 30.0) -> None:
        self._measure = measure
        self._every = every
        self._lock = threading.Lock()
        # One value, since others read it while it is measured anew: of two, they could get the halves of two measures.
        self._measured = self._ask()
        self._asked = self._measured[0]

    def _ask(self) -> tuple[float, datetime]:
        before = time.monotonic()
        server = self._measure()
        return (before + time.monotonic()) / 2, server.astimezone(UTC)

    def now(self) -> datetime:
        """Return the server's time as last measured, carried on by the monotonic clock."""
        present = time.monotonic()
        anchor, server = self._measured
        return server + timedelta(seconds=present - anchor)

    def refresh(self) -> None:
        """Measure the offset anew if the last try is older than `every`; raise what `measure` raises."""
        with self._lock:
            if time.monotonic() - self._asked < self._every:
                return
            self._asked = time.monotonic()
            self._measured = self._ask()

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event` at most `seconds`; return whether it is set."""
        return event.wait(max(0.0, seconds))
