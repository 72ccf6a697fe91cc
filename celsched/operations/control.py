"""Owns pause, resume, delete and cancel. Each changes the store and nothing else; daemons and workers act on it.

Each reads the clock once, before its transaction: run again because the reply to a COMMIT was lost, it finds in the
audit what it did at that instant, and says that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import count

from celsched.domain.execution import TERMINAL, Execution, Reason
from celsched.errors import Conflict, UsageError
from celsched.operations import carry_out, ledger
from celsched.operations.scope import Scope, locked_schedule, not_found, require_schedule, require_task
from celsched.store import audit, definitions, executions, transitions
from celsched.store.store import Tx
from celsched.store.wake import ring


def pause(scope: Scope, names: Sequence[str], *, reason: str | None = None, until: datetime | None = None) -> None:
    """Pause schedules: no new fire times; executions already recorded go on. All of them or none.

    Raises:
        NotFound: a name is not stored. UsageError: `until` is not in the future.
    """
    now = scope.now()
    if until is not None and until <= now:
        raise UsageError("--until lies in the past", hint="name an instant ahead, such as +2h or 2026-12-01 09:00")
    repeats = _repeats()

    def work(tx: Tx) -> None:
        again = repeats()
        for schedule in _locked(tx, names):
            event = audit.Event("pause", "schedule", schedule.name, {"reason": reason, "until": until})
            if again and audit.done(tx, scope.by, event, now) is not None:
                continue
            state = replace(
                schedule.state,
                paused_at=schedule.state.paused_at or now,
                paused_until=until,
                pause_reason=reason,
                paused_by=scope.by.user,
                active_since=None,
                next_fire_time=None,
                wake_at=until if scope.policies(schedule.task, schedule).enabled else None,
            )
            definitions.save_state(tx, state)
            audit.write(tx, scope.by, event, now)
        ring(tx)

    scope.store.write(work)


def resume(scope: Scope, names: Sequence[str]) -> dict[str, datetime | None]:
    """Resume schedules; fire times up to now stay skipped as `paused`. Return the next fire time of each.

    Raises:
        NotFound: a name is not stored. Conflict: one of them is not paused.
    """
    now, repeats = scope.now(), _repeats()

    def work(tx: Tx) -> dict[str, datetime | None]:
        coming, again = {}, repeats()
        for schedule in _locked(tx, names):
            event = audit.Event("resume", "schedule", schedule.name)
            if again and audit.done(tx, scope.by, event, now) is not None:
                coming[schedule.name] = schedule.state.next_fire_time
                continue
            if not schedule.state.paused:
                raise Conflict(f"the schedule '{schedule.name}' is not paused")
            closed = ledger.close_as(scope, tx, schedule, now, Reason.PAUSED)
            awake = replace(closed, paused_at=None, paused_until=None, pause_reason=None, paused_by=None)
            # Streaks start anew, or the failure rule would pause it again at the first failure.
            awake = replace(awake, failure_streak=0)
            state = ledger.opened(scope, awake, schedule.definition, schedule.task, now, new_rule=False)
            definitions.save_state(tx, state)
            audit.write(tx, scope.by, event, now)
            coming[schedule.name] = state.next_fire_time
        ring(tx)
        return coming

    return scope.store.write(work)


def _repeats() -> Callable[[], bool]:
    """Return what tells, at each run of one transaction, whether it has run before."""
    runs = count()
    return lambda: next(runs) > 0


def _locked(tx: Tx, names: Sequence[str]) -> list[definitions.StoredSchedule]:
    return definitions.lock_schedules(tx, [require_schedule(tx, name).id for name in names])


def delete_schedule(scope: Scope, name: str) -> list[int]:
    """Delete a schedule; return the executions that were cancelled because they had not started.

    Raises:
        NotFound: it is not stored.
    """
    now, repeats = scope.now(), _repeats()

    def work(tx: Tx) -> list[int]:
        definitions.lock_names(tx)
        event = audit.Event("delete", "schedule", name)
        done = audit.done(tx, scope.by, event, now) if repeats() else None
        if done is not None:
            return list(done["cancelled"])
        cancelled = carry_out.delete_schedule(scope, tx, locked_schedule(tx, name), now)
        audit.write(tx, scope.by, replace(event, details={"cancelled": cancelled}), now)
        ring(tx)
        return cancelled

    return scope.store.write(work)


def delete_task(scope: Scope, name: str, *, cascade: bool = False) -> list[int]:
    """Delete a task, with `cascade` its schedules too; return the executions that were cancelled.

    Raises:
        NotFound: it is not stored. Conflict: schedules name it, and `cascade` was not given.
    """
    now, repeats = scope.now(), _repeats()

    def work(tx: Tx) -> list[int]:
        definitions.lock_names(tx)
        event = audit.Event("delete", "task", name)
        done = audit.done(tx, scope.by, event, now) if repeats() else None
        if done is not None:
            return list(done["cancelled"])
        cancelled: list[int] = []
        task = require_task(tx, name)
        users = [one.id for one in definitions.all_schedules(tx) if one.task.id == task.id]
        for schedule in definitions.lock_schedules(tx, users) if cascade else ():
            cancelled += carry_out.delete_schedule(scope, tx, schedule, now)
            audit.write(tx, scope.by, audit.Event("delete", "schedule", schedule.name, {"cascade": name}), now)
        cancelled += carry_out.delete_task(tx, task, now)
        audit.write(tx, scope.by, replace(event, details={"cancelled": cancelled}), now)
        ring(tx)
        return cancelled

    return scope.store.write(work)


class Cancelled(StrEnum):
    """What a cancel came to."""

    BEFORE_START = "before_start"
    """It had not started and never will."""
    ASKED = "asked"
    """It is running; its worker has been told to stop it."""
    ALREADY_OVER = "already_over"
    """It had ended before."""


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of the request, and the execution as it is now."""

    outcome: Cancelled
    execution: Execution


def cancel(scope: Scope, execution_id: int, *, force: bool = False, reason: str | None = None) -> CancelResult:
    """Cancel an execution (T7): certain before its start, a request once it runs; `force`: killed without grace.

    `reason` is kept in the audit, where what is told of the execution finds it.

    Raises:
        NotFound: there is no such execution.
    """
    now, repeats = scope.now(), _repeats()

    def work(tx: Tx) -> CancelResult:
        found = executions.find(tx, execution_id)
        if found is None:
            raise not_found("execution", execution_id)
        event = audit.Event("cancel", "execution", str(execution_id))
        done = audit.done(tx, scope.by, event, now) if repeats() else None
        if done is not None:
            return CancelResult(Cancelled(done["outcome"]), found)
        transitions.lock_state(tx, found.schedule_id)
        outcome = Cancelled.ALREADY_OVER
        if transitions.cancel_one(tx, execution_id, "cancelled_by_user", now):
            outcome = Cancelled.BEFORE_START
            transitions.release_waiting(tx, found.schedule_id, now)
        elif transitions.ask_one_to_stop(tx, execution_id, "cancelled_by_user", force=force):
            outcome = Cancelled.ASKED
        if outcome is not Cancelled.ALREADY_OVER:
            audit.write(tx, scope.by, replace(event, details={"outcome": outcome, "reason": reason}), now)
            ring(tx)
        after = executions.find(tx, execution_id)
        return CancelResult(outcome, after or found)

    result = scope.store.write(work)
    if result.outcome is Cancelled.ALREADY_OVER and result.execution.state not in TERMINAL:
        # It moved between our two updates (retrying -> running): once more.
        return cancel(scope, execution_id, force=force, reason=reason)
    return result
