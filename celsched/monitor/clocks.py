"""Owns readings of this machine's clock, against the monotonic one and the store's. It never judges them."""

from datetime import datetime, timedelta

from celsched.clock import Clock
from celsched.domain.health.machine_facts import ClockReading

_STEADY = 0.2
"""Seconds within which both clocks must have been read for the pair to mean anything."""
_TRIES = 3
_NONE = timedelta(0)


class ClockWatch:
    """Remembers where the clocks stood. `machine` is this machine's clock; `store` the clock of fire times.

    Where both are one, there is nothing to compare. The monotonic clock stands still while the machine sleeps, so
    that shows as a step forward, and fire times were indeed passed over.
    """

    def __init__(self, machine: Clock, store: Clock) -> None:
        self._machine = machine
        self._store = None if store is machine else store
        self._last: tuple[datetime, float] | None = None
        self._moved = _NONE

    def read(self) -> ClockReading:
        """Read the clocks. `moved` is the greatest step since the last `told`."""
        pair = self._pair()
        if pair is not None:
            if self._last is not None:
                moved = pair[0] - self._last[0] - timedelta(seconds=pair[1] - self._last[1])
                self._moved = max(self._moved, moved, key=abs)
            self._last = pair
        ahead = None if self._store is None else self._machine.now() - self._store.now()
        return ClockReading(self._moved, ahead)

    def told(self) -> None:
        """What was read has been judged, and the judgement is stored."""
        self._moved = _NONE

    def _pair(self) -> tuple[datetime, float] | None:
        """Return both clocks at one moment, None where this process was held up between the two."""
        for _ in range(_TRIES):
            before = self._machine.monotonic()
            now = self._machine.now()
            if self._machine.monotonic() - before <= _STEADY:
                return now, before
        return None
