"""Delivery as the settings put it together: how long is waited, what a template makes. Alerts are settled by hand."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.cli.delivery_parts import delivery_of
from celsched.cli.exits import ExitCode
from celsched.clock import SystemClock
from celsched.domain.health.finding import Finding
from celsched.domain.message_template import FIELDS
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
        wait_until(lambda: receiver.requests, timeout=25, message="nothing is waited for")
        settle(store)
        wait_until(lambda: len(receiver.requests) == 2, timeout=60, message="its end a second later")
    assert [body["reason"] for body in bodies(receiver)] == ["firing", "resolved"]


def test_a_template_can_name_every_field_that_is_posted_without_one(
    store: Store, tmp_path: Path, receiver: HttpReceiver
) -> None:
    template = "{" + ", ".join(f'"{name}": ${{{name}}}' for name in FIELDS) + "}"
    toml = f"""
    group_wait = 0
    [[notify]]
    name = "plain"
    url = "webhook+{receiver.url}/plain"
    [[notify]]
    name = "made"
    url = "webhook+{receiver.url}/made"
    template = {json.dumps(template)}
    """
    settle(store, find(since=CLOCK.now() - timedelta(hours=1)))
    with delivering(store, tmp_path, toml):
        wait_until(lambda: len(receiver.requests) == 2, timeout=60, message="both channels are told")
    assert sorted(receiver.paths()) == ["/made", "/plain"]
    first, second = bodies(receiver)
    assert first == second
    assert first["alerts"][0]["subject"] == "گزارش شب"


BAD = """
[[notify]]
name = "chat"
url = "webhook+http://127.0.0.1:9/x"
template = '{"text": "${title}}'
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("config",), ExitCode.USAGE),
        (("alerts", "test", "chat"), ExitCode.USAGE),
        (("watch",), ExitCode.CONFIGURATION),
    ],
)
def test_a_bad_template_ends_every_command_with_its_place(
    tmp_path: Path, command: tuple[str, ...], code: ExitCode
) -> None:
    (tmp_path / "celsched.toml").write_text(BAD, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    assert main(list(command), cli=CliContext(stdout=out, stderr=err, env={}, cwd=tmp_path)) == code
    said = err.getvalue()
    assert f"{tmp_path}/celsched.toml:2: `notify` has for 'chat' a `template` that yields no JSON: " in said
    assert "Unterminated string" in said
    assert "in its line 1, column 10" in said
    assert "Traceback" not in said
    assert not out.getvalue()


def test_the_test_message_goes_through_the_template_although_it_is_of_no_group(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    toml = BAD.replace("http://127.0.0.1:9/x", f"{receiver.url}/x").replace(
        "${title}}", '${title}", "group": ${group}}'
    )
    (tmp_path / "celsched.toml").write_text(toml, encoding="utf-8")
    out = io.StringIO()
    cli = CliContext(stdout=out, stderr=out, env={}, cwd=tmp_path)
    assert main(["alerts", "test", "chat"], cli=cli) == ExitCode.DONE, out.getvalue()
    assert bodies(receiver) == [{"text": "[test] celsched: this is a test", "group": None}]
