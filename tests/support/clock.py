"""Owns the clock that tests turn by hand.

It never follows the machine's clock: time passes only where a test says so.
"""

import threading
from datetime import UTC, datetime, timedelta


class ManualClock:
    """A `celsched.clock.Clock` that stands still until `advance` or `set`.

    `wait` returns at once. With `auto_advance` it first moves on by the seconds asked for (unless the event is set),
    so that a loop under test runs through hours in milliseconds.
    """

    def __init__(self, start: datetime, *, auto_advance: bool = False) -> None:
        self._lock = threading.Lock()
        self._now = _aware(start)
        self._monotonic = 0.0
        self.auto_advance = auto_advance

    def now(self) -> datetime:
        """Return the instant last set, aware UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Return the seconds advanced so far; `set` does not touch them, as a step of a wall clock would not."""
        with self._lock:
            return self._monotonic

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return whether `event` is set, after moving on by `seconds` where `auto_advance` is on and it is not."""
        if self.auto_advance and seconds > 0 and not event.is_set():
            self.advance(timedelta(seconds=seconds))
        return event.is_set()

    def advance(self, by: timedelta) -> None:
        """Let `by` pass on both clocks."""
        if by < timedelta(0):
            raise ValueError("time only goes forward; use set() for a step of the wall clock")
        with self._lock:
            self._now += by
            self._monotonic += by.total_seconds()

    def set(self, instant: datetime) -> None:
        """Step the wall clock to `instant`, in either direction."""
        with self._lock:
            self._now = _aware(instant)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("a naive datetime names no instant")
    return instant.astimezone(UTC)
