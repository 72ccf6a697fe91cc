"""Owns the read-only counts behind `celsched stats`. It never returns single executions, and never locks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from celsched.domain.execution import LIVE, Cause, State
from celsched.domain.report import TIMED, Cell
from celsched.store.slices import Key, Slice, day_column, difference, key_columns, length, narrow, of_subjects, position
from celsched.store.tables import attempts, executions, schedules, states, tasks


@dataclass(frozen=True, slots=True)
class Group:
    """A cell with what it was counted by. `duration` sums, and `longest` is of, the runs whose work was timed."""

    cell: Cell
    key: Key
    cause: Cause
    reason: str | None
    task_id: int
    queue: str | None
    """None where there was no execution to put into one."""
    timed: int
    duration: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Usage:
    """What the attempts of a subject's executions used; None where no attempt was measured."""

    attempts: int = 0
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a schedule or task, which may be deleted by now; `task_id` of a schedule is its task now."""

    name: str
    deleted: bool
    task_id: int


@dataclass(frozen=True, slots=True)
class Coming:
    """A schedule's next fire time."""

    schedule: str
    task: str
    at: datetime


def allow_long_reading(tx: Connection) -> None:
    """Lift the limit meant for short transactions, for the rest of this one.

    More `work_mem` is not asked for: it gained nothing, since PostgreSQL then gives up its parallel plan (measured).
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.set_config("statement_timeout", "120s", True)))


def groups(tx: Connection, wanted: Slice) -> list[Group]:
    """Return how many executions ended alike, per day, subject, state, cause and reason."""
    e = executions.c
    # In this order SQLite, which sorts by these, compares numbers before words.
    keys = (day_column(wanted.window), *key_columns(wanted), e.state, e.cause, e.reason, e.task_id, e.queue_name)
    took = difference(tx, e.finished_at, e.attempt_started_at)
    numbers = (func.count(), func.sum(e.count), func.sum(e.attempt - 1), func.count(took), func.sum(took))
    query = narrow(select(*keys, *numbers, func.max(took)), wanted)
    return [_group(row) for row in tx.execute(query.group_by(*map(position, range(1, len(keys) + 1))))]


def _group(row: Any) -> Group:
    day, *key, state, cause, reason, task_id, queue, count, fire_times, retries, timed, total, longest = row
    cell = Cell(day, State(state), count, int(fire_times), int(retries))
    if cell.state not in TIMED:
        timed, total, longest = 0, None, None
    return Group(cell, Key(*key), Cause(cause), reason, task_id, queue, timed, length(total), length(longest))


def totals(tx: Connection, wanted: Slice) -> dict[Key, list[Cell]]:
    """Return how many executions ended alike per subject and state, all as of the first day: days are not told."""
    e = executions.c
    keys = (*key_columns(wanted), e.state)
    query = narrow(select(*keys, func.count(), func.sum(e.count), func.sum(e.attempt - 1)), wanted)
    found: dict[Key, list[Cell]] = {}
    for *key, state, count, fire_times, retries in tx.execute(query.group_by(*map(position, range(1, 4)))):
        found.setdefault(Key(*key), []).append(Cell(0, State(state), count, int(fire_times), int(retries)))
    return found


def usage(tx: Connection, wanted: Slice) -> dict[Key, Usage]:
    """Return what attempts used, summed (CPU) and at most (memory) per subject."""
    values = (func.count(), func.sum(attempts.c.cpu_seconds), func.max(attempts.c.peak_memory_bytes))
    query = select(*key_columns(wanted), *values).select_from(
        executions.join(attempts, attempts.c.execution_id == executions.c.id)
    )
    rows = tx.execute(narrow(query, wanted).group_by(position(1), position(2)))
    return {Key(*row[:2]): Usage(*row[2:]) for row in rows}


def live_counts(tx: Connection, wanted: Slice) -> dict[tuple[State, bool], int]:
    """Return how many executions have not ended, whenever recorded, by state and whether another's end is awaited."""
    query = (
        select(executions.c.state, executions.c.waits, func.count())
        .where(executions.c.state.in_(tuple(sorted(LIVE))), *of_subjects(wanted))
        .group_by(executions.c.state, executions.c.waits)
    )
    return {(State(state), bool(waits)): count for state, waits, count in tx.execute(query)}


def coming(tx: Connection, wanted: Slice, now: datetime, limit: int) -> list[Coming]:
    """Return the next fire times, soonest first. One that has come and is not decided yet is `due`, not next."""
    columns = select(schedules.c.name, tasks.c.name.label("task"), states.c.next_fire_time)
    query = _fire_times(columns, wanted).where(states.c.next_fire_time > now)
    query = query.order_by(states.c.next_fire_time, schedules.c.name).limit(limit)
    return [Coming(*row) for row in tx.execute(query)]


def due(tx: Connection, wanted: Slice, now: datetime) -> int:
    """Return of how many schedules a fire time has come that no daemon has decided yet."""
    query = _fire_times(select(func.count(states.c.schedule_id)), wanted).where(states.c.next_fire_time <= now)
    return tx.scalar(query) or 0


def _fire_times(query: Select[Any], wanted: Slice) -> Select[Any]:
    joined = states.join(schedules, states.c.schedule_id == schedules.c.id)
    query = query.select_from(joined.join(tasks, schedules.c.task_id == tasks.c.id))
    query = query.where(schedules.c.deleted_at.is_(None))
    if wanted.schedule_ids is not None:
        query = query.where(schedules.c.id.in_(wanted.schedule_ids))
    return query if wanted.task_ids is None else query.where(schedules.c.task_id.in_(wanted.task_ids))


def schedule_names(tx: Connection) -> dict[int, Name]:
    """Return the names of all schedules by id, deleted ones too."""
    c = schedules.c
    return _names(tx, select(c.id, c.name, c.deleted_at.is_not(None), c.task_id).order_by(c.id))


def task_names(tx: Connection) -> dict[int, Name]:
    """Return the names of all tasks by id, deleted ones too."""
    c = tasks.c
    return _names(tx, select(c.id, c.name, c.deleted_at.is_not(None), c.id).order_by(c.id))


def _names(tx: Connection, query: Select[Any]) -> dict[int, Name]:
    return {found: Name(name, bool(deleted), task_id) for found, name, deleted, task_id in tx.execute(query)}
