"""Owns T1: finding due schedules under lock, and recording what was decided about them. It never decides."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, bindparam, func, select, text, update
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from celsched.domain.execution import Cause, Recipe, State
from celsched.domain.plan import Fire, Plan, Skip
from celsched.store.definitions import StoredSchedule, joined, stored_schedule
from celsched.store.dialect import dialect_of
from celsched.store.outcomes import letter_of_plan, with_letters
from celsched.store.rows import recipe_values
from celsched.store.tables import executions, states
from celsched.store.transitions import supersede
from celsched.store.types import Instant


@dataclass(frozen=True, slots=True)
class Broken:
    """A schedule that cannot be read, planned or recorded, and why; others must go on without it."""

    schedule_id: int
    revision: int
    name: str
    error: str


def lock_due(tx: Connection, now: datetime, limit: int) -> tuple[list[StoredSchedule], list[Broken]]:
    """Return schedules to look at by `now`, longest due first, locked; what another daemon holds is left to it.

    Those whose stored definition cannot be read any more come apart. The definitions are read by a second statement,
    under the lock: the first one may have seen them as they were before an edit that held it.
    """
    query = select(states.c.schedule_id).where(states.c.wake_at <= now)
    query = query.order_by(states.c.wake_at, states.c.schedule_id).limit(limit)
    if dialect_of(tx).row_locks:
        query = query.with_for_update(skip_locked=True)
    ids = list(tx.scalars(query))
    if not ids:
        return [], []
    found: list[StoredSchedule] = []
    broken: list[Broken] = []
    rows = joined().where(states.c.schedule_id.in_(ids)).order_by(states.c.wake_at, states.c.schedule_id)
    for row in tx.execute(rows).mappings():
        try:
            found.append(stored_schedule(row))
        except Exception as error:  # for example a zone that is gone from the system's time zone data
            broken.append(Broken(row["schedule_id"], row["state_revision"], row["schedule_name"], str(error)))
    return found, broken


def next_wake(tx: Connection) -> datetime | None:
    """Return when the next schedule is due."""
    found: datetime | None = tx.scalar(select(func.min(states.c.wake_at)))
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan for a locked schedule, with what its executions are told to do. `resumed`: its pause has run out."""

    schedule: StoredSchedule
    plan: Plan
    recipe: Recipe
    resumed: bool = False


def record_fenced(tx: Connection, decisions: Sequence[Decision], now: datetime) -> list[Broken]:
    """Record decisions like `record`; where that fails, one by one, and return those that cannot be recorded.

    Raises:
        OperationalError, InterfaceError, InternalError: the database's trouble, not a schedule's.
    """
    try:
        with tx.begin_nested():
            record(tx, decisions, now)
    except (OperationalError, InterfaceError, InternalError):
        raise
    except Exception as error:
        if len(decisions) == 1:
            schedule = decisions[0].schedule
            return [Broken(schedule.id, schedule.state.revision, schedule.name, str(error))]
        return [broken for decision in decisions for broken in record_fenced(tx, [decision], now)]
    return []


