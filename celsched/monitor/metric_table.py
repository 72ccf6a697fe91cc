"""Owns the table of metrics: each one's name, labels and meaning, and its values from what was read. It reads nothing.

Labels have few values: states, queues, kinds, severities, channels. A schedule's or an execution's name is never one.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias

from celsched.domain.execution import LIVE, TERMINAL, State
from celsched.store.gauges import Channel, Ended, LiveGroup
from celsched.store.instances import Instance
from celsched.version import __version__


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of gauges."""

    name: str
    about: str
    labels: tuple[str, ...] = ()


_ROWS = (
    Metric("celsched_build_info", "1, with the versions of celsched and Python", ("version", "python")),
    Metric("celsched_store_up", "whether the store answers; where it does not, nothing below is there"),
    Metric("celsched_store_read_seconds", "how long the reads of this scrape took"),
    Metric("celsched_schedules_active", "schedules that have a fire time to come"),
    Metric("celsched_schedules_due", "schedules whose fire time has come and was not decided yet"),
    Metric("celsched_dispatch_lag_seconds", "for how long the first of them has been due"),
    Metric("celsched_start_lateness_seconds", "from due to the first start, of the last 5 minutes", ("percentile",)),
    Metric("celsched_last_5m_starts", "how many starts that is"),
    Metric("celsched_executions", "executions that have not ended", ("state",)),
    Metric("celsched_last_hour_ended", "executions that ended in the last hour, the newest 5,000 of them", ("state",)),
    Metric("celsched_last_hour_reach_seconds", "an hour; less where 5,000 ended since"),
    Metric("celsched_run_duration_seconds", "how long they ran (last attempts that came to their end)",
           ("percentile",)),
    Metric("celsched_last_hour_runs", "how many runs that is"),
    Metric("celsched_last_hour_run_seconds", "their durations, summed"),
    Metric("celsched_queue_depth", "executions of a queue that are due and have not started", ("queue",)),
    Metric("celsched_queue_oldest_seconds", "for how long the oldest of them has been due", ("queue",)),
    Metric("celsched_outbox_unsent", "executions that are due and were not handed to the broker"),
    Metric("celsched_outbox_oldest_seconds", "for how long the oldest of them has been due"),
    Metric("celsched_outbox_refused", "executions whose last message the broker did not take"),
    Metric("celsched_alerts_firing", "open alerts", ("kind", "severity")),
    Metric("celsched_instances_up", "daemons, workers and watchers that report", ("kind",)),
    Metric("celsched_last_beat_age_seconds", "since one of the kind reported that has not stopped", ("kind",)),
    Metric("celsched_notifications_pending", "messages to be sent", ("channel",)),
    Metric("celsched_notifications_oldest_seconds", "age of the oldest of them", ("channel",)),
    Metric("celsched_notifications_refused", "messages to be sent that the channel has refused before", ("channel",)),
    Metric("celsched_notifications_given_up", "messages given up within a day", ("channel",)),
)  # fmt: skip

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})
"""Every metric; all are gauges, because they tell what the store holds now."""

KINDS = ("daemon", "watcher", "worker")
BEATS = 3
"""So many heartbeats may be missed."""
LOOK = timedelta(seconds=10)
"""How often a watcher looks; it reports no oftener."""

Sample: TypeAlias = tuple[str, tuple[str, ...], float]
"""The name of a metric, the values of its labels, and its value."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one scrape read. `undecided`: schedules that are due, and since when the first one is."""

    now: datetime
    active: int
    undecided: tuple[int, datetime | None]
    live: Sequence[LiveGroup]
    ended: Ended
    firing: Mapping[tuple[str, str], int]
    instances: Sequence[Instance]
    channels: Sequence[Channel]


def build() -> Iterator[Sample]:
    """Yield what is known without a store."""
    yield "celsched_build_info", (__version__, platform.python_version()), 1


def samples(reading: Reading, heartbeat: timedelta) -> Iterator[Sample]:
    """Yield every value of what was read; `heartbeat` is how often instances report."""
    due, since = reading.undecided
    yield "celsched_schedules_active", (), reading.active
    yield "celsched_schedules_due", (), due
    yield "celsched_dispatch_lag_seconds", (), _age(reading.now, since)
    yield from _ended(reading.ended)
    yield from _live(reading)
    for labels, count in sorted(reading.firing.items()):
        yield "celsched_alerts_firing", labels, count
    yield from _instances(reading, heartbeat)
    for channel in reading.channels:
        yield "celsched_notifications_pending", (channel.name,), channel.pending
        yield "celsched_notifications_oldest_seconds", (channel.name,), _age(reading.now, channel.oldest)
        yield "celsched_notifications_refused", (channel.name,), channel.refused
        yield "celsched_notifications_given_up", (channel.name,), channel.given_up


def _age(now: datetime, since: datetime | None) -> float:
    return 0 if since is None else max((now - since).total_seconds(), 0)


def _ended(ended: Ended) -> Iterator[Sample]:
    for state in sorted(TERMINAL):
        yield "celsched_last_hour_ended", (state.value,), ended.states.get(state, 0)
    yield "celsched_last_hour_reach_seconds", (), ended.reach
    yield from _percentiles("celsched_run_duration_seconds", ended.durations)
    yield "celsched_last_hour_runs", (), len(ended.durations)
    yield "celsched_last_hour_run_seconds", (), sum(ended.durations)
    yield from _percentiles("celsched_start_lateness_seconds", ended.late)
    yield "celsched_last_5m_starts", (), len(ended.late)


def _percentiles(name: str, values: Sequence[float]) -> Iterator[Sample]:
    """Yield exact percentiles by nearest rank; of nothing there are none."""
    ordered = sorted(values)
    for percent in (50, 95, 99) if ordered else ():
        yield name, (str(percent),), ordered[-(-len(ordered) * percent // 100) - 1]


def _live(reading: Reading) -> Iterator[Sample]:
    for state in sorted(LIVE):
        yield "celsched_executions", (state.value,), sum(one.count for one in reading.live if one.state == state)
    waiting = [one for one in reading.live if one.due and one.state != State.RUNNING]
    queues = {one.queue for one in reading.live} | {name for one in reading.instances for name in one.queues}
    for queue in sorted(queues):
        depth, oldest = _together(reading.now, [one for one in waiting if one.queue == queue])
        yield "celsched_queue_depth", (queue,), depth
        yield "celsched_queue_oldest_seconds", (queue,), oldest
    depth, oldest = _together(reading.now, [one for one in waiting if one.state != State.QUEUED])
    yield "celsched_outbox_unsent", (), depth
    yield "celsched_outbox_oldest_seconds", (), oldest
    yield "celsched_outbox_refused", (), sum(one.count for one in waiting if one.refused)


def _together(now: datetime, groups: Sequence[LiveGroup]) -> tuple[int, float]:
    return sum(one.count for one in groups), _age(now, min((one.oldest for one in groups), default=None))


def _instances(reading: Reading, heartbeat: timedelta) -> Iterator[Sample]:
    for kind in KINDS:
        beats = [one.beat_at for one in reading.instances if one.kind == kind]
        silence = BEATS * (max(heartbeat, LOOK) if kind == "watcher" else heartbeat)
        yield "celsched_instances_up", (kind,), sum(reading.now - beat <= silence for beat in beats)
        if beats:
            yield "celsched_last_beat_age_seconds", (kind,), _age(reading.now, max(beats))
