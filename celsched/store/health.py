"""Owns the facts that health is judged by. It never judges."""

from datetime import datetime

from sqlalchemy import Connection, func, not_, select

from celsched.domain.execution import State
from celsched.domain.health import Facts, LateStart
from celsched.store.tables import executions, schedules, states
from celsched.store.tables_watch import instances


def facts(tx: Connection, now: datetime) -> Facts:
    """Look at the whole store."""
    active = tx.scalar(
        select(func.count())
        .select_from(states.join(schedules, states.c.schedule_id == schedules.c.id))
        .where(schedules.c.deleted_at.is_(None), states.c.wake_at.is_not(None))
    )
    daemons = instances.c.kind == "daemon"
    beat = tx.scalar(select(func.max(instances.c.beat_at)).where(daemons, instances.c.stopped_at.is_(None)))
    stopped = tx.scalar(select(func.max(instances.c.stopped_at)).where(daemons))
    return Facts(int(active or 0), beat, stopped, _late(tx, now))


def _late(tx: Connection, now: datetime) -> list[LateStart]:
    rows = tx.execute(
        select(
            executions.c.schedule_id,
            executions.c.task_id,
            func.max(func.coalesce(executions.c.schedule, executions.c.task)).label("subject"),
            func.count().label("count"),
            func.min(executions.c.id).label("oldest_id"),
            func.min(executions.c.dispatch_at).label("oldest"),
        )
        .where(
            executions.c.state.in_((State.PENDING, State.QUEUED)),
            not_(executions.c.waits),
            executions.c.attempt == 1,
            executions.c.dispatch_at < now,
        )
        .group_by(executions.c.schedule_id, executions.c.task_id)
    )
    return [LateStart(r.subject, r.schedule_id, r.task_id, r._mapping["count"], r.oldest_id, r.oldest) for r in rows]
