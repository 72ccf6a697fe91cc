"""Owns closing a schedule's ledger before it changes, and opening it after. It never writes a definition.

The caller holds the lock of the schedule's state. What is due is decided by the old definition, so that a change at
02:00:00.3 does not swallow 02:00, and a new rule never fires for the time before the change.
"""

from dataclasses import replace
from datetime import datetime

from celsched.domain.compose import first_base, recipe_of, subject_of
from celsched.domain.definition import ScheduleDefinition, effective
from celsched.domain.execution import Reason
from celsched.domain.plan import Active, Subject, decide, next_fire_time, paused_range
from celsched.domain.state import ScheduleState
from celsched.errors import InvalidRule
from celsched.operations.scope import Scope
from celsched.store import definitions, due
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.due import Decision
from celsched.store.store import Tx
from celsched.store.transitions import active_of


def subject_for(scope: Scope, schedule: StoredSchedule) -> Subject | None:
    """Return what plans it; None where its rule cannot be built any more, and its fire times are unknown for good.

    Such a schedule must still be changed and deleted: that is how it is repaired.
    """
    try:
        return subject_of(schedule.definition, scope.policies(schedule.task, schedule), schedule.state.base)
    except InvalidRule:
        return None


def rests(scope: Scope, schedule: StoredSchedule, now: datetime) -> bool:
    """Return whether the schedule makes no fire times now: paused (and not run out) or disabled."""
    state = schedule.state
    paused = state.paused and (state.paused_until is None or state.paused_until > now)
    return paused or not scope.policies(schedule.task, schedule).enabled


def close(scope: Scope, tx: Tx, schedule: StoredSchedule, now: datetime) -> ScheduleState:
    """Decide everything up to `now` by the present definition, record it, and return the state after it."""
    if rests(scope, schedule, now):
        return close_as(scope, tx, schedule, now, Reason.PAUSED)
    subject = subject_for(scope, schedule)
    if subject is None:
        return replace(schedule.state, cursor=max(schedule.state.cursor, now))
    policies = scope.policies(schedule.task, schedule)
    active = active_of(tx, [schedule.id]).get(schedule.id, Active())
    recipe = recipe_of(schedule.task.definition, schedule.definition, policies)
    resumed = schedule.state.paused
    while True:
        plan = decide(subject, schedule.state, now, active)
        due.record(tx, [Decision(schedule, plan, recipe, resumed=resumed)], now)
        (schedule,) = definitions.lock_schedules(tx, [schedule.id])
        if plan.cursor >= now:
            return schedule.state
        active = active_of(tx, [schedule.id]).get(schedule.id, Active())


def close_as(scope: Scope, tx: Tx, schedule: StoredSchedule, now: datetime, reason: Reason) -> ScheduleState:
    """Record every undecided fire time up to `now` as skipped for `reason`; return the state after it."""
    subject, before = subject_for(scope, schedule), schedule.state
    skip = None if subject is None else paused_range(subject, before.cursor, before.runs, now, reason)
    if skip is not None:
        due.skip_rows(tx, schedule, [skip], now)
    state = replace(before, cursor=max(before.cursor, now))
    definitions.save_state(tx, state)
    return replace(state, revision=state.revision + 1)


def opened(
    scope: Scope, state: ScheduleState, new: ScheduleDefinition, task: StoredTask, now: datetime, *, new_rule: bool
) -> ScheduleState:
    """Return the state with which `new` goes on after `state` was closed up to `now`."""
    policies = effective(task.definition, new, scope.settings)
    base = first_base(new, policies, now) if new_rule else state.base
    if state.paused or not policies.enabled:
        wake_at = state.paused_until if policies.enabled else None
        return replace(state, base=base, next_fire_time=None, wake_at=wake_at, active_since=None)
    coming = next_fire_time(subject_of(new, policies, base), state.cursor, state.runs)
    since = now if new_rule else state.active_since or now
    return replace(state, base=base, next_fire_time=coming, wake_at=coming, active_since=since, error=None)


def born(scope: Scope, new: ScheduleDefinition, task: StoredTask, now: datetime) -> ScheduleState:
    """Return the first state of a new schedule: nothing up to `now` ever fires."""
    blank = ScheduleState(schedule_id=0, revision=1, base=now, cursor=now, next_fire_time=None, wake_at=None)
    return opened(scope, blank, new, task, now, new_rule=True)
