"""The doorbell: a commit elsewhere ends a wait, on PostgreSQL by NOTIFY and on SQLite by the file's version.

It never tells by how fast a wait ended but by what `wait` answered: its time-outs are longer than a test may take.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from sqlalchemy import URL

from celsched.clock import SystemClock
from celsched.store import wake
from celsched.store.meta import store_word
from celsched.store.store import Store, Tx, open_store
from celsched.store.wake import Doorbell
from tests.support.clock import ManualClock
from tests.support.services import PostgresServer
from tests.support.waiting import wait_until

LONG = 30.0


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("bell"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture
def on_postgres(own_postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[Store]:
    name = f"bell_{abs(hash(request.node.name))}"
    store = open_store(own_postgres.create_database(name), upgrade=True)
    yield store
    store.close()
    own_postgres.drop_database(name)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    yield store
    store.close()


@pytest.fixture(params=["on_postgres", "on_sqlite"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bell(store: Store) -> Iterator[Doorbell]:
    made = Doorbell(store, SystemClock())
    yield made
    made.close()


def ring(store: Store) -> None:
    """Commit a change as another process does, and ring."""

    def work(tx: Tx) -> None:
        tx.exec_driver_sql("UPDATE meta SET value = value")
        wake.ring(tx)

    store.write(store_word)
    store.write(work)


def test_nobody_rings(bell: Doorbell) -> None:
    assert not bell.wait(0.0)
    assert not bell.wait(0.2)


def test_a_commit_ends_the_wait_of_another(store: Store, bell: Doorbell) -> None:
    assert not bell.wait(0.0)  # from now on it listens
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bell.wait, LONG)
        ring(store)
        assert waiting.result()


def test_what_came_between_two_waits_ends_the_next(store: Store, bell: Doorbell) -> None:
    assert not bell.wait(0.0)
    ring(store)
    assert bell.wait(LONG)
    assert not bell.wait(0.1)


def test_a_transaction_that_is_rolled_back_rings_nobody(store: Store, bell: Doorbell) -> None:
    assert not bell.wait(0.0)

    def work(tx: Tx) -> None:
        wake.ring(tx)
        raise KeyError("not this time")

    with pytest.raises(KeyError):
        store.write(work)
    assert not bell.wait(0.2)


def test_a_poke_ends_the_wait(bell: Doorbell) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bell.wait, LONG)
        bell.poke()
        assert waiting.result()
    bell.poke()
    assert bell.wait(LONG)
    assert not bell.wait(0.0)


def test_it_listens_again_after_a_restart_of_the_server(own_postgres: PostgresServer, on_postgres: Store) -> None:
    with closing(Doorbell(on_postgres, SystemClock())) as bell:
        wait_until(lambda: listens(bell, own_postgres), message="it listens")
        own_postgres.stop("immediate")
        bell.wait(0.0)  # the connection is found dead
        assert not bell.wait(0.1), "while the server is down it waits its time, and raises nothing"
        own_postgres.start()
        wait_until(lambda: listens(bell, own_postgres), message="it listens again")
        ring(on_postgres)
        assert bell.wait(LONG)


def test_it_listens_again_where_only_its_connection_was_ended(own_postgres: PostgresServer, on_postgres: Store) -> None:
    with closing(Doorbell(on_postgres, SystemClock())) as bell:
        wait_until(lambda: listens(bell, own_postgres), message="it listens")
        (former,) = listeners(own_postgres)
        with psycopg.connect(own_postgres.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", [former])
        wait_until(lambda: listens(bell, own_postgres) and listeners(own_postgres) != [former], message="it is back")
        ring(on_postgres)
        assert bell.wait(LONG)


def test_many_waits_need_one_connection(own_postgres: PostgresServer, on_postgres: Store) -> None:
    with closing(Doorbell(on_postgres, SystemClock())) as bell:
        for _ in range(5):
            assert not bell.wait(0.0)
        assert len(listeners(own_postgres)) == 1
    wait_until(lambda: not listeners(own_postgres), message="it is closed")


def test_a_server_that_cannot_be_reached_is_tried_more_and_more_seldom(
    own_postgres: PostgresServer, on_postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    tries: list[float] = []

    def hanging(url: URL) -> NoReturn:
        """As one does that answers nothing: it is given up after some seconds."""
        tries.append(clock.monotonic())
        clock.advance(timedelta(seconds=3))
        raise OSError("timed out")

    def pass_seconds(bell: Doorbell, count: int) -> list[float]:
        tries.clear()
        for _ in range(count):
            assert not bell.wait(0.0), "the time that was to be waited is waited all the same"
            clock.advance(timedelta(seconds=1))
        return [after - before for before, after in pairwise(tries)]

    with closing(Doorbell(on_postgres, clock)) as bell:
        with monkeypatch.context() as patch:
            patch.setattr(wake, "make_engine", hanging)
            assert pass_seconds(bell, 300) == [4, 5, 7, 11, 19, 35, 63, 63, 63]
            bell.poke()
            assert bell.wait(LONG), "a poke is heard meanwhile"
        clock.advance(timedelta(seconds=60))
        assert listens(bell, own_postgres)
        own_postgres.restart("immediate")
        wait_until(lambda: not bell.wait(0.0) and listens(bell, own_postgres), message="at once after a good one")


def listens(bell: Doorbell, server: PostgresServer) -> bool:
    """Let it wait for no time, which connects it where it is not; return whether the server has a listener."""
    bell.wait(0.0)
    return bool(listeners(server))


def listeners(server: PostgresServer) -> list[int]:
    """Return the server's processes that listen for us."""
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'").fetchall()
    return [pid for (pid,) in found]
