"""Owns the store that every test of this ring runs against, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.operations.scope import Scope
from celsched.store.store import Store, open_store
from tests.support.clock import ManualClock
from tests.support.factories import scope_of
from tests.support.services import PostgresServer
from tests.support.stores import TEMPLATE, EmptyDatabases, clock_of, copy_sqlite, make_sqlite_template, store_at


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the migrations applied."""
    return make_sqlite_template(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A PostgreSQL database with the migrations applied."""
    open_store(postgres_server.create_database(TEMPLATE), upgrade=True).close()
    return TEMPLATE


@pytest.fixture(scope="session")
def postgres_pool(postgres_server: PostgresServer, postgres_template: str) -> EmptyDatabases:
    """Databases that are handed out empty."""
    return EmptyDatabases(postgres_server, postgres_template)


@pytest.fixture
def postgres_url(postgres_pool: EmptyDatabases) -> Iterator[str]:
    """The URL of an empty database with the tables in it."""
    url = postgres_pool.take()
    yield url
    postgres_pool.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh store of each kind; only the services that it needs are started."""
    if request.param == "sqlite":
        return copy_sqlite(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store whose clock stands still; the test must give back every connection."""
    with store_at(store_url) as opened:
        yield opened


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """A fresh PostgreSQL store, for what SQLite's single writer hides."""
    with store_at(postgres_url) as opened:
        yield opened


@pytest.fixture
def clock(store: Store) -> ManualClock:
    """The clock of `store`."""
    return clock_of(store)


@pytest.fixture
def scope(store: Store) -> Scope:
    """A person at `store`."""
    return scope_of(store)
