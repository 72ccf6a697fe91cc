"""Owns the lists that people look at: tasks, schedules, executions, instances, with their filters. It never writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from celsched.domain.execution import Execution
from celsched.operations.scope import Scope, no_such_schedule, not_found, require_task
from celsched.operations.standing import Standing, Status, standing
from celsched.store import definitions, executions, instances, overview
from celsched.store.definitions import StoredTask
from celsched.store.executions import Filter
from celsched.store.instances import Instance
from celsched.store.overview import Newest
from celsched.store.store import Tx
from celsched.store.transitions import active_of

BEATS_MISSED = 3
"""An instance that missed so many heartbeats counts as silent."""


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A task, the queue in force without a schedule, and how many schedules name it."""

    task: StoredTask
    queue_name: str
    schedules: int


def tasks(scope: Scope, *, task_type: str | None = None, owner: str | None = None) -> list[ListedTask]:
    """Return living tasks by name."""

    def work(tx: Tx) -> tuple[list[StoredTask], dict[int, int]]:
        return definitions.all_tasks(tx), overview.schedules_per_task(tx)

    found, used = scope.store.read(work)
    return [
        ListedTask(task, scope.policies(task, None).queue_name, used.get(task.id, 0))
        for task in found
        if task_type in (None, task.definition.task_type) and owner in (None, task.definition.owner)
    ]


@dataclass(frozen=True, slots=True)
class ScheduleFilter:
    """What a list of schedules is narrowed to."""

    task: str | None = None
    status: Status | None = None
    type: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class ListedSchedule:
    """A schedule, how it stands, its newest row, and how many of its executions have not ended."""

    standing: Standing
    newest: Newest | None
    active: int
    waiting: int


def schedules(scope: Scope, wanted: ScheduleFilter) -> list[ListedSchedule]:
    """Return living schedules by name.

    Raises:
        NotFound: the filter names a task that is not stored.
    """
    now = scope.now()

    def work(tx: Tx) -> list[ListedSchedule]:
        if wanted.task is not None:
            require_task(tx, wanted.task)
        found = [one for one in definitions.all_schedules(tx) if wanted.task in (None, one.task.name)]
        newest, active = overview.newest_rows(tx), active_of(tx, [one.id for one in found])
        rows = []
        for one in found:
            busy = active.get(one.id)
            open_ones = busy.open + busy.claimed + busy.chain if busy else 0
            waiting = busy.waiting if busy else 0
            rows.append(ListedSchedule(standing(scope, one, now), newest.get(one.id), open_ones, waiting))
        return rows

    return [row for row in scope.store.read(work) if _fits(row.standing, wanted)]


def _fits(one: Standing, wanted: ScheduleFilter) -> bool:
    definition = one.schedule.definition
    return (
        wanted.status in (None, one.status)
        and wanted.type in (None, definition.rule.type)
        and wanted.owner in (None, definition.owner)
    )


@dataclass(frozen=True, slots=True)
class Page:
    """Executions, newest first; `before` continues the list, None where it ends here."""

    rows: Sequence[Execution]
    before: int | None


def list_executions(scope: Scope, wanted: Filter, limit: int) -> Page:
    """Return the newest executions that fit.

    Raises:
        NotFound: the filter names a task or schedule that never was.
    """

    def work(tx: Tx) -> list[Execution]:
        if wanted.schedule is not None and definitions.latest_schedule_id(tx, wanted.schedule) is None:
            raise no_such_schedule(tx, wanted.schedule)
        if wanted.task is not None and not overview.task_was_known(tx, wanted.task):
            raise not_found("task", wanted.task, definitions.task_names(tx))
        return executions.listing(tx, wanted, limit + 1)

    found = scope.store.read(work)
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


class Life(StrEnum):
    """What is known of an instance."""

    ALIVE = "alive"
    SILENT = "silent"
    """It did not say that it stops, and was not heard of for three heartbeats."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """An instance and what is known of it."""

    instance: Instance
    life: Life


def life_of(instance: Instance, now: datetime, heartbeat: timedelta) -> Life:
    """Return what is known of an instance whose heartbeats come every `heartbeat`."""
    if instance.stopped_at is not None:
        return Life.STOPPED
    return Life.SILENT if now - instance.beat_at > BEATS_MISSED * heartbeat else Life.ALIVE


def list_instances(
    scope: Scope, heartbeat: timedelta, *, kind: str | None = None, everything: bool = False, limit: int = 1000
) -> list[ListedInstance]:
    """Return instances, newest beat first; stopped ones only with `everything`."""
    now = scope.now()
    found = scope.store.read(lambda tx: instances.listing(tx, limit) if everything else instances.running(tx, kind))
    return [ListedInstance(one, life_of(one, now, heartbeat)) for one in found if kind in (None, one.kind)]
