"""Owns the numbers that Prometheus scrapes from a daemon. It reads the store at each scrape and never keeps any.

The library comes with the extra `metrics`; without it `serve_metrics` says so.
"""

from collections.abc import Callable, Iterator
from typing import Any

from celsched.clock import Clock
from celsched.errors import SettingsError
from celsched.store import executions, instances, watch_machine, watch_work
from celsched.store.store import Store, Tx


def serve_metrics(store: Store, clock: Clock, host: str, port: int) -> Callable[[], None]:
    """Answer scrapes on this address from now on, in a thread; return what stops it.

    Raises:
        SettingsError: the extra is not installed, or the address cannot be used.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ModuleNotFoundError:
        raise SettingsError("--metrics needs Prometheus' client", hint="pip install 'celsched[metrics]'") from None
    registry = CollectorRegistry()
    registry.register(StoreCollector(store, clock))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise SettingsError(f"--metrics {host}:{port} cannot be used: {error.strerror}") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


class StoreCollector:
    """Reads everything in one transaction at each scrape; where the store does not answer, only `celsched_store_up`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def collect(self) -> Iterator[Any]:
        """Yield the metric families."""
        from prometheus_client.core import GaugeMetricFamily

        try:
            active, waiting, states, living = self._store.read(self._look, patience=0)
        except Exception:  # a scrape must answer whatever is wrong with the store
            yield GaugeMetricFamily("celsched_store_up", "Whether the store answers", value=0)
            return
        now = self._clock.now()
        yield GaugeMetricFamily("celsched_store_up", "Whether the store answers", value=1)
        yield GaugeMetricFamily("celsched_schedules_active", "Schedules that have a fire time to come",
                                value=active)  # fmt: skip
        by_state = GaugeMetricFamily("celsched_executions", "Executions in the store", labels=["state"])
        for state, count in states.items():
            by_state.add_metric([state.value], count)
        yield by_state
        oldest = max((now - one.due_at for one in waiting if not one.retries), default=None)
        yield GaugeMetricFamily("celsched_oldest_unstarted_seconds", "Age of the oldest due execution not yet started",
                                value=oldest.total_seconds() if oldest else 0)  # fmt: skip
        beats = GaugeMetricFamily("celsched_last_beat_seconds", "Seconds since an instance of this kind was heard of",
                                  labels=["kind"])  # fmt: skip
        for kind in sorted({one.kind for one in living}):
            newest = max(one.beat_at for one in living if one.kind == kind)
            beats.add_metric([kind], (now - newest).total_seconds())
        yield beats

    def _look(self, tx: Tx) -> tuple[int, Any, Any, list[instances.Instance]]:
        return (
            watch_machine.active_schedules(tx),
            watch_work.waiting(tx, self._clock.now()),
            executions.count_by_state(tx),
            instances.running(tx),
        )
