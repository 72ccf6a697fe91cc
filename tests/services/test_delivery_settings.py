"""Delivery as the settings put it together: what they say of waiting is what happens. Alerts are settled by hand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.cli.delivery_parts import delivery_of
from celsched.clock import SystemClock
from celsched.domain.health.finding import Finding
from celsched.settings import load
from celsched.store import alerts
from celsched.store.store import Store
from tests.store.messages import find
from tests.support.receivers import HttpReceiver, http_receiver
from tests.support.waiting import wait_until

CLOCK = SystemClock()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as server:
        yield server


@contextmanager
def delivering(store: Store, folder: Path, toml: str) -> Iterator[None]:
    """Deliver within the block as a watcher with this settings file does."""
    (folder / "celsched.toml").write_text(toml, encoding="utf-8")
    stop = threading.Event()
    with delivery_of(load({}, {}, folder), store, CLOCK).running(stop):
        yield


def settle(store: Store, *findings: Finding) -> None:
    """Let exactly these be wrong now, by the clock of the machine."""
    now = CLOCK.now()
    seen = store.read(alerts.known)
    store.write(lambda tx: alerts.settle(tx, findings, seen, now))


def bodies(receiver: HttpReceiver) -> list[dict[str, Any]]:
    """Return what arrived so far."""
    return [json.loads(request.body) for request in receiver.requests]


def test_the_times_of_the_settings_are_those_of_the_messages(
    store: Store, tmp_path: Path, receiver: HttpReceiver
) -> None:
    toml = f"""
    group_wait = 0
    group_interval = "1s"
    notify = [{{name = "hook", url = "webhook+{receiver.url}/x"}}]
    """
    settle(store, find(since=CLOCK.now() - timedelta(hours=1)))
    with delivering(store, tmp_path, toml):
        wait_until(lambda: receiver.requests, timeout=20, message="nothing is waited for")
        settle(store)
        wait_until(lambda: len(receiver.requests) == 2, timeout=20, message="its end a second later")
    assert [body["reason"] for body in bodies(receiver)] == ["firing", "resolved"]
