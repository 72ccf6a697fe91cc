"""Owns the purge: old terminal executions with their attempts and logs, old alerts, in small transactions.

It never removes a living row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, func, or_, select, update

from celsched.domain.execution import TERMINAL
from celsched.domain.health.kinds import KINDS
from celsched.store.dialect import dialect_of
from celsched.store.tables import attempts, executions, logs, states
from celsched.store.tables_watch import alerts

BATCH = 1000
LINES = 10_000
"""Captured lines that one transaction removes at most: a single execution may have millions of them."""


class Place(NamedTuple):
    """A captured line, by its key."""

    execution_id: int
    attempt: int
    seq: int


@dataclass(frozen=True, slots=True)
class Purged:
    """What one transaction removed. `more`: it stopped at a limit, so that another one may find more.

    `on_at` is to be handed to that one: the first line left of an execution that has more lines than go at once.
    """

    executions: int
    logs: int
    more: bool = False
    on_at: Place | None = None


def purge_batch(
    tx: Connection, before: datetime, *, on_at: Place | None = None, limit: int = BATCH, lines: int = LINES
) -> Purged:
    """Remove at most `limit` executions that ended before `before`; keep in the states how far the ledger reaches.

    One that has more than `lines` captured lines loses them first, the oldest to begin with, so many a transaction.
    """
    _go_by_index(tx)
    if on_at is not None:
        return _shorten(tx, on_at, lines)
    ids = list(
        tx.scalars(
            select(executions.c.id)
            .where(executions.c.finished_at < before, executions.c.state.in_(tuple(TERMINAL)))
            .order_by(executions.c.finished_at)
            .limit(limit)
        )
    )
    if not ids:
        return Purged(0, 0)
    if _has_more_than(tx, ids[:1], lines):
        return _shorten(tx, _first_line(tx, Place(ids[0], 0, 0)) or Place(ids[0], 0, 0), lines)
    whole = ids
    while len(whole) > 1 and _has_more_than(tx, whole, lines):
        whole = whole[: len(whole) // 2]
    removed = tx.execute(delete(logs).where(logs.c.execution_id.in_(whole))).rowcount
    gone = _remove(tx, whole)
    # Not by the counts of what went: who purges beside us may have been faster.
    return Purged(gone, removed, more=len(whole) < len(ids) or len(ids) == limit)


def _go_by_index(tx: Connection) -> None:
    # A limit lets PostgreSQL hope that a scan of the whole table finds enough soon. Those rows are gone: the purge
    # before took them, and the scan crawls through what it left, each time longer.
    statement = dialect_of(tx).by_index
    if statement:
        tx.exec_driver_sql(statement)


def _has_more_than(tx: Connection, ids: Sequence[int], lines: int) -> bool:
    """Tell whether these executions have more lines together; it never counts many more."""
    some = select(logs.c.seq).where(logs.c.execution_id.in_(ids)).limit(lines + 1).subquery()
    return (tx.scalar(select(func.count()).select_from(some)) or 0) > lines


def _shorten(tx: Connection, at: Place, lines: int) -> Purged:
    """Remove lines of an execution from `at` on, and with its last one the execution."""
    # From a key that is known, not from the first that is found: until PostgreSQL has swept up, a search for that one
    # walks over all that went before, and soon for longer than a statement may.
    beyond = at.seq + lines
    removed = tx.execute(
        delete(logs).where(
            logs.c.execution_id == at.execution_id,
            logs.c.attempt == at.attempt,
            logs.c.seq >= at.seq,
            logs.c.seq < beyond,
        )
    ).rowcount
    on_at = _first_line(tx, Place(at.execution_id, at.attempt, beyond))
    gone = 0 if on_at else _remove(tx, [at.execution_id])
    return Purged(gone, removed, more=True, on_at=on_at)


def _first_line(tx: Connection, at: Place) -> Place | None:
    """Return the first line of the execution that does not come before `at`."""
    mine = select(logs.c.attempt, logs.c.seq).where(logs.c.execution_id == at.execution_id)
    same = mine.where(logs.c.attempt == at.attempt, logs.c.seq >= at.seq)
    later = mine.where(logs.c.attempt > at.attempt)
    for query in (same, later):  # two: a condition on both columns at once is no place in an index to begin at
        row = tx.execute(query.order_by(logs.c.attempt, logs.c.seq).limit(1)).one_or_none()
        if row:
            return Place(at.execution_id, *row)
    return None


def _remove(tx: Connection, ids: Sequence[int]) -> int:
    """Remove executions whose lines are gone; return how many. A line that came since goes with its execution."""
    _remember_boundaries(tx, ids)
    tx.execute(delete(attempts).where(attempts.c.execution_id.in_(ids)))
    return tx.execute(delete(executions).where(executions.c.id.in_(ids))).rowcount


def _remember_boundaries(tx: Connection, ids: Sequence[int]) -> None:
    boundaries = tx.execute(
        select(
            executions.c.schedule_id, func.max(func.coalesce(executions.c.until, executions.c.fire_time)).label("at")
        )
        .where(executions.c.id.in_(ids), executions.c.schedule_id.is_not(None), executions.c.cause == "schedule")
        .group_by(executions.c.schedule_id)
        .order_by(executions.c.schedule_id)
    ).all()
    for schedule_id, at in boundaries:
        tx.execute(
            update(states)
            .where(
                states.c.schedule_id == schedule_id,
                or_(states.c.purged_until.is_(None), states.c.purged_until < at),
            )
            .values(purged_until=at)
        )


def purge_alerts(tx: Connection, before: datetime, *, limit: int = BATCH) -> int:
    """Remove at most `limit` alerts that were resolved before `before`; return how many.

    That a person resolved an event is kept where it is the newest of its fingerprint: without it the alert would open
    again.
    """
    later = alerts.alias()
    events = [kind.value for kind, row in KINDS.items() if row.event]
    old = (
        select(alerts.c.id)
        .where(
            alerts.c.resolved_at < before,
            or_(
                alerts.c.resolved_by.is_(None),
                alerts.c.kind.not_in(events),
                exists().where(later.c.fingerprint == alerts.c.fingerprint, later.c.id > alerts.c.id),
            ),
        )
        .order_by(alerts.c.resolved_at)
        .limit(limit)
    )
    return tx.execute(delete(alerts).where(alerts.c.id.in_(old))).rowcount


def countable(tx: Connection, before: datetime) -> int:
    """Return how many executions a purge with this limit would remove."""
    return int(
        tx.scalar(
            select(func.count())
            .select_from(executions)
            .where(executions.c.finished_at < before, executions.c.state.in_(tuple(TERMINAL)))
        )
        or 0
    )
