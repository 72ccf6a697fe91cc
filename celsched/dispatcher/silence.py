"""Judges which running executions were silent for a whole lease of observed time. It never reads store or clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from celsched.domain.silence import Silence
from celsched.store.recovery import Running


@dataclass(frozen=True, slots=True)
class Silent:
    """What one look found: those silent for half a lease or longer, and those of them silent for a whole one."""

    half: list[Running]
    whole: list[Running]


class SilenceWatch:
    """Remembers, per claim, for how long no beat was seen; one look adds at most two periods."""

    def __init__(self, lease: timedelta, period: timedelta) -> None:
        self._lease = lease.total_seconds()
        self._silence = Silence(2 * period.total_seconds())

    def look(self, running: Iterable[Running], monotonic: float) -> Silent:
        """Take a successful look at what runs, at this monotonic second."""
        seen = list(running)
        silent = self._silence.look({one.token: one.heartbeat for one in seen}, monotonic)
        half, whole = ([one for one in seen if silent[one.token] >= least] for least in (self._lease / 2, self._lease))
        return Silent(half, whole)

    def interrupt(self) -> None:
        """Note that no beat could be written of late; who lives has half a lease from the next look to write one.

        A heartbeat is at most half a lease long, which is what the settings ask for.
        """
        self._silence.interrupt(self._lease / 2)
