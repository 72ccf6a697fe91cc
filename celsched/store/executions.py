"""Owns reading executions and attempts: one, lists by filters, the ledger of a schedule. It never changes one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, Table, and_, func, not_, or_, select

from celsched.domain.execution import LIVE, Attempt, Cause, Execution, State
from celsched.store.rows import attempt_record, execution_record
from celsched.store.tables import attempts, executions, schedules, tasks


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; times are those of the fire time or request, `before_id` pages backwards."""

    states: frozenset[State] = frozenset()
    task: str | None = None
    schedule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before_id: int | None = None
    after_id: int | None = None
    with_skips: bool = True
    causes: frozenset[Cause] = frozenset()


def find(tx: Connection, execution_id: int) -> Execution | None:
    """Return one execution."""
    row = tx.execute(select(executions).where(executions.c.id == execution_id)).mappings().one_or_none()
    return None if row is None else execution_record(row)


def listing(tx: Connection, wanted: Filter, limit: int) -> list[Execution]:
    """Return the newest executions first."""
    query = _narrow(select(executions), wanted).order_by(executions.c.id.desc()).limit(limit)
    return [execution_record(row) for row in tx.execute(query).mappings()]


def _narrow(query: Select[tuple[object, ...]], wanted: Filter) -> Select[tuple[object, ...]]:
    at = func.coalesce(executions.c.fire_time, executions.c.created_at, type_=executions.c.created_at.type)
    conditions = [
        executions.c.state.in_(tuple(wanted.states)) if wanted.states else None,
        # By id, which has an index; another object of the same name, deleted before, counts as well.
        executions.c.task_id.in_(_ids(tasks, wanted.task)) if wanted.task is not None else None,
        executions.c.schedule_id.in_(_ids(schedules, wanted.schedule)) if wanted.schedule is not None else None,
        at >= wanted.since if wanted.since is not None else None,
        at < wanted.until if wanted.until is not None else None,
        executions.c.id < wanted.before_id if wanted.before_id is not None else None,
        executions.c.id > wanted.after_id if wanted.after_id is not None else None,
        None if wanted.with_skips else executions.c.state != State.SKIPPED,
        executions.c.cause.in_(tuple(wanted.causes)) if wanted.causes else None,
    ]
    return query.where(*(condition for condition in conditions if condition is not None))


def _ids(table: Table, name: str) -> Select[tuple[int]]:
    return select(table.c.id).where(table.c.name == name)


def attempts_of(tx: Connection, execution_id: int) -> list[Attempt]:
    """Return the attempts of an execution, first one first."""
    query = select(attempts).where(attempts.c.execution_id == execution_id).order_by(attempts.c.attempt)
    return [attempt_record(row) for row in tx.execute(query).mappings()]


def at_fire_time(tx: Connection, schedule_id: int, fire_time: datetime) -> Execution | None:
    """Return the ledger's row for a fire time of a schedule: its own, or the range that holds it."""
    row = (
        tx.execute(
            select(executions).where(
                executions.c.schedule_id == schedule_id,
                executions.c.cause == Cause.SCHEDULE,
                or_(
                    executions.c.fire_time == fire_time,
                    and_(executions.c.fire_time <= fire_time, executions.c.until >= fire_time),
                ),
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else execution_record(row)


def latest(tx: Connection, schedule_id: int, *, with_skips: bool = True) -> Execution | None:
    """Return the newest row of a schedule, of any cause."""
    query = select(executions).where(executions.c.schedule_id == schedule_id)
    if not with_skips:
        query = query.where(executions.c.state != State.SKIPPED)
    row = tx.execute(query.order_by(executions.c.id.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else execution_record(row)


def repeats_of(tx: Connection, execution_id: int) -> Sequence[int]:
    """Return the executions that repeat this one (`retry`, `backfill`)."""
    return list(tx.scalars(select(executions.c.id).where(executions.c.origin_id == execution_id)))


def live_of(tx: Connection, schedule_id: int) -> list[Execution]:
    """Return everything of a schedule that has not ended, oldest first."""
    query = select(executions).where(executions.c.schedule_id == schedule_id, executions.c.state.in_(tuple(LIVE)))
    return [execution_record(row) for row in tx.execute(query.order_by(executions.c.id)).mappings()]


def done_fire_times(
    tx: Connection, schedule_id: int, since: datetime, until: datetime, *, besides: str
) -> set[datetime]:
    """Return the fire times in [since, until) with a succeeded or active execution of any cause.

    Rows whose request id begins with `besides` do not count: they are of the very command that asks.
    """
    states: Iterable[State] = (*LIVE, State.SUCCEEDED)
    rows = tx.scalars(
        select(executions.c.fire_time).where(
            executions.c.schedule_id == schedule_id,
            executions.c.fire_time >= since,
            executions.c.fire_time < until,
            executions.c.state.in_(tuple(states)),
            or_(
                executions.c.request_id.is_(None),
                not_(executions.c.request_id.startswith(besides, autoescape=True)),
            ),
        )
    )
    return {fire_time for fire_time in rows if fire_time is not None}


def ledger_rows(tx: Connection, schedule_id: int, since: datetime, until: datetime) -> list[Execution]:
    """Return the rows of cause `schedule` that touch [since, until), by fire time."""
    query = (
        select(executions)
        .where(
            executions.c.schedule_id == schedule_id,
            executions.c.cause == Cause.SCHEDULE,
            executions.c.fire_time < until,
            func.coalesce(executions.c.until, executions.c.fire_time, type_=executions.c.until.type) >= since,
        )
        .order_by(executions.c.fire_time)
    )
    return [execution_record(row) for row in tx.execute(query).mappings()]


def count_by_state(tx: Connection, after_id: int = 0) -> dict[State, int]:
    """Return how many executions each state holds, of those with a greater id; a range counts its fire times."""
    query = (
        select(executions.c.state, func.sum(executions.c.count))
        .where(executions.c.id > after_id)
        .group_by(executions.c.state)
    )
    return {State(state): int(count) for state, count in tx.execute(query)}


def newest_id(tx: Connection) -> int:
    """Return the greatest execution id so far, 0 where there is none."""
    return int(tx.scalar(select(func.max(executions.c.id))) or 0)
