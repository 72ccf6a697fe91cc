"""Owns T2, T3 and T10: which executions are to be published, and what is known of it. It never talks to a broker."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, TextClause, case, exists, func, literal, not_, or_, select
from sqlalchemy.types import TypeEngine

from celsched.domain.execution import State
from celsched.store.dialect import dialect_of
from celsched.store.tables import UNSENT, executions
from celsched.store.transitions import CLAIMABLE, move, move_all, without_waiting
from celsched.store.types import Instant

LONGEST = timedelta(minutes=5)
"""The longest back-off between two sends of one attempt."""
_AHEAD = timedelta(minutes=6)
"""A publish lease further ahead than this was written by a clock that has since been set back: the row is due.

Whoever sets `dispatch_at` sets `publish_after` to the present too, so that one shows of both that they are ahead.
"""
_SKEW = timedelta(seconds=5)
"""A row written further in the future than this was written before the clock was set back; it does not wait for it."""
BATCH = 50


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to send: `publishes` counts the sends of this attempt, this one included."""

    execution_id: int
    attempt: int
    publishes: int
    task_id: str
    queue_name: str
    priority: int
    subject: str


def take(
    tx: Connection, now: datetime, republish: timedelta, name: Callable[[int, int, int], str], *, limit: int = BATCH
) -> list[Parcel]:
    """Take the publish lease of due executions, oldest first (T2). Commit before sending.

    `name` makes the Celery task id of (execution, attempt, publishes); an id is never used twice.
    """
    query = (
        select(
            executions.c.id,
            executions.c.attempt,
            executions.c.publishes,
            executions.c.sends,
            executions.c.dispatch_at,
            executions.c.queue_name,
            executions.c.priority,
            func.coalesce(executions.c.schedule, executions.c.task).label("subject"),
        )
        .where(*_due(now))
        .order_by(executions.c.dispatch_at, executions.c.id)
        .limit(limit)
    )
    if dialect_of(tx).row_locks:
        query = query.with_for_update(skip_locked=True)
    rows = tx.execute(query).all()
    if not rows:
        return []
    parcels = [_parcel(row, name) for row in rows]
    until = {row.id: now + min(republish * 2 ** min(row.sends, 10), LONGEST) for row in rows}
    move_all(
        tx,
        until,
        CLAIMABLE,
        publish_after=_each(until, Instant()),
        publishes=executions.c.publishes + 1,
        sends=executions.c.sends + 1,
        celery_task_id=_each({parcel.execution_id: parcel.task_id for parcel in parcels}, Text()),
        # Later only if its clock was set back. It must not wait for that clock if this message is lost either.
        dispatch_at=case((executions.c.dispatch_at > now, literal(now, Instant())), else_=executions.c.dispatch_at),
    )
    return parcels


def _parcel(row: Any, name: Callable[[int, int, int], str]) -> Parcel:
    publishes = row.publishes + 1
    task_id = name(row.id, row.attempt, publishes)
    return Parcel(row.id, row.attempt, publishes, task_id, row.queue_name, row.priority, row.subject)


def _each(values: Mapping[int, object], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """Return what is, in each execution's row, its own value."""
    return case({number: literal(value, kind) for number, value in values.items()}, value=executions.c.id)


def sent(tx: Connection, parcels: Iterable[Parcel], now: datetime) -> None:
    """Mark as `queued` what was sent (T3).

    The guard is the whole safety: a fast worker has often claimed it already, and must not be undone. A row that
    somebody else holds is left: most likely it is being claimed, and else it is sent and marked once more.
    """
    attempts: dict[int, list[int]] = {}
    for parcel in _free(tx, parcels):
        attempts.setdefault(parcel.attempt, []).append(parcel.execution_id)
    for attempt, numbers in attempts.items():
        guards = (executions.c.attempt == attempt, not_(executions.c.waits))
        move_all(tx, numbers, (State.PENDING, State.RETRYING), *guards, state=State.QUEUED, queued_at=now)


def put_back(tx: Connection, parcels: Iterable[Parcel], again_at: datetime) -> None:
    """Give up the lease of what was not sent; due again at `again_at`. The number of a lost send is not re-used.

    A row that somebody else holds keeps its lease.
    """
    for parcel in _free(tx, parcels):
        move(
            tx,
            parcel.execution_id,
            CLAIMABLE,
            executions.c.attempt == parcel.attempt,
            executions.c.publishes == parcel.publishes,
            publish_after=again_at,
            sends=0,
        )


def _free(tx: Connection, parcels: Iterable[Parcel]) -> list[Parcel]:
    by_id = {parcel.execution_id: parcel for parcel in parcels}
    return [by_id[number] for number in sorted(without_waiting(tx, by_id))]


def any_due(tx: Connection, now: datetime) -> bool:
    """Return whether `take` would find something; a reading transaction suffices to ask."""
    return bool(tx.scalar(select(exists().where(*_due(now)))))


def _due(now: datetime) -> tuple[ColumnElement[bool] | TextClause, ...]:
    written = func.coalesce(executions.c.attempt_started_at, executions.c.created_at, type_=Instant())
    ahead = executions.c.publish_after > now + _AHEAD
    return (
        UNSENT,
        or_(executions.c.publish_after <= now, ahead),
        or_(executions.c.dispatch_at <= now, ahead, written > now + _SKEW),
    )
