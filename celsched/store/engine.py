"""Owns how an engine is made from a URL: drivers, pragmas, time-outs, pools. It never runs a query of ours."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from celsched.errors import SettingsError, StoreUnreachable
from celsched.store.dialect import POSTGRESQL, SQLITE, Dialect
from celsched.store.types import to_json

WAL_BYTES = 4 << 20
"""Size to which SQLite's write-ahead log is cut back once nobody reads an old state any more; it then begins anew."""
READ_ONLY = "celsched_read_only"
"""Execution option of a connection whose transaction only reads."""
UNLIMITED = "celsched_unlimited"
"""Execution option of a connection whose transaction may take as long as it takes."""


def parse_url(text: str) -> URL:
    """Return the URL with our driver filled in.

    Raises:
        SettingsError: it is no URL of SQLite or PostgreSQL.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise SettingsError(
            "`database_url` is not a URL", hint="write sqlite:///path/to/file.db or postgresql://user@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url.set(drivername="sqlite")
    raise SettingsError(f"`database_url` names {backend!r}; celsched stores in sqlite or postgresql")


def make_engine(url: URL) -> tuple[Engine, Dialect]:
    """Return an engine that has not connected yet, and what its database can do."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url), SQLITE
    return _postgresql(url), POSTGRESQL


_CONNECTION = {
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
    # No server-side prepared statements: they break under a pooler in transaction mode, and a bound parameter in the
    # predicate of ON CONFLICT fails from the eleventh execution on.
    "prepare_threshold": None,
}
"""What every connection to PostgreSQL is asked for."""


def _postgresql(url: URL) -> Engine:
    try:
        from celsched.store.silence_limit import SILENCE, HearingConnection, SyncedCursor  # the driver is an extra

        engine = create_engine(
            url,
            json_serializer=to_json,
            pool_pre_ping=True,
            pool_size=2,
            max_overflow=2,
            pool_recycle=1800,
            pool_timeout=10,
            connect_args={"cursor_factory": SyncedCursor, **_CONNECTION},
        )
    except (NoSuchModuleError, ModuleNotFoundError):
        raise SettingsError(
            "`database_url` names PostgreSQL, but its driver is not installed",
            hint="pip install 'celsched[postgres]'",
        ) from None
    # Many rows in one statement: one by one each would cost a round trip.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    # In the place of the driver's own: a listener of `do_connect` would keep all others from being asked.
    engine.dialect.connect = HearingConnection.connect  # type: ignore[assignment]

    @event.listens_for(engine, "begin")
    def _limit(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.silence = None if _unlimited(connection) else SILENCE

    _begin_ourselves(engine, POSTGRESQL)
    return engine


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise SettingsError("`database_url` must name a file: the daemon and its workers are several processes")
    engine = create_engine(
        url,
        json_serializer=to_json,
        # Connections move between threads of one process, one at a time, as a pool does.
        connect_args={"check_same_thread": False, "timeout": 10.0},
        pool_size=4,
        max_overflow=4,
        pool_timeout=30,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA journal_mode=WAL")
        # NORMAL may lose the last commits at a power loss; an execution could then start twice.
        connection.execute("PRAGMA synchronous=FULL")
        # Without a limit the log keeps for ever the size it grew to while a reader held a snapshot.
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA busy_timeout=10000")

    _begin_ourselves(engine, SQLITE)
    return engine


def _begin_ourselves(engine: Engine, dialect: Dialect) -> None:
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(READ_ONLY, False)
        if dialect is SQLITE:
            connection.exec_driver_sql("BEGIN" if reading else dialect.begin_write)
        if dialect.limits and not _unlimited(connection):
            connection.exec_driver_sql(dialect.limits)


def _unlimited(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(UNLIMITED, False))


def prepare_folder(url: URL) -> None:
    """Make the folder of an SQLite file (mode 0700) where it does not exist.

    Raises:
        StoreUnreachable: it cannot be made or written.
    """
    if url.get_backend_name() != "sqlite":
        return
    path = Path(str(url.database))
    try:
        # Not its parents: a folder that is not there is more likely a typing error than a wish.
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreUnreachable(
            f"the data folder {path.parent} cannot be made: {error.strerror}",
            hint="set `database_url`, or run in a folder that you may write",
        ) from None
    if path.exists() and not os.access(path, os.R_OK):
        raise StoreUnreachable(f"the store {path} cannot be read by this user", hint="ask its owner, or use sudo -u")
