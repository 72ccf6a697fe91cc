"""The first message of a pool child, which has asked the store nothing yet, while the store is away."""

from pathlib import Path
from typing import Any

import pytest

from celsched.broker.message import Message
from celsched.errors import StoreUnreachable
from celsched.settings.load import load
from celsched.store.store import Store
from celsched.worker.identity import identify
from celsched.worker.runtime import Runtime
from celsched.worker.side import WorkerSide
from celsched.worker.slots import Slots


def test_it_is_left_for_the_daemon_to_send_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise StoreUnreachable("the store does not answer")

    settings, slots = load({}, {"HOME": str(tmp_path)}, tmp_path), Slots(1)
    side = WorkerSide(None, settings)
    side.runtime = Runtime(settings, store, identify("w"), slots, tmp_path)
    monkeypatch.setattr(store, "write", away)

    side._on_message("t", Message("abc", 7, 2).to_kwargs())

    assert [one.getMessage() for one in caplog.records] == [
        "the message of execution 7.2 was not claimed: the store does not answer"
    ]
    slots.close()
