"""Owns one process's row among the instances: coming, beating, leaving. It never judges others."""

import os
import secrets
import socket
from datetime import timedelta
from pathlib import Path

from celsched.clock import Clock
from celsched.store import instances
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.version import __version__


def new_instance_id(kind: str) -> str:
    """Return an id that no other start of any process on any machine has: kind, host, pid, boot, random."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        boot = "noboot"
    return f"{kind}-{socket.gethostname()}-{os.getpid()}-{boot}-{secrets.token_hex(3)}"


_PATIENCE = 5.0
"""Seconds: a beat is not worth more, the next one comes soon, and a service manager waits for a word meanwhile."""


class Presence:
    """Beats for one instance, at most every `every`."""

    def __init__(self, store: Store, clock: Clock, kind: str, *, every: timedelta) -> None:
        self.id = new_instance_id(kind)
        self._store = store
        self._clock = clock
        self._kind = kind
        self._every = every.total_seconds()
        self._beaten: float | None = None
        self._note: str | None = None

    @property
    def every(self) -> float:
        """Seconds between beats."""
        return self._every

    @property
    def due_in(self) -> float:
        """Seconds until the next beat is due; none or less where it is."""
        return 0.0 if self._beaten is None else self._beaten + self._every - self._clock.monotonic()

    def beat(self, note: str | None = None) -> None:
        """Register at the first call; later say that we live, where that is due; raise what the store raises."""
        moment = self._clock.monotonic()
        if self._beaten is None or moment - self._beaten >= self._every:
            self._note = note
            self.prove()

    def prove(self) -> None:
        """Beat whether it is due or not, so that the store has taken a write when this returns."""
        moment, now = self._clock.monotonic(), self._clock.now()
        known = self._beaten is not None and self._store.write(
            lambda tx: instances.beat(tx, self.id, now, note=self._note), patience=_PATIENCE
        )
        if not known:
            self._store.write(lambda tx: instances.register(tx, self._row()), patience=_PATIENCE)
        self._beaten = moment

    def leave(self) -> None:
        """Record a clean stop."""
        self._store.write(lambda tx: instances.leave(tx, self.id, self._clock.now()), patience=2)

    def _row(self) -> Instance:
        now = self._clock.now()
        return Instance(
            id=self.id,
            kind=self._kind,
            host=socket.gethostname(),
            pid=os.getpid(),
            name=f"{self._kind}@{socket.gethostname()}",
            version=__version__,
            queues=(),
            capacity=0,
            busy=0,
            started_at=now,
            beat_at=now,
        )
