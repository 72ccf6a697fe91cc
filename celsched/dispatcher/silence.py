"""Judges which running executions have been silent for a whole lease of observed time. It never reads store or clock."""

from collections.abc import Iterable
from datetime import timedelta

from celsched.domain.silence import Silence
from celsched.store.recovery import Running


class SilenceWatch:
    """Remembers, per claim, for how long no beat was seen; one look adds at most two periods."""

    def __init__(self, lease: timedelta, period: timedelta) -> None:
        self._lease = lease.total_seconds()
        self._silence = Silence(2 * period.total_seconds())

    def look(self, running: Iterable[Running], monotonic: float) -> list[Running]:
        """Take a successful look at what runs, at this monotonic second; return those silent for a lease."""
        seen = list(running)
        silent = self._silence.look({one.token: one.heartbeat for one in seen}, monotonic)
        return [one for one in seen if silent[one.token] >= self._lease]
