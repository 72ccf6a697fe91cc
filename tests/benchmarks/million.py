"""Owns what the benchmarks on a million executions share: their options, a store on each database, filling, timing.

It measures nothing itself.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import psycopg
from sqlalchemy import text

from celsched.store.store import Store, Tx, open_store
from tests.support.services import PostgresServer

T = TypeVar("T")
Measure = Callable[[Store, argparse.Namespace], None]


def options_of(description: str | None) -> argparse.ArgumentParser:
    """Return the options that all of them have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--only", choices=["sqlite", "postgresql"])
    options.add_argument("--keep", type=Path, help="a folder for the databases; a filled one is used again")
    return options


def on_both(given: argparse.Namespace, name: str, measure: Measure) -> int:
    """Measure on a database of this name, on SQLite and on PostgreSQL as far as asked for; close each store."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if given.only != "postgresql":
            _measured(f"sqlite:///{folder / name}.db", given, measure)
        if given.only != "sqlite":
            server = PostgresServer(folder)
            server.start()
            try:
                if name not in _databases(server):
                    server.create_database(name)
                _measured(server.database_url(name), given, measure)
            finally:
                server.stop()
    return 0


def _measured(url: str, given: argparse.Namespace, measure: Measure) -> None:
    store = open_store(url, upgrade=True)
    measure(store, given)
    store.close()


def fill(store: Store, define: Callable[[Tx], None], statements: Iterable[str]) -> None:
    """Make the definitions and run the statements that make the rest, where the store is empty."""
    if store.read(lambda tx: tx.scalar(text("SELECT count(*) FROM task_definitions"))):
        return
    store.engine = store.engine.execution_options(celsched_unlimited=True)
    timed(f"{store.dialect.name}: fill", lambda: _fill(store, define, list(statements)))


def _fill(store: Store, define: Callable[[Tx], None], statements: list[str]) -> None:
    store.write(define)
    store.write(lambda tx: [tx.execute(text(statement)) for statement in statements])
    if store.dialect.name == "postgresql":  # what autovacuum does in a real store, minutes after
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    else:  # what a real store does every thousand pages, and not half a gigabyte at the first commit that follows
        with closing(sqlite3.connect(str(store.engine.url.database))) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def timed(title: str, work: Callable[[], T]) -> T:
    """Print how long the work took, and how much of that this process computed; return what it made."""
    begin, used = time.perf_counter(), time.process_time()
    made = work()
    seconds, ours = time.perf_counter() - begin, time.process_time() - used
    sys.stdout.write(f"{title:<44} {seconds:7.2f} s, {ours:5.2f} s of it in this process\n")
    sys.stdout.flush()
    return made


def numbers_to(rows: int, dialect: str) -> str:
    """Return the query of the numbers from 1 on as `x`."""
    if dialect == "sqlite":
        return f"WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < {rows}) SELECT x FROM n"
    return f"SELECT x FROM generate_series(1::bigint, {rows}) AS x"


def instant(microseconds: str, dialect: str) -> str:
    """Return the expression of an instant given as microseconds since 1970."""
    of_postgresql = f"(timestamptz 'epoch' + ({microseconds}) * interval '1 microsecond')"
    return microseconds if dialect == "sqlite" else of_postgresql


def _databases(server: PostgresServer) -> set[str]:
    with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
