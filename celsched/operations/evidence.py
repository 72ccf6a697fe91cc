"""Owns looking up what sentences about an execution need beyond its record. It never words anything."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.broker.embedded import EMBEDDED_QUEUE
from celsched.domain.definition import Effective
from celsched.domain.execution import Execution, Reason, State
from celsched.operations.browse import Life, life_of
from celsched.operations.fate import Facts
from celsched.operations.skips import SkipFacts
from celsched.store import executions, instances, overview
from celsched.store.overview import Deed
from celsched.store.store import Tx


def facts_of(tx: Tx, row: Execution, now: datetime, zone: str) -> Facts:
    """Return what the sentence about an execution needs."""
    worker = overview.instance_of(tx, row.worker) if row.state is State.LOST else None
    deed = None
    if row.state is State.CANCELLED or row.cancel_requested:
        deed = overview.last_deed(tx, "cancel", "execution", str(row.id), now)
    return Facts(
        now=now,
        zone=zone,
        attempts=tuple(one for one in executions.attempts_of(tx, row.id) if one.finished_at),
        blocker=overview.active_beside(tx, row) if row.waits else None,
        cancelled_by=deed,
        last_heard=worker.beat_at if worker else None,
    )


def skip_facts_of(tx: Tx, row: Execution, at: datetime, policies: Effective) -> SkipFacts:
    """Return what the sentence about the skipped fire time `at` needs."""
    blocker = overview.blocker_of(tx, row) if row.reason == Reason.OVERLAP else None
    stand_in = None
    if row.reason == Reason.COALESCED and row.schedule_id is not None:
        stand_in = overview.row_after(tx, row.schedule_id, row.until or at, with_skips=False)
    return SkipFacts(policies, blocker, stand_in, _pause(tx, row, at) if row.reason == Reason.PAUSED else None)


def _pause(tx: Tx, row: Execution, at: datetime) -> Deed | None:
    """Return who paused the schedule, unless that pause had ended before this fire time."""
    name = row.schedule or ""
    pause = overview.last_deed(tx, "pause", "schedule", name, row.created_at)
    resume = overview.last_deed(tx, "resume", "schedule", name, at)
    return None if pause is None or (resume is not None and resume.at > pause.at) else pause


@dataclass(frozen=True, slots=True)
class Hands:
    """Who is there to take the next step of an execution: a daemon to send it, a worker of its queue to run it."""

    daemon: bool
    worker: bool


def hands_for(tx: Tx, queue: str | None, now: datetime, heartbeat: timedelta) -> Hands:
    """Return who is alive for a queue. A worker of the embedded broker, or one that names no queues, takes all."""
    alive = [one for one in instances.running(tx) if life_of(one, now, heartbeat) is Life.ALIVE]
    takes = {queue, EMBEDDED_QUEUE}
    return Hands(
        daemon=any(one.kind == "daemon" for one in alive),
        worker=any(one.kind == "worker" and (not one.queues or takes & set(one.queues)) for one in alive),
    )
