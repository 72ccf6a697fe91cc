"""Owns what the doctor reads beyond the lists: fire times nobody decided, what rests, what is stuck. It never writes.

Everything is bounded: so many names and a count, never all rows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from celsched.domain.execution import State
from celsched.store.definitions import StoredSchedule, joined, stored_schedule
from celsched.store.dialect import unindexed
from celsched.store.tables import LIVE, UNSENT, executions, schedules, states
from celsched.store.tables_watch import instances
from celsched.store.transitions import is_blocked

SHOWN = 3
"""How many names or ids are told."""
_MANY = 500
"""How many candidates are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Some:
    """How many there are, and the first few by name or id."""

    count: int = 0
    first: tuple[str, ...] = ()


def overdue(tx: Connection, before: datetime) -> Some:
    """Return the living schedules whose daemon should have looked at them before this instant, longest first."""
    where = (schedules.c.deleted_at.is_(None), states.c.wake_at.is_not(None), states.c.wake_at < before)
    source = states.join(schedules, states.c.schedule_id == schedules.c.id)
    names = tx.scalars(
        select(schedules.c.name).select_from(source).where(*where).order_by(states.c.wake_at).limit(SHOWN)
    )
    return _some(tx, select(func.count()).select_from(source).where(*where), names)


def at_rest(tx: Connection) -> list[StoredSchedule]:
    """Return living schedules that nothing wakes although no pause and no error says why, newest first."""
    query = joined().where(states.c.wake_at.is_(None), states.c.paused_at.is_(None), states.c.error.is_(None))
    return [stored_schedule(row) for row in tx.execute(query.order_by(schedules.c.id.desc()).limit(_MANY)).mappings()]


def unsent(tx: Connection, before: datetime) -> Some:
    """Return the executions that were due before this instant and were not handed to the broker, oldest first."""
    where = (
        UNSENT,
        executions.c.state.in_((State.PENDING, State.RETRYING)),
        executions.c.dispatch_at < before,
        executions.c.publish_after < before,
    )
    return _executions(tx, executions.c.dispatch_at, *where)


def waiting_for_nothing(tx: Connection, before: datetime) -> Some:
    """Return the executions recorded before this instant that wait for others although nothing is active."""
    heads = tx.execute(
        select(func.min(executions.c.id), executions.c.schedule_id, executions.c.chain, executions.c.overlap)
        .where(LIVE, executions.c.waits, executions.c.schedule_id.is_not(None), executions.c.created_at < before)
        .group_by(executions.c.schedule_id, executions.c.chain, executions.c.overlap)
        .limit(_MANY)
    ).all()
    free = [str(head) for head, schedule, chain, overlap in heads if not is_blocked(tx, schedule, chain, overlap)]
    return Some(len(free), tuple(free[:SHOWN]))


def without_worker(tx: Connection, before: datetime) -> Some:
    """Return the executions that run on a worker which stopped or fell silent before this instant."""
    gone = select(instances.c.id).where(
        instances.c.kind == "worker", or_(instances.c.stopped_at < before, instances.c.beat_at < before)
    )
    where = (LIVE, executions.c.state == State.RUNNING, executions.c.worker.in_(gone))
    return _executions(tx, unindexed(executions.c.id), *where)


def _executions(tx: Connection, order: ColumnElement[Any], *where: Any) -> Some:
    ids = tx.scalars(select(executions.c.id).where(*where).order_by(order).limit(SHOWN))
    return _some(tx, select(func.count()).select_from(executions).where(*where), ids)


def _some(tx: Connection, count: Any, first: Any) -> Some:
    names = tuple(str(one) for one in first)
    return Some(int(tx.scalar(count) or 0) if names else 0, names)
