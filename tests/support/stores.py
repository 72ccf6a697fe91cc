"""Owns stores for tests: templates with the migrations applied, copies of them, and the check that none leaks.

It never shares a database between two tests.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from celsched.clock import Clock
from celsched.store.engine import make_engine, parse_url
from celsched.store.store import Store, open_store
from tests.support.clock import ManualClock

START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
"""When the clock of a test's store begins; the minute is not full, so that nothing is due by accident."""
TEMPLATE = "celsched_template"


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
