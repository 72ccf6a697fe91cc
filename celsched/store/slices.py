"""Owns which executions a statistic is about, and what it groups them by, as SQL. It never runs a statement.

Everything is narrowed to executions that ended within a window, which the index on `finished_at` finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, literal_column, null, type_coerce
from sqlalchemy.dialects.postgresql import INTERVAL

from celsched.domain.report import TIMED, Window
from celsched.store.tables import executions

IS_TIMED = executions.c.state.in_(tuple(sorted(TIMED)))


class Key(NamedTuple):
    """What numbers are grouped by: a schedule, or a task (of executions without a schedule, or of all)."""

    schedule_id: int | None
    task_id: int | None


@dataclass(frozen=True, slots=True)
class Slice:
    """Executions that ended in the window, of these schedules and tasks only where given; grouped as `by_task` says."""

    window: Window
    schedule_ids: tuple[int, ...] | None = None
    task_ids: tuple[int, ...] | None = None
    by_task: bool = False


def key_columns(wanted: Slice) -> tuple[Any, Any]:
    """Return the columns of a `Key`."""
    e = executions.c
    if wanted.by_task:
        return null().label("schedule_id"), e.task_id
    return e.schedule_id, case((e.schedule_id.is_(None), e.task_id))


def position(number: int) -> ColumnElement[Any]:
    """Return the GROUP BY item for the column at this place, counted from 1."""
    return literal_column(str(number))


def narrow(query: Select[Any], wanted: Slice) -> Select[Any]:
    """Return the query for what ended in the window only."""
    ended = executions.c.finished_at
    return query.where(ended >= wanted.window.since, ended < wanted.window.until, *of_subjects(wanted))


def of_subjects(wanted: Slice) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for the schedules and tasks asked for."""
    if wanted.schedule_ids is not None:
        yield executions.c.schedule_id.in_(wanted.schedule_ids)
    if wanted.task_ids is not None:
        yield executions.c.task_id.in_(wanted.task_ids)


def difference(tx: Connection, end: Any, start: Any) -> Any:
    """Return `end - start` as the database has lengths: integer microseconds on SQLite, intervals on PostgreSQL."""
    if tx.dialect.name == "sqlite":
        return type_coerce(end, BigInteger) - type_coerce(start, BigInteger)
    return type_coerce(end - start, INTERVAL())


def length(value: Any) -> timedelta:
    """Return such a length, sums of it too; none and a negative one (clocks of two machines) are zero."""
    found = value if isinstance(value, timedelta) else timedelta(microseconds=int(value or 0))
    return max(found, timedelta(0))


def day_column(window: Window) -> Any:
    """Return the number of the day in which an execution ended, found by halving the list of midnights."""
    starts = [day.start for day in window.days]

    def halve(low: int, high: int) -> Any:
        if low == high:
            return literal_column(str(low))
        middle = (low + high) // 2
        return case((executions.c.finished_at < starts[middle + 1], halve(low, middle)), else_=halve(middle + 1, high))

    return halve(0, len(starts) - 1)
