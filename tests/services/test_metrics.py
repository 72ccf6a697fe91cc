"""What Prometheus reads from a daemon or a watcher, parsed by Prometheus' own client."""

from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from celsched.errors import SettingsError
from celsched.monitor.metric_table import METRICS
from celsched.monitor.metrics import serve_metrics
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import instances
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.version import __version__
from tests.store.messages import find, message, queue, settle
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.executions import add_execution
from tests.support.factories import add_schedule
from tests.support.services import free_port
from tests.support.stores import store_at

HEARTBEAT = timedelta(seconds=10)
PATH = "files.tasks.clean"
Values = dict[tuple[str, ...], float]


def _scrape(store: Store, clock: ManualClock) -> dict[str, Values]:
    """Return the values of each metric by its labels' values."""
    port = free_port()
    stop = serve_metrics(store, clock, "127.0.0.1", port, HEARTBEAT)
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        stop()
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def _come(store: Store, kind: str, queues: tuple[str, ...] = ()) -> None:
    now = store.clock.now()
    one = Instance(f"{kind} {now}", kind, "host", 1, kind, "1", queues, 1, 0, now, now)
    store.write(lambda tx: instances.register(tx, one))


def test_every_metric_of_the_table_is_there_and_no_other(store: Store, clock: ManualClock) -> None:
    found = _scrape(store, clock)

    assert list(found) == list(METRICS)
    assert found["celsched_store_up"] == {(): 1}
    assert [version for _, version in found["celsched_build_info"]] == [__version__]


def test_no_value_is_named_by_a_schedule_or_an_execution(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "گزارش شبانه", queue_name="reports")
    run_now(scope, RunNow("گزارش شبانه"))
    settle(scope.store, find())

    found = _scrape(scope.store, clock)

    assert {label for metric in METRICS.values() for label in metric.labels} == {
        "version", "python", "percentile", "state", "queue", "kind", "severity", "channel"
    }  # fmt: skip
    assert "گزارش" not in str(found)
    assert found["celsched_schedules_active"] == {(): 1}
    assert found["celsched_executions"][("pending",)] == 1


def test_queues_and_the_outbox_tell_depth_and_age(store: Store, clock: ManualClock) -> None:
    _come(store, "worker", ("a", "idle"))
    add_execution(store, PATH, queue_name="a")
    actors.publish(store)
    clock.advance(timedelta(seconds=20))
    add_execution(store, PATH, queue_name="a")
    actors.start(store, add_execution(store, PATH, queue_name="b"))
    clock.advance(timedelta(seconds=5))

    found = _scrape(store, clock)

    assert found["celsched_queue_depth"] == {("a",): 2, ("b",): 0, ("idle",): 0}
    assert found["celsched_queue_oldest_seconds"] == {("a",): 25, ("b",): 0, ("idle",): 0}
    assert found["celsched_outbox_unsent"] == {(): 1}
    assert found["celsched_outbox_oldest_seconds"] == {(): 5}
    assert found["celsched_outbox_refused"] == {(): 0}
    assert found["celsched_executions"] == {("pending",): 1, ("queued",): 1, ("retrying",): 0, ("running",): 1}


def test_lateness_and_durations_come_as_percentiles(store: Store, clock: ManualClock) -> None:
    for seconds in range(1, 21):
        number = add_execution(store, PATH)
        clock.advance(timedelta(seconds=1))
        running = actors.start(store, number)
        clock.advance(timedelta(seconds=seconds))
        actors.end(store, running)

    found = _scrape(store, clock)

    assert found["celsched_run_duration_seconds"] == {("50",): 10, ("95",): 19, ("99",): 20}
    assert found["celsched_last_hour_runs"] == {(): 20}
    assert found["celsched_last_hour_run_seconds"] == {(): 210}
    assert found["celsched_start_lateness_seconds"] == {("50",): 1, ("95",): 1, ("99",): 1}
    assert found["celsched_last_5m_starts"] == {(): 20}
    ended = found["celsched_last_hour_ended"]
    assert (ended[("succeeded",)], ended[("failed",)], len(ended)) == (20, 0, 7)
    assert found["celsched_last_hour_reach_seconds"] == {(): 3600}


def test_of_nothing_there_are_no_percentiles(store: Store, clock: ManualClock) -> None:
    found = _scrape(store, clock)
    assert found["celsched_run_duration_seconds"] == {}
    assert found["celsched_last_hour_runs"] == {(): 0}


def test_a_fire_time_that_nobody_decides_is_the_dispatch_lag(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, every=timedelta(minutes=1))
    assert _scrape(scope.store, clock)["celsched_dispatch_lag_seconds"] == {(): 0}
    clock.advance(timedelta(minutes=5))
    late = _scrape(scope.store, clock)
    assert 240 <= late["celsched_dispatch_lag_seconds"][()] <= 300
    assert late["celsched_schedules_due"] == {(): 1}
    actors.scan(scope.store)
    assert _scrape(scope.store, clock)["celsched_dispatch_lag_seconds"] == {(): 0}


def test_who_reports_is_up_and_who_is_silent_is_not(store: Store, clock: ManualClock) -> None:
    _come(store, "daemon")
    clock.advance(timedelta(seconds=31))
    _come(store, "worker", ("a",))
    clock.advance(timedelta(seconds=5))

    found = _scrape(store, clock)

    assert found["celsched_instances_up"] == {("daemon",): 0, ("watcher",): 0, ("worker",): 1}
    assert found["celsched_last_beat_age_seconds"] == {("daemon",): 36, ("worker",): 5}


def test_alerts_and_messages_are_counted(store: Store, clock: ManualClock) -> None:
    settle(store, find(), find(scope="schedule:2"))
    queue(store, message())
    clock.advance(timedelta(seconds=9))

    found = _scrape(store, clock)

    assert found["celsched_alerts_firing"] == {("missed", "critical"): 2}
    assert found["celsched_notifications_pending"] == {("mail",): 1}
    assert found["celsched_notifications_oldest_seconds"] == {("mail",): 9}
    assert found["celsched_notifications_refused"] == {("mail",): 0}
    assert found["celsched_notifications_given_up"] == {("mail",): 0}


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody@127.0.0.1:1/none", "sqlite:////{folder}/empty.db"])
def test_a_store_that_is_away_or_broken_is_told(clock: ManualClock, tmp_path: Path, url: str) -> None:
    with store_at(url.format(folder=tmp_path)) as gone:
        found = _scrape(gone, clock)
    assert list(found) == ["celsched_build_info", "celsched_store_up"]
    assert found["celsched_store_up"] == {(): 0}


def test_an_address_that_is_taken_is_refused(scope: Scope, clock: ManualClock) -> None:
    port = free_port()
    stop = serve_metrics(scope.store, clock, "127.0.0.1", port, HEARTBEAT)
    try:
        with pytest.raises(SettingsError, match="cannot be used"):
            serve_metrics(scope.store, clock, "127.0.0.1", port, HEARTBEAT)
    finally:
        stop()
