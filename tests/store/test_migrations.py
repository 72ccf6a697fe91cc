"""Migrations lead to the declared schema, and a store of another version is refused with the next step."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from celsched.errors import StoreVersionError
from celsched.store import migrate
from celsched.store.engine import make_engine, parse_url
from celsched.store.store import Store, open_store
from celsched.store.tables import metadata
from tests.support.services import PostgresServer
from tests.support.stores import sqlite_url

UPGRADE = "import sys; from celsched.store.store import open_store; open_store(sys.argv[1], upgrade=True).close()"


def test_the_migrated_schema_is_the_declared_one(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_every_version_has_its_file_and_the_store_has_the_newest(store: Store) -> None:
    folder = Path(migrate.__file__).parent / "migrations" / "versions"
    files = sorted(path.name.split("_")[0] for path in folder.glob("[0-9]*.py"))

    assert tuple(files) == migrate.VERSIONS
    assert store.read(migrate.current_version) == migrate.HEAD


def test_a_newer_schema_is_refused(store_url: str, store: Store) -> None:
    store.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")).rowcount)

    with pytest.raises(StoreVersionError, match="9999, newer than this celsched") as caught:
        open_store(store_url)
    assert caught.value.hint == "upgrade celsched on this machine"


def test_an_sqlite_store_is_made_on_first_use(tmp_path: Path) -> None:
    path = tmp_path / "پوشه" / "store.db"

    store = open_store(sqlite_url(path))

    assert store.read(migrate.current_version) == migrate.HEAD
    assert path.parent.stat().st_mode & 0o777 == 0o700
    store.close()


def test_postgresql_without_our_tables_asks_for_an_upgrade(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("celsched_empty")
    try:
        with pytest.raises(StoreVersionError, match="no celsched tables yet") as caught:
            open_store(url)
        assert caught.value.hint == "run `celsched db upgrade`"
        open_store(url, upgrade=True).close()
        open_store(url).close()
    finally:
        postgres_server.drop_database("celsched_empty")


def test_a_query_before_the_upgrade_says_what_to_do(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("celsched_bare")
    engine, dialect = make_engine(parse_url(url))
    try:
        with pytest.raises(StoreVersionError, match="no celsched tables"):
            Store(engine, dialect).read(lambda tx: tx.execute(text("SELECT * FROM executions")).all())
    finally:
        engine.dispose()
        postgres_server.drop_database("celsched_bare")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_processes_may_upgrade_at_once(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if kind == "sqlite":
        url = sqlite_url(tmp_path / "store.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.create_database("celsched_twice")
    command = [sys.executable, "-c", UPGRADE, url]
    upgraders = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]

    said = [upgrader.communicate(timeout=60)[1] for upgrader in upgraders]

    assert [upgrader.returncode for upgrader in upgraders] == [0, 0], "\n".join(said)
    store = open_store(url)
    assert store.read(migrate.current_version) == migrate.HEAD
    store.close()
    if kind == "postgresql":
        server.drop_database("celsched_twice")
