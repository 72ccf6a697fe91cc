"""Owns T6, T8 and T9: how an attempt ends, what follows it, and the schedule's streaks. It never judges silence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, case, literal, select, update

from celsched.domain.definition import effective
from celsched.domain.execution import CLAIMABLE, FAILURES, Requester, State
from celsched.domain.options import OPTIONS
from celsched.domain.retry import backoff, goes_on
from celsched.domain.state import FAILURE_RULE
from celsched.store import audit
from celsched.store.outcomes import letter_of, with_letters
from celsched.store.rows import schedule_record, task_record
from celsched.store.tables import attempts, executions, schedules, states, tasks
from celsched.store.transitions import lock_state, move, release_waiting
from celsched.store.types import Instant

LATE = timedelta(minutes=1)
"""An end that is recorded so long after it happened is marked: who looks back a little from now would not see it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of an attempt. `retryable` False forbids another one whatever the policy (cancelled, rejected).

    `ended_at`: when it ended, where that may lie long before it is recorded.
    """

    outcome: State
    result: Any = None
    error_type: str | None = None
    error: str | None = None
    traceback: str | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    reason: str | None = None
    retryable: bool = True
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What the store now says: the execution's state, and when the next attempt is due if there is one."""

    execution_id: int
    state: State
    attempt: int
    next_attempt_at: datetime | None
    subject: str
    schedule_paused: bool = False


def finish(
    tx: Connection, token: str, ending: Ending, now: datetime, *, chance: float, heartbeat: int | None = None
) -> Ended | None:
    """End the attempt that `token` claimed (T6, T8, T9); return what the store now says, None where it is not ours.

    `chance` in [0, 1) is the random part of the back-off. With `heartbeat` it ends only if no beat came since it was
    seen (T9 by an observer). Repeating a call whose COMMIT reply was lost returns what the first one did.
    """
    recorded, now = now, ending.ended_at or now
    found = tx.execute(
        select(executions.c.id, executions.c.schedule_id).where(executions.c.claim_token == token)
    ).one_or_none()
    if found is None:
        return None
    lock_state(tx, found.schedule_id)
    row = tx.execute(select(executions).where(executions.c.id == found.id)).mappings().one()
    if row["state"] != State.RUNNING or row["claim_token"] != token:
        return _as_recorded(row) if row["claim_token"] == token else None
    follows = _follows(row, ending)
    values = _values(row, ending, now, chance, follows=follows)
    if not follows and recorded - now > LATE:
        values["recorded_at"] = recorded
    guards = [executions.c.claim_token == token]
    if heartbeat is not None:
        guards.append(executions.c.heartbeat == heartbeat)
    if not move(tx, found.id, (State.RUNNING,), *guards, **values):
        return None
    _close_attempt(tx, row, ending, now, values["state"])
    paused = False
    if not follows:
        paused = _after_the_end(tx, row, State(values["state"]), now, recorded)
    return Ended(found.id, State(values["state"]), row["attempt"], values.get("dispatch_at"), _subject(row), paused)


def _subject(row: RowMapping) -> str:
    name: str = row["schedule"] or row["task"]
    return name


def _as_recorded(row: RowMapping) -> Ended:
    state = State(row["state"])
    if state in CLAIMABLE:  # the next attempt, not claimed yet: perhaps published already, or put back to wait
        return Ended(row["id"], State.RETRYING, row["attempt"] - 1, row["dispatch_at"], _subject(row))
    return Ended(row["id"], state, row["attempt"], None, _subject(row))


def _follows(row: RowMapping, ending: Ending) -> bool:
    """Return whether another attempt follows."""
    if not ending.retryable or row["cancel_requested"]:
        return False
    return goes_on(
        ending.outcome,
        failures=row["failures"] + (ending.outcome in (State.FAILED, State.TIMED_OUT)),
        max_retries=row["max_retries"],
        losses=row["losses"] + (ending.outcome is State.LOST),
        retry_on_lost=row["retry_on_lost"],
    )


