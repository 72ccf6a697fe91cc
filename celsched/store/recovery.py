"""Owns what recovery looks at: who runs, and who waits for nothing. It never judges how long silence may last."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from celsched.domain.execution import State
from celsched.store.dialect import dialect_of
from celsched.store.tables import LIVE, executions
from celsched.store.tables_watch import instances
from celsched.store.transitions import is_blocked, lock_state, release_waiting, without_waiting


@dataclass(frozen=True, slots=True)
class Running:
    """A running execution as an observer sees it: the token of its claim and how often its worker has beaten."""

    execution_id: int
    token: str
    heartbeat: int
    subject: str
    worker: str


def running(tx: Connection) -> list[Running]:
    """Return every running execution."""
    query = select(
        executions.c.id,
        executions.c.claim_token,
        executions.c.heartbeat,
        executions.c.schedule,
        executions.c.task,
        executions.c.worker,
    ).where(executions.c.state == State.RUNNING, LIVE)
    return [
        Running(row.id, row.claim_token, row.heartbeat, row.schedule or row.task, row.worker)
        for row in tx.execute(query)
    ]


def rewrite(tx: Connection, silent: Collection[Running]) -> None:
    """Write what a beat of these would write, as it is; raises what meets such a beat.

    A server's disk may be full for one table, or for one row, and have room for others. Rows that somebody has locked
    are left out: whoever holds them can write.
    """
    free = without_waiting(tx, [one.execution_id for one in silent])
    tx.execute(update(executions).where(executions.c.id.in_(free)).values(heartbeat=executions.c.heartbeat))
    workers = select(instances.c.id).where(instances.c.id.in_({one.worker for one in silent})).order_by(instances.c.id)
    if dialect_of(tx).row_locks:
        workers = workers.with_for_update(skip_locked=True)
    tx.execute(
        update(instances).where(instances.c.id.in_(list(tx.scalars(workers)))).values(beat_at=instances.c.beat_at)
    )


def unclaimed(tx: Connection, queues: Sequence[str] | None, limit: int = 200) -> dict[int, int]:
    """Return executions that lie in queues and that nobody claimed, the oldest, and how often each was published.

    Those of which the last send failed are not among them.
    """
    conditions = [executions.c.state == State.QUEUED, executions.c.sends >= 1]
    if queues is not None:
        conditions.append(executions.c.queue_name.in_(list(queues)))
    query = select(executions.c.id, executions.c.publishes).where(*conditions, LIVE).order_by(executions.c.id)
    return {row.id: row.publishes for row in tx.execute(query.limit(limit))}


def forgotten_waits(tx: Connection, limit: int = 100) -> Sequence[int]:
    """Return schedules with waiting executions that nothing blocks: a release was missed."""
    waiting = select(executions.c.schedule_id, executions.c.chain, executions.c.overlap)
    waiting = waiting.where(executions.c.waits, LIVE).distinct()
    free = []
    for schedule_id, chain, overlap in tx.execute(waiting):
        if schedule_id not in free and not is_blocked(tx, schedule_id, chain, overlap):
            free.append(schedule_id)
    return free[:limit]


def repair_waits(tx: Connection, schedule_id: int, now: datetime) -> int:
    """Release what nothing blocks; return how many."""
    lock_state(tx, schedule_id)
    return release_waiting(tx, schedule_id, now)