def record(tx: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    """Record executions and skips and move each schedule on, in the caller's transaction (which holds the locks).

    Raises:
        RuntimeError: a state was not as the caller saw it; the transaction must be rolled back.
    """
    superseding = [one.schedule.id for one in decisions if any(fire.cancels for fire in one.plan.fires)]
    supersede(tx, superseding, now)
    rows = [row for decision in decisions for row in _rows(decision, now)]
    _insert(tx, rows)
    if decisions:
        _move_on(tx, decisions, now)


def _insert(tx: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        dialect = dialect_of(tx)
        # The predicate must be literal SQL: a bound parameter there fails on PostgreSQL from the 11th time on.
        statement = dialect.insert(executions).on_conflict_do_nothing(
            index_elements=["schedule_id", "fire_time"], index_where=text("cause = 'schedule'")
        )
        tx.execute(statement, _alike(rows))


def _move_on(tx: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    statement = (
        update(states)
        .where(states.c.schedule_id == bindparam("b_id"), states.c.revision == bindparam("b_revision"))
        .values(
            cursor=bindparam("b_cursor"),
            next_fire_time=bindparam("b_next"),
            wake_at=bindparam("b_next"),
            runs=states.c.runs + bindparam("b_runs"),
            last_fire_time=func.coalesce(bindparam("b_last", type_=Instant()), states.c.last_fire_time),
            paused_at=bindparam("b_paused_at"),
            paused_until=bindparam("b_paused_until"),
            pause_reason=bindparam("b_pause_reason"),
            paused_by=bindparam("b_paused_by"),
            active_since=bindparam("b_active_since"),
            recent=with_letters(tx, bindparam("b_letters", type_=Text())),
            error=None,
        )
    )  # fmt: skip
    moved = tx.execute(statement, [_state_parameters(decision, now) for decision in decisions])
    if moved.rowcount != len(decisions):
        raise RuntimeError("a schedule's state changed under its lock")


def _state_parameters(decision: Decision, now: datetime) -> dict[str, Any]:
    state, plan = decision.schedule.state, decision.plan
    keeps = not decision.resumed
    return {
        "b_id": state.schedule_id,
        "b_revision": state.revision,
        "b_cursor": plan.cursor,
        "b_next": plan.next_fire_time,
        "b_runs": len(plan.fires),
        "b_last": plan.fires[-1].fire_time if plan.fires else None,
        "b_paused_at": state.paused_at if keeps else None,
        "b_paused_until": state.paused_until if keeps else None,
        "b_pause_reason": state.pause_reason if keeps else None,
        "b_paused_by": state.paused_by if keeps else None,
        "b_active_since": state.active_since if keeps else now,
        "b_letters": letter_of_plan(plan),
    }


def _rows(decision: Decision, now: datetime) -> list[dict[str, Any]]:
    chain = secrets.token_hex(8) if any(fire.chain for fire in decision.plan.fires) else None
    rows = [_skip_row(decision.schedule, skip, now) for skip in decision.plan.skips]
    rows += [_fire_row(decision, fire, chain, now) for fire in decision.plan.fires]
    return rows


def _alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the same keys in each, as one statement for all of them needs."""
    every = {name: _DEFAULTS.get(name) for row in rows for name in row}
    return [every | row for row in rows]


_DEFAULTS: dict[str, Any] = {"waits": False, "count": 1}


def _common(schedule: StoredSchedule, now: datetime) -> dict[str, Any]:
    return {
        "cause": Cause.SCHEDULE,
        "task_id": schedule.task.id,
        "task": schedule.task.name,
        "schedule_id": schedule.id,
        "schedule": schedule.name,
        "revision": schedule.revision,
        "created_at": now,
        "publish_after": now,
    }


def skip_rows(tx: Connection, schedule: StoredSchedule, skips: Sequence[Skip], now: datetime) -> None:
    """Record ranges outside of a due scan (resume, delete, purge)."""
    _insert(tx, [_skip_row(schedule, skip, now) for skip in skips])


def _skip_row(schedule: StoredSchedule, skip: Skip, now: datetime) -> dict[str, Any]:
    return _common(schedule, now) | {
        "state": State.SKIPPED,
        "reason": skip.reason,
        "fire_time": skip.first,
        "until": skip.last if skip.count > 1 else None,
        "count": skip.count,
        "due_at": skip.first,
        "dispatch_at": now,
        "finished_at": now,
    }


def _fire_row(decision: Decision, fire: Fire, chain: str | None, now: datetime) -> dict[str, Any]:
    dispatch_at = max(fire.due_at, now)
    limit = decision.recipe.start_deadline
    return _common(decision.schedule, now) | recipe_values(decision.recipe) | {
        "state": State.PENDING,
        "fire_time": fire.fire_time,
        "due_at": fire.due_at,
        "dispatch_at": dispatch_at,
        "deadline": dispatch_at + limit if limit else None,
        "waits": fire.waits,
        "chain": chain if fire.chain else None,
    }  # fmt: skip


def mark_broken(tx: Connection, broken: Broken, now: datetime) -> None:
    """Keep a broken schedule from blocking the scan: note why, look again in a minute."""
    tx.execute(
        update(states)
        .where(states.c.schedule_id == broken.schedule_id, states.c.revision == broken.revision)
        .values(error=broken.error, wake_at=now + timedelta(minutes=1))
    )
