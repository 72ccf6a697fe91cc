"""Owns stored definitions and their schedule states: reading them, and writing single ones. It never plans."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, insert, select, text, update

from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.domain.state import ScheduleState
from celsched.errors import Conflict, InvalidDefinition
from celsched.store.dialect import dialect_of
from celsched.store.rows import schedule_record, schedule_values, state_record, task_record, task_values
from celsched.store.tables import schedules, states, tasks


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task definition with what the store adds to it. `checked`: its path was imported when it was written."""

    id: int
    revision: int
    definition: TaskDefinition
    checked: bool
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """The definition's name."""
        return self.definition.name


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule definition with its task and its state."""

    id: int
    revision: int
    definition: ScheduleDefinition
    task: StoredTask
    state: ScheduleState
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """The definition's name."""
        return self.definition.name


def _task(row: RowMapping, prefix: str = "") -> StoredTask:
    values = {column.name: row[prefix + column.name] for column in tasks.c}
    return StoredTask(
        values["id"],
        values["revision"],
        task_record(values),
        values["checked"],
        values["created_at"],
        values["updated_at"],
    )


_JOINED = [
    *(column.label(f"schedule_{column.name}") for column in schedules.c),
    *(column.label(f"task_{column.name}") for column in tasks.c),
    *(column.label(f"state_{column.name}") for column in states.c),
]


def joined() -> Select[Any]:
    """Return the query of living schedules with their tasks and states; callers narrow it."""
    return (
        select(*_JOINED)
        .select_from(states.join(schedules, states.c.schedule_id == schedules.c.id).join(
            tasks, schedules.c.task_id == tasks.c.id
        ))
        .where(schedules.c.deleted_at.is_(None))
    )  # fmt: skip


def stored_schedule(row: RowMapping) -> StoredSchedule:
    """Return the schedule of a row of `joined`."""
    values = {column.name: row[f"schedule_{column.name}"] for column in schedules.c}
    task = _task(row, "task_")
    return StoredSchedule(
        values["id"],
        values["revision"],
        schedule_record(values, task.name),
        task,
        state_record({column.name: row[f"state_{column.name}"] for column in states.c}),
        values["created_at"],
        values["updated_at"],
    )


def all_tasks(tx: Connection) -> list[StoredTask]:
    """Return every living task, by name."""
    query = select(tasks).where(tasks.c.deleted_at.is_(None)).order_by(tasks.c.name)
    return [_task(row) for row in tx.execute(query).mappings()]


def find_task(tx: Connection, name: str) -> StoredTask | None:
    """Return the living task of this name."""
    query = select(tasks).where(tasks.c.name == name, tasks.c.deleted_at.is_(None))
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else _task(row)


def tasks_of_path(tx: Connection, task_path: str) -> list[StoredTask]:
    """Return the living tasks defined with this path."""
    query = select(tasks).where(tasks.c.task_path == task_path, tasks.c.deleted_at.is_(None)).order_by(tasks.c.id)
    return [_task(row) for row in tx.execute(query).mappings()]


def all_schedules(tx: Connection) -> list[StoredSchedule]:
    """Return every living schedule, by name.

    Raises:
        Conflict: one cannot be read here; it is named, since nobody asked for that one.
    """
    return [_told(row) for row in tx.execute(joined().order_by(schedules.c.name)).mappings()]


def _told(row: RowMapping) -> StoredSchedule:
    try:
        return stored_schedule(row)
    except (InvalidDefinition, KeyError) as error:
        why = f"unknown option {error}" if isinstance(error, KeyError) else error.message
        raise Conflict(
            f"the schedule '{row['schedule_name']}' as it is stored cannot be read here: {why}",
            hint="a newer celsched wrote it, or this machine lacks its zone: upgrade celsched and tzdata here",
        ) from error


def find_schedule(tx: Connection, name: str) -> StoredSchedule | None:
    """Return the living schedule of this name."""
    row = tx.execute(joined().where(schedules.c.name == name)).mappings().one_or_none()
    return None if row is None else stored_schedule(row)


def latest_schedule_id(tx: Connection, name: str) -> int | None:
    """Return the id of the newest schedule of this name, a deleted one too (its ledger can still be asked)."""
    found: int | None = tx.scalar(
        select(schedules.c.id).where(schedules.c.name == name).order_by(schedules.c.id.desc()).limit(1)
    )
    return found


