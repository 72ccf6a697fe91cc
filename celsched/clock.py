"""Owns every read of the clock and every wait; the rest of the package is handed a `Clock`.

It never decides anything: instants go in and out as aware UTC, truncated to microseconds.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol


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


class _Measure(NamedTuple):
    """The server's time at a monotonic second. It is wrong by `error` seconds at most: half of the round trip."""

    anchor: float
    server: datetime
    error: float


_PRECISE = 0.05
"""Seconds: a measure that is wrong by more is made again soon."""
_TRIES = 3


class ServerClock:
    """The database server's clock: the machine's monotonic clock plus a measured offset, so machines need not agree.

    `measure` asks the server for its time. It is called when the clock is made and then at most every
    `every` seconds; the round trip is halved. While the server does not answer, the last offset stands; so it does
    beside a later measure that is less precise and does not contradict it, as one over a new connection or on a busy
    machine: fire times would run early by half of what that took.
    """

    def __init__(self, measure: Callable[[], datetime], *, every: float = 30.0) -> None:
        self._measure = measure
        self._every = every
        self._lock = threading.Lock()
        # One value, since others read it while it is measured anew: of two, they could get the halves of two measures.
        self._measured = self._ask()
        for _ in range(_TRIES - 1):
            if self._measured.error > _PRECISE:
                self._measured = min(self._measured, self._ask(), key=lambda one: one.error)
        self._asked = time.monotonic()

    def _ask(self) -> _Measure:
        before = time.monotonic()
        server = self._measure()
        after = time.monotonic()
        return _Measure((before + after) / 2, server.astimezone(UTC), (after - before) / 2)

    def now(self) -> datetime:
        """Return the server's time as last measured, carried on by the monotonic clock."""
        present = time.monotonic()
        measured = self._measured
        return measured.server + timedelta(seconds=present - measured.anchor)

    def refresh(self) -> None:
        """Measure the offset anew if the last try is older than `every`; raise what `measure` raises."""
        with self._lock:
            every = self._every if self._measured.error <= _PRECISE else min(self._every, 1.0)
            if time.monotonic() - self._asked < every:
                return
            self._asked = time.monotonic()
            fresh = self._ask()
            if fresh.error <= self._measured.error or _contradict(fresh, self._measured):
                self._measured = fresh

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event` at most `seconds`; return whether it is set."""
        return event.wait(max(0.0, seconds))


def _contradict(fresh: _Measure, former: _Measure) -> bool:
    """Whether both cannot be right: the server's clock was set, or runs otherwise than ours."""
    expected = former.server + timedelta(seconds=fresh.anchor - former.anchor)
    return abs((fresh.server - expected).total_seconds()) > fresh.error + former.error
