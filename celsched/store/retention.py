"""Owns the purge: old terminal executions with their attempts and logs, old alerts, in small transactions.

It never removes a living row.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, or_, select, update

from celsched.domain.execution import TERMINAL
from celsched.domain.health.kinds import KINDS
from celsched.store.tables import attempts, executions, logs, states
from celsched.store.tables_watch import alerts

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Purged:
    """What one transaction removed."""

    executions: int
    logs: int


def purge_batch(tx: Connection, before: datetime, *, limit: int = BATCH) -> Purged:
    """Remove at most `limit` executions that ended before `before`; keep in the states how far the ledger reaches."""
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
    lines = tx.execute(delete(logs).where(logs.c.execution_id.in_(ids))).rowcount
    tx.execute(delete(attempts).where(attempts.c.execution_id.in_(ids)))
    gone = tx.execute(delete(executions).where(executions.c.id.in_(ids))).rowcount
    return Purged(gone, lines)


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
