"""Owns what the watcher reads of executions that wait, run or have just succeeded. It never judges.

Waiting and running ones are found by the partial indexes, successes by the index of what ended lately.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, case, func, or_, select, true

from celsched.domain.execution import State
from celsched.domain.health.duration_drift import NEWEST
from celsched.domain.health.gap import Gap
from celsched.domain.health.rules import Layer
from celsched.domain.health.wishes import decode_wishes
from celsched.domain.health.work_facts import USUAL, Run, Success, Waiting
from celsched.errors import InvalidDefinition
from celsched.store.batches import batches
from celsched.store.dialect import unindexed
from celsched.store.readable import readable
from celsched.store.slices import difference, length
from celsched.store.tables import LIVE, UNSENT, executions, schedules, tasks

_PAST = NEWEST + USUAL
"""So many successes are a schedule's history."""
_DEEP = 500
"""Of so many executions of a schedule at most: one that fails or is skipped all the time has a short history."""


def waiting(tx: Connection, now: datetime) -> list[Waiting]:
    """Return what is due by `now` and has not started, those alike as one."""
    e = executions.c
    retries = case((e.attempt > 1, 1), else_=0)
    alike = (e.schedule_id, e.task_id, e.queue_name, e.state, retries)
    groups = (unindexed(e.schedule_id), *alike[1:])
    sent_at = case((e.state == State.QUEUED, e.queued_at))
    rows = (
        select(
            *alike[:4],
            retries.label("retries"),
            e.id,
            func.coalesce(e.schedule, e.task).label("subject"),
            e.dispatch_at,
            e.fire_time,
            e.labels,
            sent_at.label("sent_at"),
            e.start_deadline,
            func.count().over(partition_by=groups).label("many"),
            func.row_number().over(partition_by=groups, order_by=(e.dispatch_at, e.id)).label("by_due"),
            func.row_number().over(partition_by=groups, order_by=(sent_at, e.id)).label("by_sent"),
        )
        .where(UNSENT, e.dispatch_at <= now)
        .subquery()
    )
    found = tx.execute(select(rows).where(or_(rows.c.by_due == 1, rows.c.by_sent == 1))).mappings().all()
    sent = {_alike(row): row for row in found if row["by_sent"] == 1}
    return [_waiting(row, sent[_alike(row)]) for row in found if row["by_due"] == 1]


def _alike(row: RowMapping) -> tuple[Any, ...]:
    return row["schedule_id"], row["task_id"], row["queue_name"], row["state"], row["retries"]


def _waiting(row: RowMapping, sent: RowMapping) -> Waiting:
    return Waiting(
        subject=row["subject"],
        schedule_id=row["schedule_id"],
        task_id=row["task_id"],
        queue=row["queue_name"],
        state=State(row["state"]),
        retries=bool(row["retries"]),
        count=row["many"],
        oldest=row["id"],
        due_at=row["dispatch_at"],
        fire_time=row["fire_time"],
        first_sent=None if sent["sent_at"] is None else sent["id"],
        sent_at=sent["sent_at"],
        start_deadline=None if sent["sent_at"] is None else sent["start_deadline"],
        labels=row["labels"] or {},
    )


def running(tx: Connection) -> list[Run]:
    """Return every running attempt; for how long its worker has been silent is not in the store."""
    e = executions.c
    query = select(
        e.id,
        func.coalesce(e.schedule, e.task),
        e.schedule_id,
        e.task_id,
        e.claim_token,
        e.worker,
        e.heartbeat,
        e.attempt_started_at,
        e.fire_time,
        e.soft_time_limit,
        e.labels,
    ).where(e.state == State.RUNNING, LIVE)
    return [Run(*row[:10], row.labels or {}) for row in tx.execute(query)]


def successes(tx: Connection, since: datetime) -> dict[int, Success]:
    """Return the newest success of each schedule that had one since then."""
    e = executions.c
    subject = unindexed(e.schedule_id)
    newest = func.row_number().over(partition_by=subject, order_by=(e.finished_at.desc(), e.id.desc()))
    rows = (
        select(e.schedule_id, *_outcome(tx), newest.label("place"))
        .where(e.finished_at >= since, e.state == State.SUCCEEDED, subject.is_not(None))
        .subquery()
    )
    return {row["schedule_id"]: _success(row) for row in tx.execute(select(rows).where(rows.c.place == 1)).mappings()}


