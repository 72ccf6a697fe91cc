"""Owns T4, T5 and T12: how a worker takes an execution, keeps it, and gives way. It never runs a body."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, exists, insert, not_, or_, select, update

from celsched.domain.execution import Execution, State
from celsched.domain.policy import Overlap
from celsched.store.rows import execution_record
from celsched.store.tables import LIVE, attempts, executions
from celsched.store.transitions import CLAIMABLE, lock_in_order, lock_state, move


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: `token` is new for each claim, `worker` the instance id, `pid` of the process that runs the body."""

    token: str
    worker: str
    host: str
    pid: int


class Refusal(StrEnum):
    """Why a claim was refused."""

    GONE = "gone"
    """No such execution."""
    STALE = "stale"
    """Another attempt is due now; the message is an old one."""
    TAKEN = "taken"
    """It is running, or has ended."""
    BLOCKED = "blocked"
    """Another execution of the schedule is running; this one now waits for its end (T12)."""
    CANCELLED = "cancelled"
    """Somebody asked to cancel it."""
    EXPIRED = "expired"
    """Its start deadline has passed."""
    NOT_DUE = "not_due"
    """Its time has not come."""


def claim(
    tx: Connection, execution_id: int, attempt: int, by: Claimant, now: datetime, *, only_due: bool = False
) -> Execution | Refusal:
    """Take an execution (T4). It is a claim only when the transaction has committed.

    `only_due` also refuses what is not due yet (for messages that did not come from our publisher; ours are sent
    only when due, and a worker's clock a few ms behind must not refuse them).
    """
    row = tx.execute(select(executions).where(executions.c.id == execution_id)).mappings().one_or_none()
    if row is None:
        return Refusal.GONE
    if row["claim_token"] == by.token and row["state"] == State.RUNNING:
        return execution_record(row)  # the COMMIT of the first call arrived, its reply did not
    exclusive = row["schedule_id"] is not None and row["overlap"] != Overlap.ALLOW
    guards = [
        executions.c.attempt == attempt,
        not_(executions.c.waits),
        not_(executions.c.cancel_requested),
        or_(executions.c.attempt > 1, executions.c.deadline.is_(None), executions.c.deadline > now),
    ]
    if only_due:
        guards.append(executions.c.dispatch_at <= now)
    if exclusive:
        lock_state(tx, row["schedule_id"])
        guards.append(not_(_another_runs(row["schedule_id"], execution_id)))
    taken = move(
        tx,
        execution_id,
        CLAIMABLE,
        *guards,
        state=State.RUNNING,
        claim_token=by.token,
        worker=by.worker,
        host=by.host,
        pid=by.pid,
        heartbeat=0,
        started_at=row["started_at"] or now,
        attempt_started_at=now,
        progress_done=None,
        progress_total=None,
        progress_message=None,
    )
    if not taken:
        return _refused(tx, execution_id, attempt, now, only_due=only_due, exclusive=exclusive)
    _begin_attempt(tx, execution_id, attempt, by, now)
    return execution_record(tx.execute(select(executions).where(executions.c.id == execution_id)).mappings().one())


def _begin_attempt(tx: Connection, execution_id: int, attempt: int, by: Claimant, now: datetime) -> None:
    tx.execute(
        insert(attempts).values(
            execution_id=execution_id,
            attempt=attempt,
            claim_token=by.token,
            state=State.RUNNING,
            worker=by.worker,
            host=by.host,
            pid=by.pid,
            started_at=now,
        )
    )


def _another_runs(schedule_id: int, execution_id: int) -> Any:
    # An alias, because inside the UPDATE of `executions` a plain reference would mean the row being updated.
    other = executions.alias("other")
    return exists(
        select(other.c.id).where(
            other.c.schedule_id == schedule_id, other.c.state == State.RUNNING, other.c.id != execution_id
        )
    )


