"""Owns one thing in full: a task, a schedule, an execution, with all that is known of it. It never writes.

Parameters and results of executions go through the redactor that the caller hands in: they may be older than a word
that was added to the settings.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from celsched.domain.definition import Effective, merged_params
from celsched.domain.execution import Attempt, Execution, LogLine, State
from celsched.operations.coming import Coming, next_starts
from celsched.operations.evidence import facts_of, skip_facts_of
from celsched.operations.fate import fate
from celsched.operations.scope import Scope, not_found, require_schedule, require_task
from celsched.operations.skips import skip_reason
from celsched.operations.standing import Standing, standing
from celsched.redact import Redactor
from celsched.store import definitions, executions, logs, overview
from celsched.store.definitions import StoredTask
from celsched.store.instances import Instance
from celsched.store.overview import Newest
from celsched.store.store import Tx
from celsched.store.transitions import active_of

NEXT = 3
TAIL = 5


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task, what is in force without a schedule, and the schedules that name it."""

    task: StoredTask
    policies: Effective
    schedules: Sequence[str]


def task_detail(scope: Scope, name: str) -> TaskDetail:
    """Return everything about a task.

    Raises:
        NotFound: it is not stored.
    """

    def work(tx: Tx) -> TaskDetail:
        task = require_task(tx, unicodedata.normalize("NFC", name))
        users = [one.name for one in definitions.all_schedules(tx) if one.task.id == task.id]
        return TaskDetail(task, scope.policies(task, None), users)

    return scope.store.read(work)


@dataclass(frozen=True, slots=True)
class ScheduleDetail:
    """A schedule as it stands, its next starts, its newest row, and what of it has not ended."""

    standing: Standing
    params: dict[str, object]
    coming: Sequence[Coming]
    newest: Newest | None
    active: int
    waiting: int


def schedule_detail(scope: Scope, name: str) -> ScheduleDetail:
    """Return everything about a schedule.

    Raises:
        NotFound: it is not stored.
    """
    now = scope.now()

    def work(tx: Tx) -> ScheduleDetail:
        schedule = require_schedule(tx, name)
        stands = standing(scope, schedule, now)
        busy = active_of(tx, [schedule.id]).get(schedule.id)
        return ScheduleDetail(
            stands,
            merged_params(schedule.task.definition.default_params, schedule.definition.params),
            next_starts(stands, now, NEXT),
            overview.newest_rows(tx).get(schedule.id),
            busy.open + busy.claimed + busy.chain if busy else 0,
            busy.waiting if busy else 0,
        )

    return scope.store.read(work)


@dataclass(frozen=True, slots=True)
class ExecutionDetail:
    """An execution, its fate in one sentence, its attempts, the end of its log, and what repeats it."""

    execution: Execution
    fate: str
    attempts: Sequence[Attempt]
    log: Sequence[LogLine]
    repeated_by: Sequence[int]
    worker: Instance | None
    zone: str


def execution_detail(scope: Scope, execution_id: int, redactor: Redactor) -> ExecutionDetail:
    """Return everything about an execution.

    Raises:
        NotFound: there is none of this id.
    """
    now = scope.now()

    def work(tx: Tx) -> ExecutionDetail:
        found = executions.find(tx, execution_id)
        if found is None:
            newest = executions.newest_id(tx)
            error = not_found("execution", execution_id)
            if execution_id <= newest and execution_id > 0:
                error.hint = f"it was purged, or never was; the newest is {newest}"
            raise error
        attempts = executions.attempts_of(tx, execution_id)
        worker = overview.instance_of(tx, found.worker)
        return ExecutionDetail(
            _masked(found, redactor),
            _fate(scope, tx, found, now),
            attempts,
            logs.tail(tx, execution_id, TAIL),
            executions.repeats_of(tx, execution_id),
            worker,
            scope.zone,
        )

    return scope.store.read(work)


def _fate(scope: Scope, tx: Tx, found: Execution, now: datetime) -> str:
    """Return what became of it; of a skipped row also why, in the terms of its schedule's policies."""
    said = fate(found, facts_of(tx, found, now, scope.zone))
    if found.state is not State.SKIPPED or found.schedule is None or found.fire_time is None:
        return said
    owner = next((o for o in overview.schedules_named(tx, found.schedule) if o.schedule.id == found.schedule_id), None)
    if owner is None:
        return said
    policies = scope.policies(owner.schedule.task, owner.schedule)
    return f"{said}: {skip_reason(found, found.fire_time, skip_facts_of(tx, found, found.fire_time, policies))}"


def _masked(execution: Execution, redactor: Redactor) -> Execution:
    recipe = execution.recipe
    if recipe is not None:
        recipe = replace(recipe, params=redactor.value(dict(recipe.params)))
    return replace(execution, recipe=recipe, result=redactor.value(execution.result))


def attempt_duration(attempt: Attempt) -> timedelta | None:
    """Return how long an attempt took; None while it runs."""
    return attempt.finished_at - attempt.started_at if attempt.finished_at else None
