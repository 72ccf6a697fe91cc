"""Owns a store that hears of no COMMIT: what is written through it is run twice, as after a lost reply."""

import threading
from collections.abc import Callable
from datetime import timedelta

from celsched.store.store import Store, T, Tx
from tests.support.clock import ManualClock


class Deaf(Store):
    """A store that hears of no COMMIT at first, and a second later runs everything again."""

    def write(self, work: Callable[[Tx], T], *, patience: float = 15.0, stop: threading.Event | None = None) -> T:
        super().write(work)
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(timedelta(seconds=1))
        return super().write(work)
