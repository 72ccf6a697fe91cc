"""Owns the doorbell between processes: NOTIFY on PostgreSQL, PRAGMA data_version on SQLite. A hint, never the truth."""

import os
import select
import sqlite3
import threading
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from celsched.clock import Clock
from celsched.store.engine import make_engine, parse_url
from celsched.store.store import Store

CHANNEL = "celsched"
_POLL = 0.05
"""Seconds between looks at data_version: 23 ms to notice at the median, under 1 % of a core (reliability.md)."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds until a connection that could not be made is tried again: a server that hangs costs 3 s of the scan a try."""


def ring(tx: Connection) -> None:
    """Tell the daemons, once this transaction commits, that there may be work."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


class Doorbell:
    """Waits until somebody rings, or `poke` is called in this process, or the time is up.

    Losing the connection only costs the hint: it is opened again at a later wait, more and more seldom while that
    fails, and callers scan anyway.
    """

    def __init__(self, store: Store, clock: Clock, *, listen_url: str | None = None) -> None:
        self._clock = clock
        self._postgresql = store.dialect.notifies
        self._url = parse_url(listen_url) if listen_url else store.engine.url
        self._connection: Any = None
        self._version: int | None = None
        self._pause, self._again_at = 0.0, clock.monotonic()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        os.set_blocking(self._reader, False)
        self._poked = threading.Event()

    def poke(self) -> None:
        """Wake the waiter; any thread may call."""
        self._poked.set()
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether somebody rang or poked."""
        try:
            rang = self._wait_postgresql(seconds) if self._postgresql else self._wait_sqlite(seconds)
        except Exception:  # any driver error: the hint is lost, not the work
            self._drop()
            rang = self._sleep(seconds)
        self._poked.clear()
        return rang

    def close(self) -> None:
        """Close the connection and the pipe."""
        self._drop()
        for end in (self._reader, self._writer):
            with suppress(OSError):
                os.close(end)

    def _sleep(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._reader], [], [], max(0.0, seconds))
        self._drain()
        return bool(ready)

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._reader, 4096)

    def _wait_postgresql(self, seconds: float) -> bool:
        if self._connection is None:
            if self._clock.monotonic() < self._again_at:
                return self._sleep(seconds)
            self._listen()
        ready, _, _ = select.select([self._reader, self._connection.fileno()], [], [], max(0.0, seconds))
        self._drain()
        if self._connection.fileno() in ready:
            for _ in self._connection.notifies(timeout=0):
                pass
        return bool(ready)

    def _listen(self) -> None:
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        try:
            engine, _ = make_engine(self._url)
            raw = engine.raw_connection()
            self._connection = raw.driver_connection  # before detach: afterwards it is None
            raw.detach()
            self._connection.autocommit = True
            self._connection.execute(f"LISTEN {CHANNEL}")
        except Exception:
            self._again_at = self._clock.monotonic() + self._pause  # after the try, which may have taken long
            raise
        self._pause = 0.0

    def _wait_sqlite(self, seconds: float) -> bool:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"file:{self._url.database}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._version = None
        until = self._clock.monotonic() + seconds
        while True:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            changed = self._version is not None and version != self._version
            self._version = version
            left = until - self._clock.monotonic()
            if changed or self._poked.is_set() or left <= 0:
                self._drain()
                return changed or self._poked.is_set()
            if self._sleep(min(_POLL, left)):
                return True

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(SQLAlchemyError, OSError, sqlite3.Error, Exception):
                self._connection.close()
        self._connection = None
