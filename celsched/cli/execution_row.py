"""Owns how an execution reads as one row: whole for programs, put together for eyes. It never queries."""

from celsched.cli.lists import state_style
from celsched.cli.output import Column, Kind
from celsched.domain.execution import Execution, State
from celsched.operations.fate import most_attempts

COLUMNS = tuple(
    Column(key)
    for key in (
        "id",
        "state",
        "cause",
        "schedule",
        "task",
        "fire_time",
        "until",
        "count",
        "reason",
        "waits",
        "attempt",
        "max_attempts",
        "lateness",
        "duration",
        "created_at",
        "due_at",
        "dispatch_at",
        "started_at",
        "finished_at",
        "queue_name",
        "priority",
        "worker",
        "host",
        "pid",
        "error",
        "origin_id",
        "request_id",
        "requested_by",
    )
)
EYES = (
    Column("id", kind=Kind.WORD),
    Column("state", kind=Kind.WORD, style=state_style),
    Column("subject", "schedule or task", least=16),
    Column("when", kind=Kind.TIME),
    Column("wall", "fire time", Kind.WALL, rank=5),
    Column("tries", "try", kind=Kind.WORD, rank=2),
    Column("duration", "took", Kind.DURATION),
    Column("lateness", "late", Kind.DURATION, rank=3),
    Column("cause", kind=Kind.WORD, rank=4),
    Column("remark", rank=1, least=18, most_lines=3),
    Column("queue_name", "queue", rank=6, least=12),
)


def row_of(one: Execution) -> dict[str, object]:
    """Return the values of both kinds of columns."""
    recipe = one.recipe
    return {
        "id": one.id,
        "state": one.state,
        "cause": one.cause,
        "schedule": one.schedule,
        "task": one.task,
        "subject": one.subject,
        "fire_time": one.fire_time,
        "until": one.until,
        "when": one.until or one.fire_time or one.created_at,
        "wall": one.fire_time or one.created_at,
        "count": one.count,
        "reason": one.reason,
        "remark": _remark(one),
        "waits": one.waits,
        "attempt": one.attempt,
        "max_attempts": most_attempts(one),
        "tries": f"{one.attempt}/{most_attempts(one)}" if recipe else None,
        "lateness": one.lateness,
        "duration": one.duration,
        "created_at": one.created_at,
        "due_at": one.due_at,
        "dispatch_at": one.dispatch_at,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
        "queue_name": recipe.queue_name if recipe else None,
        "priority": recipe.priority if recipe else None,
        "worker": one.worker,
        "host": one.host,
        "pid": one.pid,
        "error": one.error,
        "origin_id": one.origin_id,
        "request_id": one.request_id,
        "requested_by": one.requested_by.user if one.requested_by else None,
    }


def _remark(one: Execution) -> str | None:
    """Return what a person wants to know beside the state, short."""
    if one.state is State.SKIPPED:
        return f"{one.reason}, {one.count} fire times" if one.count > 1 else one.reason
    if one.waits:
        return "waits"
    if one.state is State.RUNNING and one.progress_done is not None:
        total = f"/{one.progress_total:g}" if one.progress_total else ""
        return f"{one.progress_done:g}{total} {one.progress_message or ''}".rstrip()
    if one.error and one.error.strip() and one.state is not State.SUCCEEDED:
        return one.error.strip().splitlines()[0]
    return one.reason
