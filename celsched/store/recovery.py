"""Owns what recovery looks at: who runs, and who waits for nothing. It never judges how long silence may last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, select

from celsched.domain.execution import State
from celsched.store.tables import executions
from celsched.store.transitions import is_active, lock_state, release_waiting


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
    ).where(executions.c.state == State.RUNNING)
    return [
        Running(row.id, row.claim_token, row.heartbeat, row.schedule or row.task, row.worker)
        for row in tx.execute(query)
    ]


def forgotten_waits(tx: Connection, limit: int = 100) -> Sequence[int]:
    """Return schedules that have waiting executions and nothing active: a release was missed."""
    waiting = executions.alias("waiting")
    query = (
        select(waiting.c.schedule_id)
        .where(
            waiting.c.state.in_((State.PENDING, State.RETRYING)),
            waiting.c.waits,
            ~exists().where(executions.c.schedule_id == waiting.c.schedule_id, is_active()),
        )
        .distinct()
        .limit(limit)
    )
    return list(tx.scalars(query))


def repair_waits(tx: Connection, schedule_id: int, now: datetime) -> int:
    """Release what nothing blocks; return how many."""
    lock_state(tx, schedule_id)
    return release_waiting(tx, schedule_id, now)
