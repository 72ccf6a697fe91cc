"""Judges which running executions were silent for a whole lease of observed time. It never reads store or clock."""

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

    def interrupt(self) -> None:
        """Note that no beat could be written of late; who lives has half a lease from the next look to write one.

        A heartbeat is at most half a lease long, which is what the settings ask for.
        """
        self._silence.interrupt(self._lease / 2)