def history(tx: Connection, schedule_ids: Collection[int]) -> dict[int, list[Success]]:
    """Return the last successes of fire times of these schedules, newest first."""
    found: dict[int, list[Success]] = {}
    ids = sorted(schedule_ids)
    for batch in batches(ids):
        for row in tx.execute(_last(tx, batch, _SUCCEEDED, _outcome(tx), _PAST)).mappings():
            found.setdefault(row["schedule_id"], []).append(_success(row))
    return {key: sorted(past, key=lambda one: one.ended_at, reverse=True) for key, past in found.items()}


def waits(tx: Connection, schedule_ids: Collection[int]) -> dict[int, list[timedelta]]:
    """Return for how long the messages of the last fire times of these schedules lay in their queue.

    One that was claimed before it was marked as sent waited for nothing.
    """
    e = executions.c
    wait = difference(tx, e.started_at, func.coalesce(e.queued_at, e.started_at)).label("wait")
    found: dict[int, list[timedelta]] = {}
    for batch in batches(sorted(schedule_ids)):
        for row in tx.execute(_last(tx, batch, _FIRST_START, (wait,), USUAL)).mappings():
            found.setdefault(row["schedule_id"], []).append(max(length(row["wait"]), timedelta(0)))
    return found


def task_layers(tx: Connection, task_ids: Collection[int], gaps: list[Gap] | None = None) -> dict[int, list[Layer]]:
    """Return what these tasks say of alerts, weakest first; what cannot be read says nothing, and goes to `gaps`."""
    found: dict[int, list[Layer]] = {}
    for batch in batches(sorted(task_ids)):
        query = select(tasks.c.id, tasks.c.defaults, tasks.c.options).where(tasks.c.id.in_(batch))
        for row in readable(tx, query, tasks.c.id, "task", dict, gaps):
            with suppress(InvalidDefinition):
                said = [layer["alerts"] for layer in (row["defaults"], row["options"]) if "alerts" in layer]
                found[row["id"]] = [decode_wishes("alerts", written).layer for written in said]
    return found


_RECENT = executions.alias("last")
_SUCCEEDED = _RECENT.c.state == State.SUCCEEDED
_FIRST_START = and_(_RECENT.c.attempt == 1, _RECENT.c.started_at.is_not(None))
"""Of which of a schedule's last executions its past is made."""


def _last(
    tx: Connection, ids: list[int], wanted: ColumnElement[bool], values: tuple[Any, ...], most: int
) -> Select[Any]:
    """Return the query for these values of the last executions of these schedules that are wanted."""
    recent = (
        select(_RECENT.c.id, wanted.label("wanted"))
        .where(_RECENT.c.schedule_id == schedules.c.id, _RECENT.c.fire_time.is_not(None))
        .order_by(_RECENT.c.fire_time.desc())
        .limit(_DEEP)
        .correlate(schedules)
        .subquery("recent")
    )
    good = select(recent.c.id).where(recent.c.wanted).limit(most)
    columns = (schedules.c.id.label("schedule_id"), *values)
    if tx.dialect.name == "sqlite":
        # It has no LATERAL, and looks the ids up one by one; PostgreSQL would read the whole table for this.
        joined = schedules.join(executions, executions.c.id.in_(good.correlate(schedules)))
    else:
        lateral = good.correlate(schedules).lateral("good")
        joined = schedules.join(lateral, true()).join(executions, executions.c.id == lateral.c.id)
    return select(*columns).select_from(joined).where(schedules.c.id.in_(ids))


def _outcome(tx: Connection) -> tuple[Any, ...]:
    e = executions.c
    return e.id, e.finished_at, e.fire_time, difference(tx, e.finished_at, e.attempt_started_at).label("took")


def _success(row: RowMapping) -> Success:
    return Success(row["id"], row["finished_at"], length(row["took"]), row["fire_time"])
