"""Judges whether this worker still hears its queues: a consumer that is up but dead is a known family of Celery faults.

It never stops anything, and it never counts silence as deafness: within the silence a daemon must have sent again, and
that in vain for longer than a worker takes to reach a broker that was away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from celsched.store import recovery
from celsched.worker.desk_store import DeskStore
from celsched.worker.slots import Slots

_RECONNECTS = 40.0
"""Seconds: Celery waits up to 30 between two tries to reach its broker. A send that failed is taken back by then."""


@dataclass(slots=True)
class _Unclaimed:
    publishes: int
    again: float | None = None
    """When a further send was first seen."""


class Hearing:
    """Remembers when the worker last received a message; `queues` None means every queue."""

    def __init__(
        self,
        store: DeskStore,
        slots: Slots,
        monotonic: Callable[[], float],
        queues: Sequence[str] | None,
        republish: timedelta,
    ) -> None:
        self._store, self._slots, self._monotonic, self._queues = store, slots, monotonic, queues
        self._patience = 2 * republish.total_seconds()
        self._received = monotonic()
        self._unclaimed: dict[int, _Unclaimed] = {}

    def note(self) -> None:
        """A message was received."""
        self._received = self._monotonic()

    def deaf(self) -> bool:
        """Return whether messages were sent to our queues while we had a free process and got nothing; ask often."""
        received, now = self._received, self._monotonic()
        if now - received <= self._patience or self._slots.draining or not self._slots.any_free():
            self._unclaimed = {}
            return False
        queued = self._store.read(lambda tx: recovery.unclaimed(tx, self._queues), patience=0)
        found = {number: self._unclaimed.get(number, _Unclaimed(publishes)) for number, publishes in queued.items()}
        for number, one in found.items():
            if one.again is None and queued[number] > one.publishes:
                one.again = now
        self._unclaimed = found
        in_vain = any(one.again is not None and now - one.again >= _RECONNECTS for one in found.values())
        return in_vain and self._received == received
