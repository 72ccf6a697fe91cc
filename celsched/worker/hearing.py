"""Judges whether this worker still hears its queues: a consumer that is up but dead is a known family of Celery faults.

It never stops anything, and it never counts silence as deafness: a daemon must have sent again, in vain.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from celsched.store import recovery
from celsched.worker.desk_store import DeskStore
from celsched.worker.slots import Slots


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
        self._patience = 2 * republish
        self._received = monotonic()

    def note(self) -> None:
        """A message was received."""
        self._received = self._monotonic()

    def deaf(self) -> bool:
        """Return whether messages were sent to our queues, and again, while we had a free process and got nothing."""
        silent = self._monotonic() - self._received
        if silent <= self._patience.total_seconds() or self._slots.draining or not self._slots.any_free():
            return False
        before = self._store.clock.now() - self._patience
        return self._store.read(lambda tx: recovery.unheard(tx, self._queues, before), patience=0)
