"""Owns what a worker's main process makes before it forks, and every pool child inherits. No behaviour of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from celsched.clock import SystemClock
from celsched.redact import Redactor
from celsched.settings import Settings
from celsched.settings.fault import Fault, fault_of
from celsched.store.meta import store_word
from celsched.store.store import Store
from celsched.worker.body import Rules
from celsched.worker.identity import Identity
from celsched.worker.slots import Slots


@dataclass(slots=True)
class Runtime:
    """One worker's shared things. `store` is for the processes that run bodies; the main process has one of its own."""

    settings: Settings
    store: Store
    identity: Identity
    slots: Slots
    folder: Path
    clock: SystemClock = field(default_factory=SystemClock)
    fault: Fault = field(init=False)
    index: int | None = None
    """The slot of this pool child; None in a pool without processes, whose bodies borrow one each."""
    _word: str | None = None
    _rules: Rules | None = None
    _borrowed: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.fault = fault_of(self.settings.fault)

    @property
    def word(self) -> str:
        """The store's word, asked for once."""
        if self._word is None:
            self._word = self.store.write(store_word)
        return self._word

    @property
    def rules(self) -> Rules:
        """What bodies are run by."""
        if self._rules is None:
            self._rules = Rules(self.settings.task_modules, Redactor(self.settings.redact))
        return self._rules

    @contextmanager
    def slot(self) -> Iterator[int]:
        """Give the slot for one body."""
        if self.index is not None:
            yield self.index
            return
        with self._lock:
            index = next(free for free in range(self.slots.count) if free not in self._borrowed)
            self._borrowed.add(index)
        try:
            yield index
        finally:
            with self._lock:
                self._borrowed.discard(index)
