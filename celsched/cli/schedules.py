"""Owns `celsched schedules`: the list of schedules, how they stand and how they do. It never judges; operations do."""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.lists import for_eyes, state_style
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.domain.changes import rule_text
from celsched.domain.definition import ScheduleType
from celsched.operations import browse
from celsched.operations.browse import ListedSchedule, ScheduleFilter
from celsched.operations.standing import Standing, Status

_FULL = (
    Column("name"),
    Column("task"),
    Column("status"),
    Column("rule"),
    Column("schedule_type"),
    Column("timezone"),
    Column("next_fire_time"),
    Column("last_state"),
    Column("last_reason"),
    Column("last_fire_time"),
    Column("last_execution_id"),
    Column("success_streak"),
    Column("failure_streak"),
    Column("active"),
    Column("waiting"),
    Column("queue_name"),
    Column("priority"),
    Column("set"),
    Column("remark"),
)
_EYES = (
    Column("name", "schedule", least=16),
    Column("status", kind=Kind.WORD, style=state_style),
    Column("next_fire_time", "next", Kind.DUE),
    Column("last_state", "last", kind=Kind.WORD, style=state_style),
    Column("last_fire_time", "at", Kind.TIME, rank=3),
    Column("streak", kind=Kind.WORD, rank=1),
    Column("active", "open", kind=Kind.NUMBER, rank=4),
    Column("rule_text", "rule", rank=2, least=24),
    Column("task", rank=5, least=16),
    Column("queue_name", "queue", rank=6, least=12),
    Column("set", rank=7, least=12),
    Column("in_words", rank=8, least=24),
)


def schedules(
    ctx: typer.Context,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="TASK", help="Only schedules of this task.", autocompletion=live("task")),
    ] = None,
    status: Annotated[Status | None, typer.Option("--status", help="Only schedules that stand so.")] = None,
    kind: Annotated[ScheduleType | None, typer.Option("--type", help="Only schedules of this type.")] = None,
    owner: Annotated[str | None, typer.Option("--set", metavar="SET", help="Only schedules of this set.")] = None,
    output: OutputOption = None,
) -> None:
    """List schedules: status, next fire time, last outcome, successes (+) or failures (-) in a row, rule."""
    cli = CliContext.of(ctx)
    found = browse.schedules(scope_of(cli), ScheduleFilter(task, status, kind, owner))
    empty = "no schedule fits" if task or status or kind or owner else "no schedules; `celsched schedule` makes one"
    rows = [_row(one, cli.settings.timezone) for one in found]
    cli.write(Table(_EYES if for_eyes(cli, output) else _FULL, rows, empty=empty), output)


def _rule_text(stands: Standing, zone: str) -> str:
    """Return the rule, cron's as its fields: with their zone where it is another than that of the list."""
    rule, own = stands.schedule.definition.rule, stands.policies.timezone
    if rule.type is not ScheduleType.CRON:
        return stands.rule_for_eyes
    return rule_text(rule) if own == zone else f"{rule_text(rule)} {own}"


def _row(one: ListedSchedule, zone: str) -> dict[str, object]:
    stands, newest = one.standing, one.newest
    spec = stands.schedule.definition.rule
    schedule, state = stands.schedule, stands.schedule.state
    return {
        "name": schedule.name,
        "task": schedule.task.name,
        "status": stands.status,
        "rule": stands.rule,
        "rule_text": _rule_text(stands, zone),
        "in_words": stands.rule_for_eyes.removesuffix(f" ({spec.text})") if spec.type is ScheduleType.CRON else None,
        "schedule_type": spec.type,
        "timezone": stands.policies.timezone,
        "next_fire_time": stands.next_fire_time,
        "last_state": newest.state if newest else None,
        "last_reason": newest.reason if newest else None,
        "last_fire_time": newest.at if newest else None,
        "last_execution_id": newest.execution_id if newest else None,
        "success_streak": state.success_streak,
        "failure_streak": state.failure_streak,
        "streak": f"-{state.failure_streak}" if state.failure_streak else f"+{state.success_streak}",
        "active": one.active,
        "waiting": one.waiting,
        "queue_name": stands.policies.queue_name,
        "priority": stands.policies.priority,
        "set": schedule.definition.owner,
        "remark": stands.remark,
    }
