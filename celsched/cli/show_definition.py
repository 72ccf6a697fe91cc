"""Owns the fields of `celsched show task` and `show schedule`, in the order in which they are shown.

It never queries.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from celsched.cli.lists import state_style
from celsched.cli.output import Column, Kind
from celsched.domain.definition import Effective, ScheduleType
from celsched.domain.health.wishes import AlertWishes, plain_wishes
from celsched.domain.options import OPTIONS, Option, encode_layer
from celsched.domain.policy import RetryPolicy
from celsched.operations.detail import ScheduleDetail, TaskDetail
from celsched.operations.wording import moment
from celsched.timing.duration import format_duration

Fields = list[tuple[Column, Any]]
Origins = dict[str, str]
_RENAMED = {"start_at": Kind.WALL, "end_at": Kind.WALL}


def task_fields(found: TaskDetail, *, eyes: bool) -> tuple[Fields, Origins]:
    """Return the fields of a task and where each option came from."""
    task, definition = found.task, found.task.definition
    fields: Fields = [
        (Column("name"), definition.name),
        (Column("task_path"), definition.task_path),
        (Column("task_type"), definition.task_type),
        (Column("description"), definition.description),
        (Column("set"), definition.owner),
        (Column("schedules"), list(found.schedules)),
        (Column("default_params"), dict(definition.default_params)),
        (Column("params_schema"), definition.params_schema),
        (Column("checked", "path checked"), task.checked),
        (Column("revision"), task.revision),
        (Column("created_at", kind=Kind.WALL), task.created_at),
        (Column("updated_at", kind=Kind.WALL), task.updated_at),
    ]
    options = [option for option in OPTIONS.values() if option.on_task]
    return _with_options(fields, found.policies, options, eyes=eyes)


def schedule_fields(found: ScheduleDetail, *, eyes: bool) -> tuple[Fields, Origins]:
    """Return the fields of a schedule and where each option came from."""
    stands, schedule, state = found.standing, found.standing.schedule, found.standing.schedule.state
    newest, spec = found.newest, schedule.definition.rule
    interval = spec.type is ScheduleType.INTERVAL
    fields: Fields = [
        (Column("name"), schedule.name),
        (Column("task"), schedule.task.name),
        (Column("task_path"), schedule.task.definition.task_path),
        (Column("status", style=state_style), stands.status),
        (Column("remark"), stands.remark),
        (Column("rule"), stands.rule_for_eyes if eyes else stands.rule),
        (Column("schedule_type"), spec.type),
        (Column("rule_text"), (spec.in_zone(stands.policies.timezone) if eyes else spec).text),
        (Column("next_fire_times"), _next(found) if eyes else _next_for_programs(found)),
        (Column("last_state", style=state_style), newest.state if newest else None),
        (Column("last_reason"), newest.reason if newest else None),
        (Column("last_execution_id"), newest.execution_id if newest else None),
        (Column("last_fire_time", kind=Kind.WALL), newest.at if newest else None),
        (Column("last_success_at", kind=Kind.WALL), state.last_success_at),
        (Column("last_failure_at", kind=Kind.WALL), state.last_failure_at),
        (Column("success_streak"), state.success_streak),
        (Column("failure_streak"), state.failure_streak),
        (Column("active", "executions active"), found.active),
        (Column("waiting", "executions waiting"), found.waiting),
        (Column("runs"), state.runs),
        (Column("paused_at", kind=Kind.WALL), state.paused_at),
        (Column("paused_until", kind=Kind.WALL), state.paused_until),
        (Column("paused_by"), state.paused_by),
        (Column("pause_reason"), state.pause_reason),
        (Column("error"), state.error),
        (Column("params"), found.params),
        (Column("base", "first of the interval", Kind.WALL), state.base if interval or not eyes else None),
        (Column("cursor", "decided up to", Kind.WALL), state.cursor),
        (Column("purged_until", kind=Kind.WALL), state.purged_until),
        (Column("set"), schedule.definition.owner),
        (Column("revision"), schedule.revision),
        (Column("created_at", kind=Kind.WALL), schedule.created_at),
        (Column("updated_at", kind=Kind.WALL), schedule.updated_at),
    ]
    return _with_options(fields, stands.policies, list(OPTIONS.values()), eyes=eyes)


def _with_options(fields: Fields, policies: Effective, options: list[Option], *, eyes: bool) -> tuple[Fields, Origins]:
    if eyes:
        # What says nothing is left out for eyes; programs get every key.
        fields = [(column, value) for column, value in fields if value not in (None, [], {})]
        fields.append((Column("options", "options in force"), "(from where)"))
    for option in options:
        value = getattr(policies, option.key)
        kind = _RENAMED.get(option.key, Kind.TEXT)
        fields.append((Column(option.key, kind=kind), _readable(option.key, value) if eyes else _plain(value)))
    origins = {option.key: policies.origins[option.key] for option in options}
    if not eyes:
        fields.append((Column("origins"), origins))
    return fields, {key: f"({origin})" for key, origin in origins.items()}


def _readable(key: str, value: Any) -> Any:
    if isinstance(value, RetryPolicy):
        text = f"{format_duration(value.delay)} x{value.factor:g}, at most {format_duration(value.max_delay)}"
        return f"{text}, a random part of it" if value.jitter else text
    if value is None or value == {} or key in _RENAMED:
        return value or None
    encoded = encode_layer({key: value})[key]
    if isinstance(encoded, bool):
        return "yes" if encoded else "no"
    return None if encoded == {} else encoded


def _plain(value: Any) -> Any:
    if isinstance(value, RetryPolicy):
        return asdict(value)
    if isinstance(value, AlertWishes):
        return plain_wishes(value)
    return dict(value) if isinstance(value, Mapping) else value


def _next(found: ScheduleDetail) -> str | None:
    lines = []
    for one in found.coming:
        text = moment(one.fire_time, one.zone)
        if one.starts_at != one.fire_time:
            text += f", starts at {moment(one.starts_at, one.zone)}"
        lines.append(f"{text}, {one.note}" if one.note else text)
    return "\n".join(lines) or None


def _next_for_programs(found: ScheduleDetail) -> list[dict[str, Any]]:
    return [{"fire_time": one.fire_time, "starts_at": one.starts_at, "note": one.note} for one in found.coming]
