"""How long a transaction is tried again: a crowded server heals by itself, a right that was taken by a person."""

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event, text

from celsched.errors import NotPermitted, StoreUnreachable
from celsched.store.engine import make_engine, parse_url
from celsched.store.store import FOR_EVER, Store, Tx
from tests.support.services import PostgresServer

FEW = sql.Identifier("few")
Admin = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Admin]:
    """A superuser's connection."""
    with closing(psycopg.connect(_plain(postgres_url), autocommit=True)) as connection:
        yield connection


@pytest.fixture
def few(postgres_server: PostgresServer, postgres_url: str, admin: Admin) -> Iterator[str]:
    """The URL of a user that may have one connection, and read one table."""
    postgres_server.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 1").format(FEW))
    admin.execute("GRANT SELECT ON meta TO few")
    yield postgres_url.replace("postgres@", "few@")
    admin.execute("DROP OWNED BY few")
    postgres_server.execute(sql.SQL("DROP ROLE {}").format(FEW))


@pytest.fixture
def store(few: str) -> Iterator[Store]:
    """The store as that user has it."""
    made = Store(*make_engine(parse_url(few)))
    yield made
    made.close()


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def _read(tx: Tx) -> bool:
    return tx.execute(text("SELECT count(*) FROM meta")).scalar_one() is not None


def _before_the_second(store: Store, what: str, heal: Callable[[], object]) -> list[int]:
    """Heal right before the engine does `what` a second time; return the list in which the times are counted."""
    seen: list[int] = []

    def before(*_: object) -> None:
        seen.append(1)
        if len(seen) == 2:
            heal()

    event.listen(store.engine, what, before)
    return seen


@pytest.mark.parametrize("patience", [15.0, FOR_EVER])
def test_a_user_with_too_many_connections_gets_one_when_another_is_closed(
    store: Store, few: str, patience: float
) -> None:
    other = psycopg.connect(_plain(few))
    tries = _before_the_second(store, "do_connect", other.close)
    with pytest.raises(StoreUnreachable, match="too many connections"):
        store.write(_read, patience=0)
    tries.clear()
    assert store.write(_read, patience=patience)
    assert len(tries) >= 2


def test_only_who_waits_for_ever_waits_for_a_right_that_was_taken(store: Store, admin: Admin) -> None:
    admin.execute("REVOKE SELECT ON meta FROM few")
    tries = _before_the_second(store, "begin", lambda: admin.execute("GRANT SELECT ON meta TO few"))
    with pytest.raises(NotPermitted):
        store.write(_read, patience=15.0)
    tries.clear()
    assert store.write(_read, patience=FOR_EVER)
    assert len(tries) == 2


@pytest.mark.parametrize(("part", "other"), [("few@", "nobody@"), ("/celsched_", "/nothing_")])
def test_an_unknown_user_or_database_is_told_at_once(few: str, part: str, other: str) -> None:
    store = Store(*make_engine(parse_url(few.replace(part, other))))
    tries: list[int] = []
    event.listen(store.engine, "do_connect", lambda *_: tries.append(1))
    with pytest.raises(StoreUnreachable, match="does not exist"):
        store.write(_read, patience=15.0)
    assert len(tries) == 1
