"""Owns how Prometheus scrapes a daemon or a watcher. It reads the store at each scrape and never keeps any.

The library comes with the extra `metrics`; without it `serve_metrics` says so.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from celsched.clock import Clock
from celsched.errors import SettingsError, StoreUnreachable
from celsched.monitor.metric_table import METRICS, Reading, Sample, build, samples
from celsched.store import gauges, instances, watch_machine
from celsched.store.store import Store, Tx

log = logging.getLogger(__name__)


def serve_metrics(store: Store, clock: Clock, host: str, port: int, heartbeat: timedelta) -> Callable[[], None]:
    """Answer scrapes on this address from now on, in a thread; return what stops it.

    `heartbeat` is how often instances report.

    Raises:
        SettingsError: the extra is not installed, or the address cannot be used.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ModuleNotFoundError:
        raise SettingsError("--metrics needs Prometheus' client", hint="pip install 'celsched[metrics]'") from None
    registry = CollectorRegistry()
    registry.register(StoreCollector(store, clock, heartbeat))
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
    """Reads everything in one transaction at each scrape; where the store does not answer, says so and no more."""

    def __init__(self, store: Store, clock: Clock, heartbeat: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._heartbeat = heartbeat

    def collect(self) -> Iterator[Any]:
        """Yield the metric families."""
        begin = self._clock.monotonic()
        try:
            reading = self._store.read(self._look, patience=0)
        except StoreUnreachable:
            yield from _families([*build(), ("celsched_store_up", (), 0)])
            return
        except Exception:  # a scrape must answer whatever is wrong with the store
            log.exception("the metrics cannot be read", extra={"action": "metrics"})
            yield from _families([*build(), ("celsched_store_up", (), 0)])
            return
        took = self._clock.monotonic() - begin
        known = [*build(), ("celsched_store_up", (), 1.0), ("celsched_store_read_seconds", (), took)]
        yield from _families([*known, *samples(reading, self._heartbeat)], METRICS)

    def _look(self, tx: Tx) -> Reading:
        now = self._clock.now()
        return Reading(
            now=now,
            active=watch_machine.active_schedules(tx),
            undecided=gauges.undecided(tx, now),
            live=gauges.live(tx, now),
            ended=gauges.ended(tx, now),
            firing=gauges.firing(tx),
            instances=instances.running(tx),
            channels=gauges.channels(tx, now),
        )


def _families(values: Iterable[Sample], also: Iterable[str] = ()) -> Iterator[Any]:
    """Yield the families of these samples, and of those names besides, in the order of the table."""
    from prometheus_client.core import GaugeMetricFamily

    found: dict[str, list[Sample]] = {name: [] for name in also}
    for sample in values:
        found.setdefault(sample[0], []).append(sample)
    for name in sorted(found, key=list(METRICS).index):
        metric = METRICS[name]
        family = GaugeMetricFamily(name, metric.about, labels=metric.labels)
        for _, labels, value in found[name]:
            family.add_metric(labels, value)
        yield family
