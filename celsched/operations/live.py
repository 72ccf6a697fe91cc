"""Owns the snapshot behind the live view: everything it shows, read in one short transaction. It never draws."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.broker.embedded import EMBEDDED_QUEUE
from celsched.domain.execution import Execution
from celsched.operations.browse import Life, ListedInstance, life_of
from celsched.operations.scope import Scope
from celsched.store import instances, live
from celsched.store.live import Coming, Firing, Waiting
from celsched.store.store import Tx

_RUNNING, _SCHEDULES, _ALERTS, _OTHERS = 60, 200, 100, 30
_REMEMBERED = timedelta(seconds=60)
"""How long a usual duration is believed before it is read again."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, what waits in it, and how many live workers take from it."""

    name: str
    waiting: int
    oldest: timedelta | None
    consumers: int


@dataclass(frozen=True, slots=True)
class Running:
    """A running execution. `share` of 1 is done, as it reported (`reported`) or by its usual duration; None: unknown.

    `left` is what remains by the same measure; a negative one is by how much it takes longer than it usually does.
    """

    id: int
    name: str
    elapsed: timedelta
    share: float | None
    left: timedelta | None
    reported: bool
    worker: str
    message: str | None
    stopping: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended; of skipped fire times `count` are in one."""

    id: int
    name: str
    state: str
    reason: str | None
    at: datetime
    duration: timedelta | None
    count: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the live view shows at one moment, by the store's clock.

    The totals, those by kind too, are of what the filter lets through, also where not all of it is here; `…_hidden` is
    what it holds back.
    """

    now: datetime
    instances: Sequence[ListedInstance] = ()
    queues: Sequence[Queue] = ()
    running: Sequence[Running] = ()
    running_total: int = 0
    running_hidden: int = 0
    schedules: Sequence[Coming] = ()
    alerts: Sequence[Firing] = ()
    alerts_total: int = 0
    alert_kinds: Mapping[str, int] = field(default_factory=dict)
    alerts_hidden: int = 0
    outcomes: Sequence[Outcome] = ()


class Lens:
    """Takes snapshots; remembers usual durations for a minute, so that a look costs few queries."""

    def __init__(self, scope: Scope, heartbeat: timedelta) -> None:
        self._scope = scope
        self._heartbeat = heartbeat
        self._usual: dict[tuple[int | None, int], tuple[datetime, timedelta | None]] = {}

    def take(self, name: str = "") -> Snapshot:
        """Return what is so now, of subjects whose name contains `name`; raise what the store raises."""
        self._scope.store.refresh_clock()
        now = self._scope.now()
        return self._scope.store.read(lambda tx: self._look(tx, now, name), patience=2.0)

    def _look(self, tx: Tx, now: datetime, name: str) -> Snapshot:
        known = [ListedInstance(one, life_of(one, now, self._heartbeat)) for one in instances.running(tx)]
        busy, total = live.running(tx, name, _RUNNING)
        firing, alerts_total = live.firing(tx, name, _ALERTS)
        return Snapshot(
            now=now,
            instances=known[:_OTHERS],
            queues=_queues(live.waiting(tx, now, _OTHERS), known, now),
            running=[_running(one, now, self._usual_of(tx, one, now)) for one in busy],
            running_total=total,
            running_hidden=_hidden(live.running_total(tx), total) if name else 0,
            schedules=live.coming(tx, name, _SCHEDULES),
            alerts=firing,
            alerts_total=alerts_total,
            alert_kinds=_kinds(tx, name, firing, alerts_total),
            alerts_hidden=_hidden(live.firing_total(tx), alerts_total) if name else 0,
            outcomes=[_outcome(one) for one in live.ended(tx, name, _OTHERS)],
        )

    def _usual_of(self, tx: Tx, one: Execution, now: datetime) -> timedelta | None:
        key = (one.schedule_id, one.task_id)
        known = self._usual.get(key)
        if known is None or abs(now - known[0]) > _REMEMBERED:
            known = self._usual[key] = (now, live.usual_duration(tx, one))
        return known[1]


def _hidden(everything: int, shown: int) -> int:
    return max(everything - shown, 0)  # PostgreSQL shows each statement what was committed by then


def _kinds(tx: Tx, name: str, firing: Sequence[Firing], total: int) -> Mapping[str, int]:
    return Counter(one.kind for one in firing) if len(firing) == total else live.firing_kinds(tx, name)


def _queues(waiting: Sequence[Waiting], known: Sequence[ListedInstance], now: datetime) -> list[Queue]:
    workers = [one.instance for one in known if one.instance.kind == "worker" and one.life is Life.ALIVE]
    everywhere = sum(1 for one in workers if not one.queues or EMBEDDED_QUEUE in one.queues)
    served = {name for one in workers for name in one.queues if name != EMBEDDED_QUEUE}
    found = [
        Queue(one.queue, one.count, now - one.oldest, everywhere + sum(one.queue in other.queues for other in workers))
        for one in waiting
    ]
    idle = sorted(served - {one.queue for one in waiting})
    return found + [Queue(name, 0, None, everywhere + sum(name in one.queues for one in workers)) for name in idle]


def _running(one: Execution, now: datetime, usual: timedelta | None) -> Running:
    elapsed = max(now - (one.attempt_started_at or now), timedelta(0))
    share, left, reported = _progress(one, elapsed, usual)
    return Running(
        id=one.id,
        name=one.subject,
        elapsed=elapsed,
        share=share,
        left=left,
        reported=reported,
        worker=one.host or one.worker or "",
        message=one.progress_message,
        stopping=one.cancel_requested,
    )


def _progress(
    one: Execution, elapsed: timedelta, usual: timedelta | None
) -> tuple[float | None, timedelta | None, bool]:
    """Return the share done, what is left, and whether the task reported it."""
    if one.progress_done is not None and one.progress_total:
        share = min(max(one.progress_done / one.progress_total, 0.0), 1.0)
        return share, elapsed * (1 / share - 1) if share > 0 else None, True
    if usual:
        return min(elapsed / usual, 1.0), usual - elapsed, False
    return None, None, False


def _outcome(one: Execution) -> Outcome:
    at = one.finished_at or one.created_at
    return Outcome(one.id, one.subject, one.state.value, one.reason, at, one.duration, one.count)
