"""A PostgreSQL that is frozen keeps its connections open and answers nothing: nobody waits for it for ever.

TCP sees nothing of it: the server's kernel acknowledges whatever is sent. And a server that hears no more of us gives
back what we had locked.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import bindparam, event, func, insert, select, text, update

from celsched.errors import StoreUnreachable
from celsched.store import silence_limit
from celsched.store.engine import UNLIMITED, make_engine, parse_url
from celsched.store.silence_limit import HearingConnection
from celsched.store.store import Store, Tx
from celsched.store.tables import meta
from tests.support.waiting import wait_until

LIMIT = 0.5


@pytest.fixture
def store(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that takes half a second of silence for a dead server."""
    monkeypatch.setattr(silence_limit, "SILENCE", LIMIT)
    monkeypatch.setattr(HearingConnection, "silence", LIMIT)
    made = Store(*make_engine(parse_url(postgres_url)))
    yield made
    made.close()


def backend(tx: Tx) -> int:
    """Return the process of the server that serves this connection."""
    return int(tx.scalar(text("SELECT pg_backend_pid()")) or 0)


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Within the block a process of the server stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_freezes_in_a_transaction_is_left_and_the_transaction_is_run_again(store: Store) -> None:
    pids: list[int] = []
    with contextlib.ExitStack() as until_the_end:

        def work(tx: Tx) -> int:
            pids.append(backend(tx))
            if len(pids) == 1:
                until_the_end.enter_context(frozen(pids[0]))
            return backend(tx)

        assert store.write(work) == pids[1]
    assert pids[0] != pids[1]


def test_one_that_freezes_between_two_transactions_is_found_out_by_the_next(store: Store) -> None:
    pid = store.read(backend)
    with frozen(pid):
        assert store.read(backend) != pid


def test_who_has_no_patience_is_told(store: Store) -> None:
    def work(tx: Tx) -> None:
        with frozen(backend(tx)):
            backend(tx)

    with pytest.raises(StoreUnreachable, match="the server was silent"):
        store.write(work, patience=0)


def test_what_is_sent_and_never_read_counts_as_silence_too(store: Store) -> None:
    def work(tx: Tx) -> None:
        with frozen(backend(tx)):
            tx.execute(text("SELECT length(:much)"), {"much": "x" * (32 << 20)})

    with pytest.raises(StoreUnreachable, match="silent"):
        store.write(work, patience=0)


def test_an_answer_that_comes_in_pieces_is_no_silence(store: Store) -> None:
    slow = text("SELECT repeat('x', 100000), pg_sleep(0.2) FROM generate_series(1, 5)")
    assert store.read(lambda tx: len(tx.execute(slow).all()), patience=0) == 5


def test_a_change_of_the_schema_may_take_as_long_as_it_takes(store: Store) -> None:
    with store.engine.connect().execution_options(**{UNLIMITED: True}) as tx, tx.begin():
        tx.execute(text("SELECT pg_sleep(1.5)"))
    with pytest.raises(StoreUnreachable, match="silent"):
        store.read(lambda tx: tx.execute(text("SELECT pg_sleep(1.5)")), patience=0)


def test_the_server_ends_a_statement_that_takes_long_before_its_silence_counts(postgres_url: str) -> None:
    store = Store(*make_engine(parse_url(postgres_url)))
    asked = text("SELECT setting::int / 1000.0 FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout')")
    limits = store.read(lambda tx: list(tx.scalars(asked)))
    store.close()
    assert len(limits) == 2
    assert 0 < max(limits) < silence_limit.SILENCE - 2.0


def test_a_silent_server_keeps_nobody_from_the_other_connections(store: Store) -> None:
    pids: list[int] = []
    go_on = threading.Event()

    def stuck(tx: Tx) -> None:
        pids.append(backend(tx))
        go_on.wait(10)
        backend(tx)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.write, stuck, patience=0)
        wait_until(lambda: pids, message="it has begun")
        with frozen(pids[0]):
            go_on.set()
            assert store.read(backend) != pids[0]
            assert isinstance(waiting.exception(timeout=10), StoreUnreachable)


def test_many_statements_are_never_half_said_for_then_the_server_would_hold_their_locks_for_ever(store: Store) -> None:
    """In a pipeline the server waits for its end without any limit of its own."""
    sent: list[int] = []

    @event.listens_for(store.engine, "after_cursor_execute")
    def _sent(*words: Any) -> None:
        sent.append(words[0].connection.driver_connection.pgconn.transaction_status)

    def work(tx: Tx) -> tuple[int, int]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Connection, "_pipeline_nolock", None, raising=False)
            patch.setattr(psycopg.Connection, "pipeline", None)
            tx.execute(insert(meta), [{"key": f"k{number}", "value": "v"} for number in range(2500)])
            change = update(meta).where(meta.c.key == bindparam("which")).values(value=bindparam("word"))
            changed = tx.execute(change, [{"which": f"k{number}", "word": "سلام"} for number in (1, 2, 9999)])
        return changed.rowcount, int(tx.scalar(select(func.count()).where(meta.c.value == "سلام")) or 0)

    assert store.write(work) == (2, 2)
    assert set(sent) == {psycopg.pq.TransactionStatus.INTRANS}
    assert len(sent) < 20, "rows are sent by the thousand"
