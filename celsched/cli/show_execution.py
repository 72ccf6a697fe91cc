"""Owns how `celsched show execution` reads: fields, attempts, the end of the log. It never queries."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from celsched.cli.execution_row import row_of
from celsched.cli.format import printable
from celsched.cli.lists import state_style
from celsched.cli.output import Column, Kind, Table, to_json
from celsched.domain.execution import State
from celsched.operations.detail import ExecutionDetail, attempt_duration
from celsched.operations.wording import moment, sentence

_POINTING = 60
_ATTEMPTS = (
    Column("attempt", kind=Kind.NUMBER),
    Column("state", kind=Kind.WORD, style=state_style),
    Column("started_at", "started", Kind.WALL, rank=1),
    Column("duration", "took", Kind.DURATION),
    Column("cpu_seconds", "cpu", Kind.DURATION, rank=4),
    Column("peak_memory_bytes", "memory", Kind.SIZE, rank=5),
    Column("host", kind=Kind.WORD, rank=3),
    Column("pid", kind=Kind.NUMBER, rank=2),
    Column("error", least=20, most_lines=3),
)


def execution_fields(found: ExecutionDetail) -> list[tuple[Column, Any]]:
    """Return the fields for eyes; those that say nothing are left out."""
    one, recipe = found.execution, found.execution.recipe
    asked = one.requested_by
    fields: list[tuple[Column, Any]] = [
        (Column("id"), one.id),
        (Column("state", style=state_style), one.state),
        (Column("fate"), sentence(f"it {found.fate}")),
        (Column("schedule"), one.schedule),
        (Column("task"), one.task),
        (Column("task_path"), recipe.task_path if recipe else None),
        (Column("cause"), f"{one.cause}, asked for by {asked.user} on {asked.host}" if asked else one.cause),
        (Column("origin_id", "repeats"), one.origin_id),
        (Column("repeated_by"), list(found.repeated_by)),
        (Column("fire_time", kind=Kind.WALL), one.fire_time),
        (Column("until", kind=Kind.WALL), one.until),
        (Column("count", "fire times"), one.count if one.count > 1 else None),
        (Column("due_at", "due", Kind.WALL), one.due_at if one.due_at != one.fire_time else None),
        (Column("started_at", "started", Kind.WALL), one.started_at),
        (Column("finished_at", "ended", Kind.WALL), one.finished_at if one.state is not State.SKIPPED else None),
        (Column("lateness", "late", Kind.DURATION), one.lateness),
        (Column("duration", "took", Kind.DURATION), one.duration),
        (Column("queue_name", "queue"), recipe.queue_name if recipe else None),
        (Column("priority"), recipe.priority if recipe else None),
        (Column("params"), _json(recipe.params) if recipe and recipe.params else None),
        (Column("progress"), _progress(found)),
        (Column("result"), _json(one.result) if one.result is not None else None),
        (Column("traceback"), _traceback(found)),
    ]
    return [(column, value) for column, value in fields if value not in (None, [])]


def _progress(found: ExecutionDetail) -> str | None:
    one = found.execution
    if one.progress_done is None:
        return None
    total = f" of {one.progress_total:g}" if one.progress_total else ""
    return f"{one.progress_done:g}{total} {one.progress_message or ''}".rstrip()


def _traceback(found: ExecutionDetail) -> str | None:
    """Return the traceback without the lines of carets that a terminal would break: broken they point at nothing."""
    last = found.attempts[-1] if found.attempts else None
    if not last or not last.traceback:
        return None
    lines = last.traceback.rstrip().split("\n")
    return "\n".join(line for line in lines if len(line) <= _POINTING or line.strip("^~ "))


def _json(value: Any) -> str:
    return json.dumps(to_json(value), ensure_ascii=False)


def attempts_table(found: ExecutionDetail) -> Table:
    """Return the attempts as a table for eyes."""
    rows = []
    for one in _attempts(found):
        cpu = one["cpu_seconds"]
        error = (one["error"] or "").strip().splitlines()
        rows.append(
            {
                **one,
                "cpu_seconds": timedelta(seconds=cpu) if cpu is not None else None,
                "error": error[0] if error else None,
            }
        )
    return Table(_ATTEMPTS, rows, "attempt")


def _attempts(found: ExecutionDetail) -> list[dict[str, Any]]:
    return [
        {
            "attempt": one.attempt,
            "state": one.state,
            "worker": one.worker,
            "host": one.host,
            "pid": one.pid,
            "started_at": one.started_at,
            "finished_at": one.finished_at,
            "duration": attempt_duration(one),
            "cpu_seconds": one.cpu_seconds,
            "peak_memory_bytes": one.peak_memory_bytes,
            "error_type": one.error_type,
            "error": one.error,
            "traceback": one.traceback,
        }
        for one in found.attempts
    ]


def log_lines(found: ExecutionDetail) -> Iterator[str]:
    """Yield the end of the log for eyes."""
    if found.log:
        yield ""
        yield f"the end of its log (`celsched logs {found.execution.id}` shows all of it)"
    for line in found.log:
        name = logging.getLevelName(line.level).lower()
        at = moment(line.at, found.zone)
        yield f"  {at}  {name:<8}  {printable(line.text)}"


def for_programs(found: ExecutionDetail) -> dict[str, Any]:
    """Return everything under stable keys."""
    one, recipe = found.execution, found.execution.recipe
    row = {
        key: value for key, value in row_of(one).items() if key not in {"subject", "when", "wall", "remark", "tries"}
    }
    worker = found.worker
    return row | {
        "fate": sentence(f"it {found.fate}"),
        "task_path": recipe.task_path if recipe else None,
        "params": recipe.params if recipe else None,
        "overlap": recipe.overlap if recipe else None,
        "max_retries": recipe.max_retries if recipe else None,
        "retry_on_lost": recipe.retry_on_lost if recipe else None,
        "soft_time_limit": recipe.soft_time_limit if recipe else None,
        "time_limit": recipe.time_limit if recipe else None,
        "start_deadline": recipe.start_deadline if recipe else None,
        "labels": recipe.labels if recipe else None,
        "deadline": one.deadline,
        "queued_at": one.queued_at,
        "cancel_requested": one.cancel_requested,
        "celery_task_id": one.celery_task_id,
        "revision": one.revision,
        "result": one.result,
        "progress_done": one.progress_done,
        "progress_total": one.progress_total,
        "progress_message": one.progress_message,
        "requested_host": one.requested_by.host if one.requested_by else None,
        "worker_last_beat_at": worker.beat_at if worker else None,
        "repeated_by": list(found.repeated_by),
        "attempts": _attempts(found),
        "log": [
            {"attempt": line.attempt, "at": line.at, "level": line.level, "source": line.source, "text": line.text}
            for line in found.log
        ],
    }