def _values(row: RowMapping, ending: Ending, now: datetime, chance: float, *, follows: bool) -> dict[str, Any]:
    failures = row["failures"] + (ending.outcome in (State.FAILED, State.TIMED_OUT))
    losses = row["losses"] + (ending.outcome is State.LOST)
    values: dict[str, Any] = {"failures": failures, "losses": losses, "error": _said(ending)}
    if follows:
        policy = OPTIONS["retry"].decode("retry", row["retry"])
        due = now + backoff(policy, failures + losses, chance)
        # A new attempt has a new Celery task id, so its publishes are counted anew.
        return values | {
            "state": State.RETRYING,
            "attempt": row["attempt"] + 1,
            "dispatch_at": due,
            "publish_after": now,
            "publishes": 0,
            "sends": 0,
            "reason": ending.reason,
        }
    state = ending.outcome
    if row["cancel_requested"] and state is not State.SUCCEEDED:
        # Asked to stop: it is cancelled, neither tried again nor lost.
        state = State.CANCELLED
    reason = row["reason"] if state is State.CANCELLED and row["cancel_requested"] else ending.reason
    return values | {"state": state, "finished_at": now, "result": ending.result, "reason": reason}


def _said(ending: Ending) -> str | None:
    """Return what the execution's row keeps of its end: an exception as Python's own last line tells it, named once."""
    name, said = ending.error_type, ending.error
    if ending.traceback is None or name is None or (said and f"{said}:".startswith(f"{name}:")):
        return said
    return f"{name}: {said}" if said else name


def _close_attempt(tx: Connection, row: RowMapping, ending: Ending, now: datetime, state: State) -> None:
    tx.execute(
        update(attempts)
        .where(attempts.c.execution_id == row["id"], attempts.c.attempt == row["attempt"])
        .values(
            state=State.CANCELLED if state is State.CANCELLED else ending.outcome,
            finished_at=now,
            error_type=ending.error_type,
            error=ending.error,
            traceback=ending.traceback,
            cpu_seconds=ending.cpu_seconds,
            peak_memory_bytes=ending.peak_memory_bytes,
        )
    )


def _after_the_end(tx: Connection, row: RowMapping, state: State, ended: datetime, now: datetime) -> bool:
    """Keep the schedule's streaks and let what waited go; return whether the failure rule paused the schedule.

    What follows from the end begins at `now`: it may be recorded long after it happened, at `ended`.
    """
    schedule_id = row["schedule_id"]
    if schedule_id is None:
        return False
    paused = False
    where = states.c.schedule_id == schedule_id
    recent = with_letters(tx, letter_of(state))
    if state is State.SUCCEEDED:
        streaks = {
            "last_success_at": _latest(states.c.last_success_at, ended, now),
            "success_streak": states.c.success_streak + 1,
            "failure_streak": 0,
        }
        tx.execute(update(states).where(where).values(streaks | {"recent": recent}))
    elif state in FAILURES:
        streaks = {
            "last_failure_at": _latest(states.c.last_failure_at, ended, now),
            "success_streak": 0,
            "failure_streak": states.c.failure_streak + 1,
        }
        tx.execute(update(states).where(where).values(streaks | {"recent": recent}))
        paused = _pause_by_rule(tx, schedule_id, row["host"], now)
    release_waiting(tx, schedule_id, now)
    return paused


def _latest(column: Column[Any], ended: datetime, now: datetime) -> ColumnElement[Any]:
    """Return the later of what a column holds and `ended`; what lies ahead of the clock, one set back since wrote."""
    end = literal(ended, Instant())
    return case((column.between(end, literal(now, Instant())), column), else_=end)


def _pause_by_rule(tx: Connection, schedule_id: int, host: str | None, now: datetime) -> bool:
    row = tx.execute(select(schedules).where(schedules.c.id == schedule_id)).mappings().one()
    task = tx.execute(select(tasks).where(tasks.c.id == row["task_id"])).mappings().one()
    limit = _failures_allowed(task, row)
    if limit is None:
        return False
    reason = f"{limit} failures in a row {FAILURE_RULE}"
    done = tx.execute(
        update(states)
        .where(states.c.schedule_id == schedule_id, states.c.paused_at.is_(None), states.c.failure_streak >= limit)
        .values(
            paused_at=now,
            paused_until=None,
            pause_reason=reason,
            paused_by=audit.DAEMON,
            next_fire_time=None,
            wake_at=None,
            active_since=None,
            revision=states.c.revision + 1,
        )
    )
    if done.rowcount != 1:
        return False
    event = audit.Event("pause", "schedule", row["name"], {"reason": reason})
    audit.write(tx, Requester(audit.DAEMON, host or ""), event, now)
    return True


def _failures_allowed(task: RowMapping, schedule: RowMapping) -> int | None:
    try:
        return effective(task_record(task), schedule_record(schedule, task["name"]), {}).pause_after_failures
    except Exception:  # a zone that is gone, an option of a newer version: that must not keep an end from its record
        return None
