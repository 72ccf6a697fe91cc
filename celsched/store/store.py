"""Owns transactions: every one is a function, re-run whole when the database hiccups. It never holds a query.

A function handed to `write` or `read` must be safe to run again from its start: it acts by guards and tokens, and has
no effect outside the transaction.
"""

import random
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from celsched.clock import Clock, ServerClock, SystemClock
from celsched.errors import CelschedError, NotPermitted, StoreFull, StoreUnreachable, StoreVersionError
from celsched.store import migrate
from celsched.store.dialect import Dialect
from celsched.store.engine import READ_ONLY, make_engine, parse_url, prepare_folder
from celsched.store.same_file import SameFile

Tx = Connection
"""One open transaction; only functions of this package run statements on it."""

T = TypeVar("T")
FOR_EVER = float("inf")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_WAITING = threading.Event()  # never set: a plain interruptible wait


class Store:
    """A database with celsched's tables, open for transactions."""

    def __init__(
        self,
        engine: Engine,
        dialect: Dialect,
        clock_offset: Callable[[], float] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.engine = engine
        self.dialect = dialect
        self.file = SameFile(engine.url)
        self._clock_offset = clock_offset
        self._clock = clock

    @property
    def place(self) -> str:
        """Where it is, for people: no password."""
        return _place(self.engine.url)

    @property
    def clock(self) -> Clock:
        """The clock of fire times: the one handed in, else the server's on PostgreSQL, the machine's on SQLite."""
        if self._clock is None:
            self._clock = self._make_clock()
        return self._clock

    def _make_clock(self) -> Clock:
        if not self.dialect.row_locks or self._clock_offset is not None:
            return SystemClock(self._clock_offset)
        return ServerClock(lambda: self.read(lambda tx: tx.scalar(text("SELECT clock_timestamp()"))))

    def refresh_clock(self) -> None:
        """Measure the server's clock anew where that is due; an outage leaves the last offset in force."""
        if isinstance(self._clock, ServerClock):
            with suppress(StoreUnreachable):
                self._clock.refresh()

    def write(self, work: Callable[[Tx], T], *, patience: float = 15.0, stop: threading.Event | None = None) -> T:
        """Run `work` in a writing transaction and commit; what it returned is true only once this returns.

        On a lost connection, serialization failure, deadlock or busy database the whole of it is run again with
        back-off, for `patience` seconds or until `stop` is set. What only a person heals (a full disk, a password, a
        right that was taken) is waited for only where `patience` is FOR_EVER.

        Raises:
            StoreUnreachable: the database did not take it in time. StoreFull: its disk has no room for it.
        """
        return self._run(work, patience, stop, read_only=False)

    def read(self, work: Callable[[Tx], T], *, patience: float = 5.0) -> T:
        """Run `work` in a short read-only transaction; retried like `write`."""
        return self._run(work, patience, None, read_only=True)

    def _run(self, work: Callable[[Tx], T], patience: float, stop: threading.Event | None, *, read_only: bool) -> T:
        clock = SystemClock()
        until = clock.monotonic() + patience
        pause = _FIRST_PAUSE
        while True:
            try:
                self.file.check()
                with self.engine.connect().execution_options(**{READ_ONLY: read_only}) as tx, tx.begin():
                    return work(tx)
            except (DatabaseError, InterfaceError, PoolTimeout) as error:
                lasting = _lasting(error, self.engine.url)
                if lasting is not None and patience < FOR_EVER:
                    raise lasting from error
                given_up = _is_full(error) and patience < FOR_EVER
                if given_up or clock.monotonic() + pause > until or (stop is not None and stop.is_set()):
                    raise _unreachable(error, self.engine.url) from error
            clock.wait(stop or _WAITING, pause * (0.5 + random.random() / 2))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def forget_connections(self) -> None:
        """After a fork: leave the parent's connections alone and open new ones."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _lasting(error: Exception, url: URL) -> CelschedError | None:
    """Return what to raise at once where trying again cannot help; None where it may; raise what is our own fault."""
    if not isinstance(error, DBAPIError):
        return None
    said = str(error.orig).strip()
    code = _sqlstate(error)
    if code == "42P01" or "no such table" in said or code == "42703" or "no such column" in said:
        return StoreVersionError("the store has no celsched tables, or older ones", hint="run `celsched db upgrade`")
    if code == "42501" or "readonly database" in said:
        return NotPermitted(
            f"this user may not write the store {_place(url)}", hint="ask for the role, or for the data folder"
        )
    # A connection that is refused comes without a code. "too many connections for role" must be tried again.
    unknown = "password authentication failed" in said or re.search(r"(role|database) .* does not exist", said)
    if code.startswith("28") or code == "3D000" or unknown:
        return _unreachable(error, url)
    if "not a database" in said or "malformed" in said:
        return StoreUnreachable(f"{_place(url)} is no SQLite database, or a broken one", hint="check `database_url`")
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        raise error
    return None


def _place(url: URL) -> str:
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _is_full(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and (_sqlstate(error) == "53100" or "disk is full" in str(error.orig))


def _unreachable(error: Exception, url: URL) -> StoreUnreachable:
    if _is_full(error):
        return StoreFull(f"the disk of the store {_place(url)} is full", hint="make room there; nothing else is needed")
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    reason = said[0] if said else type(error).__name__
    return StoreUnreachable(
        f"the store {_place(url)} does not answer: {reason}",
        hint="check `database_url` (`celsched config`)",
        reason=reason,
    )


def open_store(database_url: str, *, clock_offset_file: Path | None = None, upgrade: bool = False) -> Store:
    """Return the store at `database_url`.

    An SQLite store is made and upgraded on first use; PostgreSQL only with `upgrade` (`celsched db upgrade`).

    Raises:
        SettingsError: the URL is unusable. StoreUnreachable: it cannot be opened.
        StoreVersionError: its schema is newer than this celsched, or was not upgraded.
    """
    url = parse_url(database_url)
    prepare_folder(url)
    engine, dialect = make_engine(url)
    store = Store(engine, dialect, _offset_reader(clock_offset_file))
    try:
        _make_current(store, upgrade=upgrade)
    except BaseException:
        store.close()
        raise
    store.file.remember()
    return store


def _make_current(store: Store, *, upgrade: bool) -> None:
    version, place = store.read(migrate.current_version), _place(store.engine.url)
    if migrate.is_current(version, place=place):
        return
    if store.dialect.row_locks and not upgrade:
        raise StoreVersionError(
            f"the store {place} has no celsched tables yet"
            if version is None
            else f"the schema of the store {place} is older than this celsched",
            hint="run `celsched db upgrade`",
        )
    migrate.upgrade(store.engine)


def stored_version(database_url: str) -> str | None:
    """Return the schema version that the database has, None where it holds no celsched tables; nothing is made.

    Raises:
        SettingsError: the URL is unusable. StoreUnreachable: it cannot be opened.
    """
    url = parse_url(database_url)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return None
    store = Store(*make_engine(url))
    try:
        return store.read(migrate.current_version)
    finally:
        store.close()


def _offset_reader(path: Path | None) -> Callable[[], float] | None:
    """Return how the test hook reads its offset in seconds: from a file, at each look; a missing file is no offset."""
    if path is None:
        return None

    def read() -> float:
        try:
            return float(path.read_text().strip() or 0)
        except (OSError, ValueError):
            return 0.0

    return read
