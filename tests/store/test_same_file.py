"""An SQLite file that is removed or replaced under who has it open: nobody would ever see what is written into it."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from celsched.errors import StoreUnreachable
from celsched.store.store import Store, open_store


def _count(store: Store) -> int:
    return int(store.read(lambda tx: tx.scalar(text("SELECT count(*) FROM schedules")), patience=0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "زمان.db"


def test_a_file_that_is_gone_does_not_answer_until_it_is_back(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    assert _count(store) == 0
    away = path.rename(path.with_name("away.db"))
    for act in (store.read, store.write):
        with pytest.raises(StoreUnreachable, match="its file was removed or replaced while it was open"):
            act(lambda tx: tx.scalar(text("SELECT 1")), patience=0)
    away.rename(path)
    assert _count(store) == 0
    store.close()


def test_another_file_in_its_place_is_not_taken_for_it(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").replace(path)
    with pytest.raises(StoreUnreachable, match="removed or replaced"):
        _count(store)
    store.forget_connections()
    with pytest.raises(StoreUnreachable, match="removed or replaced"):
        _count(store)
    store.close()
    fresh = open_store(f"sqlite:///{path}")
    assert _count(fresh) == 0, "who opens it now gets what is there"
    fresh.close()
