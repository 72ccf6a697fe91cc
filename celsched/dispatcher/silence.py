"""Judges which running executions have been silent for a whole lease of observed time. It never reads store or clock.

A beat is a counter, not a time, and only silence that this observer has really watched counts: after an outage of the
store, or a pause of this process, one look adds at most two periods (reliability.md, pitfall 5).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from celsched.store.recovery import Running


@dataclass(slots=True)
class _Watched:
    heartbeat: int
    silent: float


class SilenceWatch:
    """Remembers, per claim, for how long no beat was seen."""

    def __init__(self, lease: timedelta, period: timedelta) -> None:
        self._lease = lease.total_seconds()
        self._longest_step = 2 * period.total_seconds()
        self._last_look: float | None = None
        self._watched: dict[str, _Watched] = {}

    def look(self, running: Iterable[Running], monotonic: float) -> list[Running]:
        """Take a successful look at what runs, at this monotonic second; return those silent for a lease."""
        step = 0.0 if self._last_look is None else min(max(0.0, monotonic - self._last_look), self._longest_step)
        self._last_look = monotonic
        seen: dict[str, _Watched] = {}
        silent = []
        for one in running:
            before = self._watched.get(one.token)
            if before is None or before.heartbeat != one.heartbeat:
                seen[one.token] = _Watched(one.heartbeat, 0.0)
                continue
            seen[one.token] = _Watched(one.heartbeat, before.silent + step)
            if seen[one.token].silent >= self._lease:
                silent.append(one)
        self._watched = seen
        return silent