def _refused(
    tx: Connection, execution_id: int, attempt: int, now: datetime, *, only_due: bool, exclusive: bool
) -> Refusal:
    row = tx.execute(select(executions).where(executions.c.id == execution_id)).mappings().one()
    if State(row["state"]) not in CLAIMABLE or row["waits"]:
        return Refusal.TAKEN
    if row["attempt"] != attempt:
        return Refusal.STALE
    if row["cancel_requested"]:
        return Refusal.CANCELLED
    if attempt == 1 and row["deadline"] is not None and row["deadline"] <= now:
        return Refusal.EXPIRED
    if only_due and row["dispatch_at"] > now:
        return Refusal.NOT_DUE
    if exclusive and _give_way(tx, execution_id, row["schedule_id"], attempt, now):
        return Refusal.BLOCKED
    return Refusal.TAKEN


def _give_way(tx: Connection, execution_id: int, schedule_id: int, attempt: int, now: datetime) -> bool:
    """T12: put the row back to wait for the end of the one that runs."""
    return move(
        tx,
        execution_id,
        CLAIMABLE,
        executions.c.attempt == attempt,
        not_(executions.c.waits),
        _another_runs(schedule_id, execution_id),
        state=State.PENDING if attempt == 1 else State.RETRYING,
        waits=True,
        publish_after=now,
        sends=0,
    )


def claimed_by(tx: Connection, token: str) -> Execution | None:
    """Return the execution that this token holds: how a claimant learns of a COMMIT whose reply was lost."""
    row = (
        tx.execute(select(executions).where(executions.c.claim_token == token, executions.c.state == State.RUNNING))
        .mappings()
        .one_or_none()
    )
    return None if row is None else execution_record(row)


def came_twice(tx: Connection, execution_id: int, attempt: int) -> bool:
    """Return whether a message of this attempt that was refused as TAKEN is a copy that nobody sent.

    The attempt was claimed, and only one message of it was ever sent. What we ourselves send again, because it lay
    unclaimed for too long, is no fault of the broker.
    """
    one = select(executions.c.id).where(
        executions.c.id == execution_id, executions.c.attempt == attempt, executions.c.publishes == 1
    )
    begun = select(attempts.c.attempt).where(attempts.c.execution_id == execution_id, attempts.c.attempt == attempt)
    return bool(tx.scalar(select(and_(exists(one), exists(begun)))))


@dataclass(frozen=True, slots=True)
class Held:
    """One running execution as its worker's beat finds it in the store."""

    execution_id: int
    attempt: int
    token: str
    pid: int
    cancel_requested: bool
    cancel_force: bool


_HELD = (
    executions.c.id,
    executions.c.attempt,
    executions.c.claim_token,
    executions.c.pid,
    executions.c.cancel_requested,
    executions.c.cancel_force,
)


def beat(tx: Connection, worker: str) -> list[Held]:
    """T5: one heartbeat for all running executions of this worker; return them.

    An execution in the worker's memory that is not among them is fenced: its body must be killed, and nothing written.
    """
    mine = (executions.c.worker == worker, executions.c.state == State.RUNNING)
    lock_in_order(tx, *mine)
    rows = tx.execute(
        update(executions).where(*mine, LIVE).values(heartbeat=executions.c.heartbeat + 1).returning(*_HELD)
    )
    return [Held(*row) for row in rows]


def stop_requests(tx: Connection, worker: str) -> list[Held]:
    """Return this worker's running executions that somebody asked to cancel; cheap enough for every second."""
    rows = tx.execute(
        select(*_HELD).where(
            executions.c.worker == worker, executions.c.state == State.RUNNING, executions.c.cancel_requested, LIVE
        )
    )
    return [Held(*row) for row in rows]


def report_progress(tx: Connection, token: str, done: float, total: float | None, message: str | None) -> None:
    """Keep the newest progress of the claim's execution; a fenced claim changes nothing."""
    tx.execute(
        update(executions)
        .where(executions.c.claim_token == token, executions.c.state == State.RUNNING)
        .values(progress_done=done, progress_total=total, progress_message=message)
    )
