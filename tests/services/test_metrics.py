"""What Prometheus reads from a daemon."""

from urllib.request import urlopen

import pytest

from celsched.errors import SettingsError
from celsched.monitor.metrics import serve_metrics
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule
from tests.support.services import free_port


def _scrape(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_a_scrape_reads_the_store(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    run_now(scope, RunNow("schedule"))
    before = _read(scope, clock)
    assert before["celsched_store_up"] == 1
    assert before["celsched_schedules_active"] == 1
    assert before['celsched_executions{state="pending"}'] == 1


def _read(scope: Scope, clock: ManualClock) -> dict[str, float]:
    port = free_port()
    stop = serve_metrics(scope.store, clock, "127.0.0.1", port)
    try:
        return _scrape(port)
    finally:
        stop()


def test_an_address_that_is_taken_is_refused(scope: Scope, clock: ManualClock) -> None:
    port = free_port()
    stop = serve_metrics(scope.store, clock, "127.0.0.1", port)
    try:
        with pytest.raises(SettingsError, match="cannot be used"):
            serve_metrics(scope.store, clock, "127.0.0.1", port)
    finally:
        stop()
