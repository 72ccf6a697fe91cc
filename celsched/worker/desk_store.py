"""Owns the store of a main process that forks: on SQLite no connection is ever open at the moment of a fork.

It never changes what a transaction does. A child that inherits an open SQLite file also inherits the library's note of
the locks on it: a fork within a transaction leaves a child that finds the database locked for ever.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from celsched.clock import Clock
from celsched.store.store import Store, Tx

T = TypeVar("T")


class DeskStore:
    """Transactions that keep forks waiting, and close their connection before they let them go on (SQLite only).

    One thread uses it; whoever forks waits for the end of the transaction at hand.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._file = store.dialect.name == "sqlite"
        if self._file:
            self._forking = threading.Lock()
            os.register_at_fork(
                before=self._forking.acquire,
                after_in_parent=self._forking.release,
                after_in_child=self._forking.release,
            )
            store.close()

    @property
    def clock(self) -> Clock:
        """The store's clock."""
        return self._store.clock

    def refresh_clock(self) -> None:
        """Measure a server's clock anew where that is due."""
        self._store.refresh_clock()

    def write(self, work: Callable[[Tx], T], *, patience: float) -> T:
        """Run `work` in a writing transaction, as `Store.write` does; raises what it raises."""
        with self._alone():
            return self._store.write(work, patience=patience)

    def read(self, work: Callable[[Tx], T], *, patience: float) -> T:
        """Run `work` in a reading transaction, as `Store.read` does."""
        with self._alone():
            return self._store.read(work, patience=patience)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._file:
            yield
            return
        with self._forking:
            try:
                yield
            finally:
                self._store.close()
