"""Owns stores for tests: templates with the migrations applied, copies of them, and the check that none leaks.

It never hands a test anything that another one left behind.
"""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from celsched.clock import Clock
from celsched.store import migrate, readable
from celsched.store.engine import make_engine, parse_url
from celsched.store.store import Store, open_store
from celsched.store.tables import metadata
from tests.support.clock import ManualClock
from tests.support.services import PostgresServer

START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
"""When the clock of a test's store begins; the minute is not full, so that nothing is due by accident."""
TEMPLATE = "celsched_template"


class EmptyDatabases:
    """PostgreSQL databases with our tables: emptied and used again, because a copy of the template costs 0.13 s.

    One whose schema a test has changed is dropped.
    """

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []
        self._numbers = itertools.count(1)

    def take(self) -> str:
        """Return the URL of one that is empty."""
        if self._free:
            return self._free.pop()
        return self._server.create_database(f"celsched_store_{next(self._numbers)}", self._template)

    def give_back(self, url: str) -> None:
        """Empty it for the next test; nobody may be connected any more."""
        database = url.rpartition("/")[2]
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            clean = _shape(connection) == (migrate.HEAD, sorted([*metadata.tables, "alembic_version"]))
            if clean:
                names = sql.SQL(", ").join(sql.Identifier(name) for name in metadata.tables)
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names))
        if clean:
            self._free.append(url)
        else:
            self._server.drop_database(database)


def _shape(connection: "psycopg.Connection[tuple[str]]") -> tuple[str, list[str]]:
    version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return version[0] if version else "", sorted(name for (name,) in tables)


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite file at `path`."""
    return f"sqlite:///{path}"


def make_sqlite_template(folder: Path) -> Path:
    """Return a file with the tables in it, to be copied; nobody may have it open."""
    path = folder / "template.db"
    open_store(sqlite_url(path)).close()
    return path


def copy_sqlite(template: Path, path: Path) -> str:
    """Copy the template to `path`; return its URL."""
    shutil.copyfile(template, path)
    return sqlite_url(path)


@contextmanager
def store_at(url: str, clock: Clock | None = None) -> Iterator[Store]:
    """Open the store at `url` with a clock that stands still; at the end no connection may be checked out."""
    readable._said.clear()  # it is of the process, which has one store; of this one's rows nothing was told yet
    engine, dialect = make_engine(parse_url(url))
    store = Store(engine, dialect, clock=clock or ManualClock(START))
    yield store
    taken = engine.pool.checkedout()  # type: ignore[attr-defined]
    store.close()
    assert taken == 0, f"{taken} connections were not given back"


def clock_of(store: Store) -> ManualClock:
    """Return the clock of a store made by `store_at`, to be turned."""
    assert isinstance(store.clock, ManualClock)
    return store.clock
