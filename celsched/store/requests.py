"""Owns T13: recording executions that people (or their programs) ask for. It never decides overlap (`domain` does)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from celsched.domain.execution import Cause, Recipe, Requester, State
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.dialect import dialect_of
from celsched.store.rows import recipe_values
from celsched.store.tables import executions


@dataclass(frozen=True, slots=True)
class Request:
    """One execution asked for. `request_id` is unique; repeating it finds the first row."""

    cause: Cause
    request_id: str
    task: StoredTask
    schedule: StoredSchedule | None
    recipe: Recipe
    by: Requester
    fire_time: datetime | None = None
    origin_id: int | None = None
    chain: str | None = None
    waits: bool = False


def record(tx: Connection, request: Request, now: datetime) -> tuple[int, bool]:
    """Record a request; return its execution id and whether it is new. Locks and overlap are the caller's."""
    dialect = dialect_of(tx)
    statement = (
        dialect.insert(executions)
        .values(_values(request, now))
        .on_conflict_do_nothing(index_elements=["request_id"], index_where=text("request_id IS NOT NULL"))
        .returning(executions.c.id)
    )
    made = tx.execute(statement).scalar_one_or_none()
    if made is not None:
        return int(made), True
    return int(
        tx.execute(select(executions.c.id).where(executions.c.request_id == request.request_id)).scalar_one()
    ), False


def _values(request: Request, now: datetime) -> dict[str, Any]:
    schedule, limit = request.schedule, request.recipe.start_deadline
    return recipe_values(request.recipe) | {
        "state": State.PENDING,
        "cause": request.cause,
        "task_id": request.task.id,
        "task": request.task.name,
        "schedule_id": schedule.id if schedule else None,
        "schedule": schedule.name if schedule else None,
        "revision": schedule.revision if schedule else request.task.revision,
        "fire_time": request.fire_time,
        "request_id": request.request_id,
        "origin_id": request.origin_id,
        "chain": request.chain,
        "waits": request.waits,
        "due_at": now,
        "dispatch_at": now,
        "deadline": now + limit if limit else None,
        "publish_after": now,
        "created_at": now,
        "requested_by": request.by.user,
        "requested_host": request.by.host,
        "requested_token": request.by.token,
    }


def find(tx: Connection, request_id: str) -> int | None:
    """Return the execution recorded under a request id."""
    found: int | None = tx.scalar(select(executions.c.id).where(executions.c.request_id == request_id))
    return found
