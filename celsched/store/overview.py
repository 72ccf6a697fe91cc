"""Owns the reads behind lists and explanations: newest rows, neighbours in a ledger, the deleted. It never writes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from celsched.domain.execution import Cause, Execution, State
from celsched.store.definitions import StoredSchedule, joined, stored_schedule
from celsched.store.instances import Instance
from celsched.store.rows import execution_record
from celsched.store.tables import executions, schedules, states, tasks
from celsched.store.tables_watch import audit, instances


@dataclass(frozen=True, slots=True)
class Newest:
    """What a schedule's newest row says."""

    execution_id: int
    state: State
    reason: str | None
    at: datetime
    """The fire time (of a range: its last), or when it was requested."""


def newest_rows(tx: Connection) -> dict[int, Newest]:
    """Return the newest row of every living schedule that has one, by its id: two index look-ups for each."""
    by_fire_time = (
        select(executions.c.id)
        .where(executions.c.schedule_id == states.c.schedule_id, executions.c.fire_time.is_not(None))
        .order_by(executions.c.fire_time.desc(), executions.c.id.desc())
        .limit(1)
        .correlate(states)
        .scalar_subquery()
    )
    by_request = (
        select(func.max(executions.c.id))
        .where(executions.c.schedule_id == states.c.schedule_id, executions.c.fire_time.is_(None))
        .correlate(states)
        .scalar_subquery()
    )
    living = states.join(schedules, states.c.schedule_id == schedules.c.id)
    ids = select(by_fire_time.label("one"), by_request.label("other")).select_from(living)
    ids = ids.where(schedules.c.deleted_at.is_(None))
    wanted = [max(row.one or 0, row.other or 0) for row in tx.execute(ids)]
    found: dict[int, Newest] = {}
    for start in range(0, len(wanted), 500):
        found |= _newest(tx, [one for one in wanted[start : start + 500] if one])
    return found


def _newest(tx: Connection, ids: Sequence[int]) -> dict[int, Newest]:
    at = func.coalesce(
        executions.c.until, executions.c.fire_time, executions.c.created_at, type_=executions.c.created_at.type
    )
    query = select(executions.c.schedule_id, executions.c.id, executions.c.state, executions.c.reason, at)
    rows = tx.execute(query.where(executions.c.id.in_(ids)))
    return {row[0]: Newest(row[1], State(row[2]), row[3], row[4]) for row in rows}


def schedules_per_task(tx: Connection) -> dict[int, int]:
    """Return how many living schedules each task has that has any."""
    query = select(schedules.c.task_id, func.count()).where(schedules.c.deleted_at.is_(None))
    return {row[0]: row[1] for row in tx.execute(query.group_by(schedules.c.task_id))}


@dataclass(frozen=True, slots=True)
class Namesake:
    """A schedule of a name, living or deleted."""

    schedule: StoredSchedule
    deleted_at: datetime | None


def schedules_named(tx: Connection, name: str) -> list[Namesake]:
    """Return every schedule that ever had this name, newest first."""
    query = (
        select(*joined().selected_columns)
        .select_from(
            states.join(schedules, states.c.schedule_id == schedules.c.id).join(
                tasks, schedules.c.task_id == tasks.c.id
            )
        )
        .where(schedules.c.name == name)
        .order_by(schedules.c.id.desc())
    )
    return [Namesake(stored_schedule(row), row["schedule_deleted_at"]) for row in tx.execute(query).mappings()]


def task_was_known(tx: Connection, name: str) -> bool:
    """Return whether a task of this name is, or was, stored."""
    return tx.scalar(select(tasks.c.id).where(tasks.c.name == name).limit(1)) is not None


def _first(tx: Connection, *where: object, newest: bool) -> Execution | None:
    order = (executions.c.fire_time.desc() if newest else executions.c.fire_time.asc(),)
    query = select(executions).where(executions.c.cause == Cause.SCHEDULE, *where)  # type: ignore[arg-type]
    row = tx.execute(query.order_by(*order).limit(1)).mappings().one_or_none()
    return None if row is None else execution_record(row)


def row_before(tx: Connection, schedule_id: int, at: datetime) -> Execution | None:
    """Return the newest row of the schedule's ledger that begins before `at`."""
    return _first(tx, executions.c.schedule_id == schedule_id, executions.c.fire_time < at, newest=True)


def row_after(tx: Connection, schedule_id: int, at: datetime, *, with_skips: bool = True) -> Execution | None:
    """Return the oldest row of the schedule's ledger that begins after `at`."""
    where = [executions.c.schedule_id == schedule_id, executions.c.fire_time > at]
    if not with_skips:
        where.append(executions.c.state != State.SKIPPED)
    return _first(tx, *where, newest=False)


def blocker_of(tx: Connection, execution: Execution) -> Execution | None:
    """Return an execution of the same schedule that was active when this one was recorded."""
    return _active_at(tx, execution, execution.created_at)


def active_beside(tx: Connection, execution: Execution) -> Execution | None:
    """Return an execution of the same schedule that is active now: what a waiting one waits for."""
    query = select(executions).where(
        executions.c.schedule_id == execution.schedule_id,
        executions.c.id != execution.id,
        or_(
            executions.c.state.in_((State.QUEUED, State.RUNNING, State.RETRYING)),
            and_(executions.c.state == State.PENDING, executions.c.waits.is_(False)),
        ),
    )
    row = tx.execute(query.order_by(executions.c.id).limit(1)).mappings().one_or_none()
    return None if row is None else execution_record(row)


def _active_at(tx: Connection, execution: Execution, at: datetime) -> Execution | None:
    query = select(executions).where(
        executions.c.schedule_id == execution.schedule_id,
        executions.c.id < execution.id,
        executions.c.created_at <= at,
        executions.c.state != State.SKIPPED,
        or_(executions.c.finished_at.is_(None), executions.c.finished_at >= at),
    )
    row = tx.execute(query.order_by(executions.c.id.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else execution_record(row)


def states_of(tx: Connection, ids: Collection[int]) -> dict[int, State]:
    """Return the states of these executions."""
    query = select(executions.c.id, executions.c.state).where(executions.c.id.in_(list(ids)))
    return {row.id: State(row.state) for row in tx.execute(query)}


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did something, when, and with what details."""

    at: datetime
    user: str
    details: dict[str, object]


def last_deed(tx: Connection, action: str, kind: str, subject: str, before: datetime) -> Deed | None:
    """Return the newest audited deed of this kind at or before an instant."""
    query = (
        select(audit.c.at, audit.c.user, audit.c.details)
        .where(audit.c.action == action, audit.c.kind == kind, audit.c.subject == subject, audit.c.at <= before)
        .order_by(audit.c.at.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else Deed(row.at, row.user, row.details)


def last_beat(tx: Connection, kind: str) -> datetime | None:
    """Return when any instance of this kind was last heard of."""
    found: datetime | None = tx.scalar(select(func.max(instances.c.beat_at)).where(instances.c.kind == kind))
    return found


def instance_of(tx: Connection, instance_id: str | None) -> Instance | None:
    """Return one instance."""
    columns = [instances.c[name] for name in Instance.__slots__]  # the watcher's own columns are not among them
    row = tx.execute(select(*columns).where(instances.c.id == instance_id)).mappings().one_or_none()
    return None if row is None else Instance(**row)
