"""Owns how rows become records and records become column values; nothing else. It never runs a statement."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from celsched.domain.definition import RuleSpec, ScheduleDefinition, ScheduleType, TaskDefinition
from celsched.domain.execution import Attempt, Cause, Execution, LogLine, Recipe, Requester, State
from celsched.domain.options import OPTIONS, decode_layer, encode_layer
from celsched.domain.policy import OnStoreOutage, Overlap
from celsched.domain.state import ScheduleState

Row = Mapping[str, Any] | RowMapping


def task_values(task: TaskDefinition) -> dict[str, Any]:
    """Return the columns that hold a task definition."""
    return {
        "name": task.name,
        "task_path": task.task_path,
        "task_type": task.task_type,
        "description": task.description,
        "default_params": dict(task.default_params),
        "params_schema": None if task.params_schema is None else dict(task.params_schema),
        "options": encode_layer(task.options),
        "defaults": encode_layer(task.defaults),
        "owner": task.owner,
    }


def task_record(row: Row) -> TaskDefinition:
    """Return the task definition of a row."""
    return TaskDefinition(
        name=row["name"],
        task_path=row["task_path"],
        task_type=row["task_type"],
        description=row["description"],
        default_params=row["default_params"],
        params_schema=row["params_schema"],
        options=decode_layer(row["options"]),
        defaults=decode_layer(row["defaults"]),
        owner=row["owner"],
    )


def schedule_values(schedule: ScheduleDefinition) -> dict[str, Any]:
    """Return the columns that hold a schedule definition, without its task."""
    return {
        "name": schedule.name,
        "schedule_type": schedule.rule.type.value,
        "rule": schedule.rule.text,
        "params": dict(schedule.params),
        "options": encode_layer(schedule.options),
        "defaults": encode_layer(schedule.defaults),
        "owner": schedule.owner,
    }


def schedule_record(row: Row, task_name: str) -> ScheduleDefinition:
    """Return the schedule definition of a row."""
    return ScheduleDefinition(
        name=row["name"],
        task=task_name,
        rule=RuleSpec(ScheduleType(row["schedule_type"]), row["rule"]),
        params=row["params"],
        options=decode_layer(row["options"]),
        defaults=decode_layer(row["defaults"]),
        owner=row["owner"],
    )


def state_record(row: Row) -> ScheduleState:
    """Return the state of a schedule."""
    return ScheduleState(**{name: row[name] for name in ScheduleState.__slots__})


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """Return the columns that hold an execution's copy of what to do."""
    return {
        "task_path": recipe.task_path,
        "params": dict(recipe.params),
        "params_schema": None if recipe.params_schema is None else dict(recipe.params_schema),
        "queue_name": recipe.queue_name,
        "priority": recipe.priority,
        "max_retries": recipe.max_retries,
        "retry": OPTIONS["retry"].encode(recipe.retry),
        "retry_on_lost": recipe.retry_on_lost,
        "soft_time_limit": recipe.soft_time_limit,
        "time_limit": recipe.time_limit,
        "start_deadline": recipe.start_deadline,
        "on_store_outage": recipe.on_store_outage.value,
        "overlap": recipe.overlap.value,
        "labels": dict(recipe.labels),
    }


def recipe_record(row: Row) -> Recipe | None:
    """Return the copy of what to do; a skipped row has none."""
    if row["task_path"] is None:
        return None
    return Recipe(
        task_path=row["task_path"],
        params=row["params"] or {},
        params_schema=row["params_schema"],
        queue_name=row["queue_name"],
        priority=row["priority"],
        max_retries=row["max_retries"],
        retry=OPTIONS["retry"].decode("retry", row["retry"]),
        retry_on_lost=row["retry_on_lost"],
        soft_time_limit=row["soft_time_limit"],
        time_limit=row["time_limit"],
        start_deadline=row["start_deadline"],
        on_store_outage=OnStoreOutage(row["on_store_outage"]),
        overlap=Overlap(row["overlap"]),
        labels=row["labels"] or {},
    )


_PLAIN = tuple(name for name in Execution.__slots__ if name not in {"state", "cause", "recipe", "requested_by"})


def execution_record(row: Row) -> Execution:
    """Return an execution."""
    asked_by = None
    if row["requested_by"] is not None:
        asked_by = Requester(row["requested_by"], row["requested_host"], row["requested_token"])
    return Execution(
        state=State(row["state"]),
        cause=Cause(row["cause"]),
        recipe=recipe_record(row),
        requested_by=asked_by,
        **{name: row[name] for name in _PLAIN},
    )


def attempt_record(row: Row) -> Attempt:
    """Return an attempt."""
    values = {name: row[name] for name in Attempt.__slots__}
    return Attempt(**{**values, "state": State(row["state"])})


def log_record(row: Row) -> LogLine:
    """Return a captured line."""
    return LogLine(**{name: row[name] for name in LogLine.__slots__})


def audit_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return details that JSON can hold; instants as RFC 3339."""

    def plain(value: object) -> object:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    made: dict[str, Any] = json.loads(json.dumps(dict(details), default=plain))
    return made
