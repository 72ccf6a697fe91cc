"""Owns what the watcher reads of what failed last, of single schedules. It never judges."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, select, true

from celsched.domain.execution import FAILURES
from celsched.domain.health.explained import Failure
from celsched.store.batches import batches
from celsched.store.tables import executions, schedules

_DEEP = 100
"""Of so many executions of a schedule at most."""


def last_failures(tx: Connection, schedule_ids: Collection[int]) -> dict[int, Failure]:
    """Return the newest failed execution of each schedule, by its fire time, where one of its last ones failed."""
    found: dict[int, Failure] = {}
    for batch in batches(sorted(schedule_ids)):
        for row in tx.execute(_query(tx, batch)):
            found[row.schedule_id] = Failure(row.id, row.fire_time, row.finished_at, row.error)
    return found


def _query(tx: Connection, ids: list[int]) -> Select[Any]:
    last, e = executions.alias("last"), executions.c
    recent = (
        select(last.c.id, last.c.state)
        .where(last.c.schedule_id == schedules.c.id, last.c.fire_time.is_not(None))
        .order_by(last.c.fire_time.desc())
        .limit(_DEEP)
        .correlate(schedules)
        .subquery("recent")
    )
    bad = select(recent.c.id).where(recent.c.state.in_(sorted(FAILURES))).limit(1)
    if tx.dialect.name == "sqlite":
        # It has no LATERAL (see `watch_work`).
        joined = schedules.join(executions, e.id.in_(bad.correlate(schedules)))
    else:
        lateral = bad.correlate(schedules).lateral("bad")
        joined = schedules.join(lateral, true()).join(executions, e.id == lateral.c.id)
    columns = (schedules.c.id.label("schedule_id"), e.id, e.fire_time, e.finished_at, e.error)
    return select(*columns).select_from(joined).where(schedules.c.id.in_(ids))
