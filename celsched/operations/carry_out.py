"""Owns writing a set of changes to definitions in one transaction, ledgers closed first. It never compares anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from celsched.domain.changes import Action, Change, ChangeSet
from celsched.domain.definition import ScheduleDefinition, TaskDefinition, effective
from celsched.domain.execution import Reason
from celsched.domain.state import ScheduleState
from celsched.errors import Conflict
from celsched.operations import ledger
from celsched.operations.scope import Scope, not_found
from celsched.store import audit, definitions, transitions
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.store import Tx
from celsched.store.wake import ring


@dataclass(frozen=True, slots=True)
class _Closed:
    """A schedule whose ledger was closed, as it was before the change."""

    schedule: StoredSchedule
    state: ScheduleState


def carry_out(
    scope: Scope, tx: Tx, changes: ChangeSet, *, checked: Collection[str], now: datetime, by_hand: bool = False
) -> None:
    """Write the changes; `checked` names the tasks whose path was imported; `by_hand`: no manifest asked for it.

    Raises:
        Conflict: a task that is to go still has schedules. NotFound: a schedule's task is not stored.
    """
    tasks = {task.name: task for task in definitions.all_tasks(tx)}
    schedules = {schedule.name: schedule for schedule in definitions.all_schedules(tx)}
    closed = _close_affected(scope, tx, changes, schedules, now)
    for change in _of(changes, "task"):
        _write_task(tx, change, tasks, now, checked=change.name in checked)
    tasks = {task.name: task for task in definitions.all_tasks(tx)}
    _write_schedules(scope, tx, changes, tasks, closed, now)
    for change in changes.of(Action.DELETE):
        if change.kind == "task":
            delete_task(tx, tasks[change.name], now)
    for change in changes.made:
        details = {field.key: [field.old, field.new] for field in change.fields}
        action = audit.EDIT if by_hand and change.action is Action.UPDATE else str(change.action)
        audit.write(tx, scope.by, audit.Event(action, change.kind, change.name, details), now)
    ring(tx)


def _of(changes: ChangeSet, kind: str) -> Sequence[Change]:
    if kind == "task":
        return [one for one in changes.made if one.kind == kind and one.action is not Action.DELETE]
    return [one for one in changes.made if one.kind == kind]


def _close_affected(
    scope: Scope, tx: Tx, changes: ChangeSet, schedules: dict[str, StoredSchedule], now: datetime
) -> dict[str, _Closed]:
    """Close the ledger of every schedule that changes, or whose task does, by its present definition."""
    changed = {change.name for change in _of(changes, "schedule")}
    tasks = {change.name for change in _of(changes, "task")}
    ids = [one.id for one in schedules.values() if one.name in changed or one.definition.task in tasks]
    gone = {change.name for change in changes.of(Action.DELETE) if change.kind == "schedule"}
    closed = {}
    for schedule in definitions.lock_schedules(tx, ids):
        # Deleting and disabling skip what is due; any other change decides it first.
        if schedule.name in gone:
            state = schedule.state
        elif _is_disabled(scope, changes, schedule):
            state = ledger.close_as(scope, tx, schedule, now, Reason.PAUSED)
        else:
            state = ledger.close(scope, tx, schedule, now)
        closed[schedule.name] = _Closed(schedule, state)
    return closed


def _is_disabled(scope: Scope, changes: ChangeSet, schedule: StoredSchedule) -> bool:
    """Return whether the schedule will be disabled once the changes are made."""
    wanted = {(change.kind, change.name): change.desired for change in changes.made}
    definition = wanted.get(("schedule", schedule.name), schedule.definition)
    if not isinstance(definition, ScheduleDefinition):
        return False
    task = wanted.get(("task", definition.task), schedule.task.definition)
    return isinstance(task, TaskDefinition) and not effective(task, definition, scope.settings).enabled


def _write_task(tx: Tx, change: Change, tasks: dict[str, StoredTask], now: datetime, *, checked: bool) -> None:
    wanted = change.desired
    if not isinstance(wanted, TaskDefinition):
        raise AssertionError("a change of a task carries a task")
    old = tasks.get(change.name)
    if old is None:
        definitions.insert_task(tx, wanted, now, checked=checked)
    else:
        definitions.update_task(tx, old.id, wanted, now, checked=checked)


def _write_schedules(
    scope: Scope,
    tx: Tx,
    changes: ChangeSet,
    tasks: dict[str, StoredTask],
    closed: dict[str, _Closed],
    now: datetime,
) -> None:
    written = set()
    for change in _of(changes, "schedule"):
        if change.action is Action.DELETE:
            delete_schedule(scope, tx, closed[change.name].schedule, now)
        else:
            _write_schedule(scope, tx, change, tasks, closed.get(change.name), now)
        written.add(change.name)
    for name, item in closed.items():
        if name not in written:
            _reopen(scope, tx, item, tasks, now)


def _write_schedule(
    scope: Scope, tx: Tx, change: Change, tasks: dict[str, StoredTask], closed: _Closed | None, now: datetime
) -> None:
    wanted = change.desired
    if not isinstance(wanted, ScheduleDefinition):
        raise AssertionError("a change of a schedule carries a schedule")
    task = tasks.get(wanted.task)
    if task is None:
        raise not_found("task", wanted.task, tasks)
    if closed is None:
        definitions.insert_schedule(tx, wanted, task.id, ledger.born(scope, wanted, task, now), now)
        return
    definitions.update_schedule(tx, closed.schedule.id, wanted, task.id, now)
    new_rule = _timing(scope, closed.schedule.definition, closed.schedule.task) != _timing(scope, wanted, task)
    state = ledger.opened(scope, closed.state, wanted, task, now, new_rule=new_rule)
    definitions.save_state(tx, state)


def _timing(scope: Scope, schedule: ScheduleDefinition, task: StoredTask) -> tuple[object, ...]:
    """Return what an interval's grid depends on."""
    return schedule.rule, effective(task.definition, schedule, scope.settings).start_at


def _reopen(scope: Scope, tx: Tx, item: _Closed, tasks: dict[str, StoredTask], now: datetime) -> None:
    """Go on with a schedule of which only the task has changed."""
    definition = item.schedule.definition
    state = ledger.opened(scope, item.state, definition, tasks[definition.task], now, new_rule=False)
    definitions.save_state(tx, state)


def delete_schedule(scope: Scope, tx: Tx, schedule: StoredSchedule, now: datetime) -> list[int]:
    """Delete a locked schedule: skip what is due, cancel what has not started; return the cancelled executions."""
    reason = Reason.PAUSED if ledger.rests(scope, schedule, now) else Reason.DELETED
    ledger.close_as(scope, tx, schedule, now, reason)
    cancelled = transitions.cancel_of_schedule(tx, schedule.id, "schedule_deleted", now)
    definitions.delete_schedule(tx, schedule.id, now)
    return cancelled


def delete_task(tx: Tx, task: StoredTask, now: datetime) -> list[int]:
    """Delete a task that no living schedule names; cancel what has not started; return the cancelled executions.

    Raises:
        Conflict: schedules name it.
    """
    users = [one.name for one in definitions.all_schedules(tx) if one.task.id == task.id]
    if users:
        shown = ", ".join(repr(name) for name in users[:5]) + (" ..." if len(users) > 5 else "")
        raise Conflict(
            f"the task '{task.name}' is used by {len(users)} schedule{'s' if len(users) != 1 else ''}: {shown}",
            hint="delete them first, or add --cascade",
        )
    cancelled = transitions.cancel_of_task(tx, task.id, "task_deleted", now)
    definitions.delete_task(tx, task.id, now)
    return cancelled
