"""Owns a fresh SQLite store with a clock that stands still, for the services that work on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.operations.scope import Scope
from celsched.store.store import Store
from tests.support.clock import ManualClock
from tests.support.factories import scope_of
from tests.support.stores import clock_of, copy_sqlite, make_sqlite_template, store_at


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the migrations applied."""
    return make_sqlite_template(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A fresh store; the test must give back every connection."""
    with store_at(copy_sqlite(sqlite_template, tmp_path / "store.db")) as opened:
        yield opened


@pytest.fixture
def clock(store: Store) -> ManualClock:
    """The clock of `store`."""
    return clock_of(store)


@pytest.fixture
def scope(store: Store) -> Scope:
    """A person at `store`."""
    return scope_of(store)
