"""Owns what the watcher reads of executions that wait or run. It never judges."""

from datetime import datetime

from sqlalchemy import Connection, func, not_, select

from celsched.domain.execution import State
from celsched.domain.health.work_facts import LateStart, WorkFacts
from celsched.store.tables import executions


def facts(tx: Connection, now: datetime) -> WorkFacts:
    """Look at what waits and what runs."""
    return WorkFacts(late=late_starts(tx, now))


def late_starts(tx: Connection, now: datetime) -> list[LateStart]:
    """Return the subjects with executions that should have started by now."""
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
