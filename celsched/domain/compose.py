"""Puts records together from definitions: a planner's subject, an execution's recipe. It never decides a fate."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celsched.domain.definition import Effective, ScheduleDefinition, ScheduleType, TaskDefinition, merged_params
from celsched.domain.execution import Recipe
from celsched.domain.plan import Subject
from celsched.domain.policy import Overlap


def subject_of(schedule: ScheduleDefinition, policies: Effective, base: datetime) -> Subject:
    """Return what the planner needs; `base` is the stored first fire time of an interval.

    Raises:
        InvalidRule: the stored rule cannot be built any more (a zone that vanished).
    """
    return Subject(
        name=schedule.name,
        rule=schedule.rule.build(policies.timezone, base),
        misfire=policies.misfire,
        misfire_after=policies.misfire_after,
        catch_up_window=policies.catch_up_window,
        overlap=policies.overlap,
        jitter=policies.jitter,
        start_at=policies.start_at,
        end_at=policies.end_at,
        max_runs=policies.max_runs,
    )


def first_base(schedule: ScheduleDefinition, policies: Effective, now: datetime) -> datetime:
    """Return an interval's first fire time: `start_at`, else the moment of creation or change + period."""
    if policies.start_at is not None:
        return policies.start_at
    # Whole seconds: a grid that people can read, at most a second early.
    return now.replace(microsecond=0) + schedule.rule.period if schedule.rule.type is ScheduleType.INTERVAL else now


def recipe_of(
    task: TaskDefinition,
    schedule: ScheduleDefinition | None,
    policies: Effective,
    *,
    params: Mapping[str, Any] | None = None,
    overlap: Overlap | None = None,
) -> Recipe:
    """Return the copy that an execution keeps; `params` come over the schedule's, those over the task's defaults."""
    return Recipe(
        task_path=task.task_path,
        params=merged_params(task.default_params, schedule.params if schedule else {}, params or {}),
        params_schema=task.params_schema,
        queue_name=policies.queue_name,
        priority=policies.priority,
        max_retries=policies.max_retries,
        retry=policies.retry,
        retry_on_lost=policies.retry_on_lost,
        soft_time_limit=policies.soft_time_limit,
        time_limit=policies.time_limit,
        start_deadline=policies.start_deadline,
        on_store_outage=policies.on_store_outage,
        overlap=overlap if overlap is not None else policies.overlap if schedule else Overlap.ALLOW,
        labels=policies.labels,
    )
