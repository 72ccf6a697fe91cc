"""A store whose disk is full: said at once and clearly, read all the same, and written again once there is room.

It never fills a disk: SQLite is told how many pages it may have, which ends in the same error.
"""

import threading
from pathlib import Path

import pytest
from sqlalchemy import event

from celsched.errors import StoreFull
from celsched.store.store import FOR_EVER, Store, open_store
from tests.support.executions import add_execution, execution_of


@pytest.fixture
def full(tmp_path: Path) -> Store:
    """A store that has no page left."""
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    add_execution(store, "m.f", name="before")
    store.close()
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))
    return store


def grow(store: Store, patience: float, stop: threading.Event | None = None) -> None:
    store.write(lambda tx: tx.exec_driver_sql("CREATE TABLE more (x)"), patience=patience, stop=stop)


def test_a_full_disk_is_said_at_once(full: Store) -> None:
    with pytest.raises(StoreFull, match=r"the disk of the store .*s\.db is full") as caught:
        grow(full, 3600)  # with back-off the test would not end
    assert caught.value.hint == "make room there; nothing else is needed"
    assert execution_of(full, 1).task == "before"
    full.close()


def test_only_who_waits_for_ever_waits_for_room(full: Store) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: grow(full, FOR_EVER, stop))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "it goes on trying"
    event.listen(full.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=100000"))
    full.close()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(Exception, match="already exists"):
        grow(full, 0)
    full.close()