def lock_schedules(tx: Connection, ids: Iterable[int]) -> list[StoredSchedule]:
    """Return these schedules, their state rows locked in the order of their ids until the transaction ends.

    They are read by a second statement: one that waits for a lock returns the locked row anew, but the rows joined to
    it as they were before the wait.
    """
    wanted = list(ids)
    if dialect_of(tx).row_locks:
        lock = select(states.c.schedule_id).where(states.c.schedule_id.in_(wanted)).order_by(states.c.schedule_id)
        tx.execute(lock.with_for_update()).all()
    query = joined().where(schedules.c.id.in_(wanted)).order_by(schedules.c.id)
    return [stored_schedule(row) for row in tx.execute(query).mappings()]


def lock_names(tx: Connection) -> None:
    """Keep others from creating, changing and deleting definitions until the transaction ends; taken before all locks.

    Without it two appliers of one manifest would both find its objects missing, and a task could go while somebody
    gives it a schedule. An SQLite writer is alone anyway.
    """
    if tx.dialect.name != "sqlite":
        tx.execute(text("SELECT pg_advisory_xact_lock(7305813)"))


def resting_since(tx: Connection, before: datetime, *, after_id: int, limit: int) -> list[int]:
    """Return living schedules without a coming fire time (paused, disabled, ended) undecided since before `before`.

    They come by id, those behind `after_id` only.
    """
    query = (
        select(states.c.schedule_id)
        .select_from(states.join(schedules, states.c.schedule_id == schedules.c.id))
        .where(schedules.c.deleted_at.is_(None), states.c.wake_at.is_(None), states.c.cursor < before)
        .where(states.c.schedule_id > after_id)
        .order_by(states.c.schedule_id)
        .limit(limit)
    )
    return list(tx.scalars(query))


def task_names(tx: Connection) -> list[str]:
    """Return the names of living tasks."""
    return list(tx.scalars(select(tasks.c.name).where(tasks.c.deleted_at.is_(None)).order_by(tasks.c.name)))


def schedule_names(tx: Connection) -> list[str]:
    """Return the names of living schedules."""
    query = select(schedules.c.name).where(schedules.c.deleted_at.is_(None)).order_by(schedules.c.name)
    return list(tx.scalars(query))


def insert_task(tx: Connection, task: TaskDefinition, now: datetime, *, checked: bool) -> int:
    """Store a new task; return its id."""
    values = task_values(task) | {"revision": 1, "checked": checked, "created_at": now, "updated_at": now}
    return int(tx.execute(insert(tasks).values(values).returning(tasks.c.id)).scalar_one())


def update_task(tx: Connection, task_id: int, task: TaskDefinition, now: datetime, *, checked: bool) -> None:
    """Store a changed task under a new revision."""
    values = task_values(task) | {"checked": checked, "updated_at": now}
    tx.execute(update(tasks).where(tasks.c.id == task_id).values(revision=tasks.c.revision + 1, **values))


def delete_task(tx: Connection, task_id: int, now: datetime) -> None:
    """Mark a task as deleted; its executions stay."""
    tx.execute(update(tasks).where(tasks.c.id == task_id).values(deleted_at=now))


def insert_schedule(
    tx: Connection, schedule: ScheduleDefinition, task_id: int, state: ScheduleState, now: datetime
) -> int:
    """Store a new schedule and its first state (whose schedule_id is filled in); return its id."""
    values = schedule_values(schedule) | {"task_id": task_id, "revision": 1, "created_at": now, "updated_at": now}
    schedule_id = int(tx.execute(insert(schedules).values(values).returning(schedules.c.id)).scalar_one())
    tx.execute(insert(states).values(_state_values(replace(state, schedule_id=schedule_id))))
    return schedule_id


def update_schedule(
    tx: Connection, schedule_id: int, schedule: ScheduleDefinition, task_id: int, now: datetime
) -> None:
    """Store a changed schedule under a new revision; its state is written by `save_state`."""
    values = schedule_values(schedule) | {"task_id": task_id, "updated_at": now}
    tx.execute(
        update(schedules).where(schedules.c.id == schedule_id).values(revision=schedules.c.revision + 1, **values)
    )


def delete_schedule(tx: Connection, schedule_id: int, now: datetime) -> None:
    """Mark a schedule as deleted; nothing of it is due any more."""
    tx.execute(update(schedules).where(schedules.c.id == schedule_id).values(deleted_at=now))
    tx.execute(update(states).where(states.c.schedule_id == schedule_id).values(wake_at=None, next_fire_time=None))


def _state_values(state: ScheduleState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in ScheduleState.__slots__}


def save_state(tx: Connection, state: ScheduleState) -> None:
    """Store a state whose row the caller has locked, under a new revision."""
    values = _state_values(replace(state, revision=state.revision + 1))
    tx.execute(update(states).where(states.c.schedule_id == state.schedule_id).values(values))
