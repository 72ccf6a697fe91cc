"""Owns tasks, schedules and scopes for tests, stored the way people store them: by applying them.

It never writes a row by hand; what a test needs to look different it changes itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from celsched.domain.changes import ChangeSet, Definitions
from celsched.domain.definition import RuleSpec, ScheduleDefinition, TaskDefinition
from celsched.domain.execution import Requester
from celsched.domain.options import OPTIONS, Layer
from celsched.operations import apply
from celsched.operations.apply import Wanted
from celsched.operations.scope import Scope
from celsched.store import definitions
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.store import Store

SOMEBODY = Requester("سارا", "laptop")


def scope_of(store: Store, settings: Layer | None = None) -> Scope:
    """Return the scope of a person at this store."""
    return Scope(store, settings or {}, SOMEBODY)


def make_task(name: str = "task", **values: Any) -> TaskDefinition:
    """Return a task definition; option keys go into its options, all else are its fields."""
    fields, options = _split(values)
    return TaskDefinition(name, fields.pop("task_path", "files.tasks.clean"), options=options, **fields)


def make_schedule(
    name: str = "schedule",
    *,
    task: str = "task",
    every: timedelta | None = None,
    cron: str | None = None,
    at: datetime | None = None,
    **values: Any,
) -> ScheduleDefinition:
    """Return a schedule definition, hourly by cron unless said otherwise; option keys go into its options."""
    fields, options = _split(values)
    rule = RuleSpec.every(every) if every else RuleSpec.at(at) if at else RuleSpec.cron(cron or "0 * * * *")
    return ScheduleDefinition(name, task, rule, options=options, **fields)


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    options = {key: value for key, value in values.items() if key in OPTIONS}
    return {key: value for key, value in values.items() if key not in OPTIONS}, options


def store_definitions(scope: Scope, *items: TaskDefinition | ScheduleDefinition, **wanted: Any) -> ChangeSet:
    """Apply these definitions, whoever owns what was there before; return what was changed."""
    found = Definitions(
        tuple(item for item in items if isinstance(item, TaskDefinition)),
        tuple(item for item in items if isinstance(item, ScheduleDefinition)),
    )
    wish = Wanted(found, **wanted)
    return apply.apply(scope, wish, apply.preview(scope, wish), checked=[task.name for task in found.tasks])


def add_task(scope: Scope, name: str = "task", **values: Any) -> StoredTask:
    """Store a task (or change it) and return it."""
    store_definitions(scope, make_task(name, **values))
    return task_named(scope.store, name)


def add_schedule(scope: Scope, name: str = "schedule", *, task: str = "task", **values: Any) -> StoredSchedule:
    """Store a schedule (or change it) and return it; its task is made where there is none."""
    if scope.store.read(lambda tx: definitions.find_task(tx, task)) is None:
        add_task(scope, task)
    store_definitions(scope, make_schedule(name, task=task, **values))
    return schedule_named(scope.store, name)


def task_named(store: Store, name: str) -> StoredTask:
    """Return the stored task, which must be there."""
    found = store.read(lambda tx: definitions.find_task(tx, name))
    assert found is not None, f"no task {name!r} is stored"
    return found


def schedule_named(store: Store, name: str = "schedule") -> StoredSchedule:
    """Return the stored schedule as it is now, which must be there."""
    found = store.read(lambda tx: definitions.find_schedule(tx, name))
    assert found is not None, f"no schedule {name!r} is stored"
    return found
