"""Owns the reads of the live view: what waits, runs, comes and has ended. Each is bounded; none writes or locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from celsched.domain.execution import Execution, State
from celsched.domain.health.kinds import Severity
from celsched.store.alerts import OPEN
from celsched.store.rows import execution_record
from celsched.store.tables import LIVE, UNSENT, executions, schedules, states
from celsched.store.tables_watch import LIVING, alerts

_HISTORY = 100
"""How many of the newest executions of a subject its usual duration is taken from."""
_LATELY = 3000


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many executions of a queue are due and have not started, and since when the oldest of them is due."""

    queue: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Coming:
    """A living schedule: when it fires next (None while it rests), and how it does."""

    id: int
    name: str
    next_fire_time: datetime | None
    paused: bool
    success_streak: int
    failure_streak: int
    recent: str
    broken: bool


@dataclass(frozen=True, slots=True)
class Firing:
    """An open alert."""

    id: int
    kind: str
    severity: Severity
    subject: str
    summary: str
    opened_at: datetime
    acknowledged: bool
    quiet: bool
    """Silenced or muted."""


def waiting(tx: Connection, now: datetime, limit: int) -> list[Waiting]:
    """Return the queues in which something waits that is due, the fullest first."""
    count, oldest = func.count(), func.min(executions.c.dispatch_at)
    query = select(executions.c.queue_name, count, oldest).where(UNSENT, executions.c.dispatch_at <= now)
    rows = tx.execute(query.group_by(executions.c.queue_name).order_by(count.desc()).limit(limit))
    return [Waiting(*row) for row in rows]


def running(tx: Connection, name: str, limit: int) -> tuple[list[Execution], int]:
    """Return what runs, longest first, and how many there are; `name`: only of subjects that contain it."""
    where: list[Any] = [LIVE, executions.c.state == State.RUNNING, *_named(_subject(), name)]
    query = select(executions).where(*where).order_by(executions.c.attempt_started_at, executions.c.id).limit(limit)
    found = [execution_record(row) for row in tx.execute(query).mappings()]
    if len(found) < limit:
        return found, len(found)
    return found, int(tx.scalar(select(func.count()).select_from(executions).where(*where)) or 0)


def ended(tx: Connection, name: str, limit: int) -> list[Execution]:
    """Return what ended last, skips too, newest first; with a `name` only of the newest few thousand."""
    newest = executions.c.finished_at.desc()
    query = select(executions).where(executions.c.finished_at.is_not(None)).order_by(newest)
    if name:
        lately = select(executions.c.id).where(executions.c.finished_at.is_not(None)).order_by(newest).limit(_LATELY)
        query = query.where(executions.c.id.in_(lately.scalar_subquery()), *_named(_subject(), name))
    return [execution_record(row) for row in tx.execute(query.limit(limit)).mappings()]


def coming(tx: Connection, name: str, limit: int) -> list[Coming]:
    """Return living schedules: soonest first, then those that rest, by name."""
    c = states.c
    query = (
        select(
            schedules.c.id,
            schedules.c.name,
            c.next_fire_time,
            c.paused_at.is_not(None),
            c.success_streak,
            c.failure_streak,
            c.recent,
            c.error.is_not(None),
        )
        .select_from(states.join(schedules, c.schedule_id == schedules.c.id))
        .where(schedules.c.deleted_at.is_(None), *_named(schedules.c.name, name))
        .order_by(c.next_fire_time.is_(None), c.next_fire_time, c.paused_at.is_(None), schedules.c.name)
        .limit(limit)
    )
    return [
        Coming(row[0], row[1], row[2], bool(row[3]), row[4], row[5], row[6], bool(row[7])) for row in tx.execute(query)
    ]


def firing(tx: Connection, name: str, limit: int) -> tuple[list[Firing], int]:
    """Return open alerts and how many there are: the worst first, of those what nobody has looked at, then the newest.

    One whose severity is none is bad.
    """
    a = alerts.c
    where: list[Any] = [LIVING, a.state == OPEN, *_named(a.subject, name)]
    rank = case({one.value: one.rank for one in Severity}, value=a.severity, else_=Severity.CRITICAL.rank)
    quiet = a.silence_id.is_not(None) | a.muted_by.is_not(None)
    seen = case((a.acknowledged_at.is_not(None) | quiet, 1), else_=0)
    query = select(a.id, a.kind, a.severity, a.subject, a.summary, a.opened_at, a.acknowledged_at.is_not(None), quiet)
    rows = tx.execute(query.where(*where).order_by(rank.desc(), seen, a.id.desc()).limit(limit))
    severities = {one.value: one for one in Severity}
    found = [
        Firing(
            row[0],
            row[1],
            severities.get(row[2], Severity.CRITICAL),
            row[3],
            row[4],
            row[5],
            bool(row[6]),
            bool(row[7]),
        )
        for row in rows
    ]
    if len(found) < limit:
        return found, len(found)
    return found, int(tx.scalar(select(func.count()).select_from(alerts).where(*where)) or 0)


def usual_duration(tx: Connection, execution: Execution, *, least: int = 3) -> timedelta | None:
    """Return the median of the subject's newest successes, from its newest executions; None below `least` of them."""
    e = executions.c
    newest = select(e.state, e.attempt_started_at, e.finished_at)
    if execution.schedule_id is not None:
        newest = newest.where(e.schedule_id == execution.schedule_id).order_by(e.fire_time.desc())
    else:
        newest = newest.where(e.task_id == execution.task_id).order_by(e.id.desc())
    rows = tx.execute(newest.limit(_HISTORY)).all()
    lengths: Sequence[timedelta] = [
        row.finished_at - row.attempt_started_at
        for row in rows
        if row.state == State.SUCCEEDED and row.finished_at and row.attempt_started_at
    ]
    return median_low(lengths) if len(lengths) >= least else None


def _subject() -> ColumnElement[str]:
    return func.coalesce(executions.c.schedule, executions.c.task)


def running_total(tx: Connection) -> int:
    """Return how many executions run, whatever their names."""
    return int(
        tx.scalar(select(func.count()).select_from(executions).where(LIVE, executions.c.state == State.RUNNING)) or 0
    )


def firing_total(tx: Connection) -> int:
    """Return how many alerts are open, whatever they are about."""
    return int(tx.scalar(select(func.count()).select_from(alerts).where(LIVING, alerts.c.state == OPEN)) or 0)


def firing_kinds(tx: Connection, name: str) -> dict[str, int]:
    """Return how many alerts of each kind are open, the most frequent first."""
    count, a = func.count(), alerts.c
    where: list[Any] = [LIVING, a.state == OPEN, *_named(a.subject, name)]
    query = select(a.kind, count).where(*where).group_by(a.kind).order_by(count.desc(), a.kind)
    return {row[0]: row[1] for row in tx.execute(query)}


def _named(column: ColumnElement[str], name: str) -> list[ColumnElement[bool]]:
    return [column.icontains(name, autoescape=True)] if name else []
