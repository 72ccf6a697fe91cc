"""Owns what people ask to run: now, again, or for past fire times. It records; daemon and workers do the rest."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from celsched.domain.admission import admit
from celsched.domain.compose import recipe_of, subject_of
from celsched.domain.definition import Effective
from celsched.domain.execution import TERMINAL, Cause, Execution
from celsched.domain.plan import TICK, Active
from celsched.domain.policy import Overlap
from celsched.errors import Conflict, UsageError
from celsched.operations.scope import Scope, locked_schedule, not_found
from celsched.store import audit, definitions, executions, requests, transitions
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.requests import Request
from celsched.store.store import Tx
from celsched.store.wake import ring
from celsched.timing.rule import upcoming

BACKFILL_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class RunNow:
    """A wish to run a task or schedule once. Without `kind` the name must be that of only one of the two."""

    name: str
    kind: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    overlap: Overlap | None = None
    request_id: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(frozen=True, slots=True)
class Target:
    """What a wish would run: its task, its schedule if it names one, and the parameters put together."""

    task: StoredTask
    schedule: StoredSchedule | None
    params: Mapping[str, Any]


def target_of(scope: Scope, wish: RunNow) -> Target:
    """Return what the wish names, so that its parameters can be checked before it is recorded.

    Raises:
        NotFound: nothing has the name. Conflict: a task and a schedule have it, and no kind was given.
    """
    return scope.store.read(lambda tx: _target(scope, tx, wish))


def _target(scope: Scope, tx: Tx, wish: RunNow) -> Target:
    schedule = definitions.find_schedule(tx, wish.name) if wish.kind != "task" else None
    task = definitions.find_task(tx, wish.name) if wish.kind != "schedule" else None
    if schedule is not None and task is not None:
        raise Conflict(
            f"both a task and a schedule are named '{wish.name}'", hint="say which: add --kind task or --kind schedule"
        )
    if schedule is None and task is None:
        known = [*definitions.schedule_names(tx), *definitions.task_names(tx)]
        raise not_found(wish.kind or "task or schedule", wish.name, known)
    owner = schedule.task if schedule is not None else task
    if owner is None:
        raise AssertionError("one of the two was found")
    policies = scope.policies(owner, schedule)
    recipe = recipe_of(owner.definition, schedule.definition if schedule else None, policies, params=wish.params)
    return Target(owner, schedule, recipe.params)


def run_now(scope: Scope, wish: RunNow) -> int:
    """Record a manual execution; return its id. Repeating a wish (same request id) finds the first.

    Raises:
        NotFound: nothing has the name. Conflict: the overlap policy refuses it; nothing was recorded.
    """

    def work(tx: Tx) -> int:
        now = scope.now()
        known = requests.find(tx, wish.request_id)
        if known is not None:
            return known
        target = _target(scope, tx, wish)
        draft = Request(
            cause=Cause.MANUAL,
            request_id=wish.request_id,
            task=target.task,
            schedule=target.schedule,
            recipe=recipe_of(
                target.task.definition,
                target.schedule.definition if target.schedule else None,
                scope.policies(target.task, target.schedule),
                params=wish.params,
                overlap=wish.overlap if target.schedule else None,
            ),
            by=scope.by,
        )
        made = _admitted(scope, tx, draft, now)
        audit.write(tx, scope.by, audit.Event("run-now", "execution", str(made), {"name": wish.name}), now)
        ring(tx)
        return made

    return scope.store.write(work)


def _admitted(scope: Scope, tx: Tx, draft: Request, now: datetime) -> int:
    """Record a request under its schedule's lock, as the overlap policy admits it; one known by its id is found."""
    if draft.schedule is None:
        return requests.record(tx, draft, now)[0]
    transitions.lock_state(tx, draft.schedule.id)
    known = requests.find(tx, draft.request_id)
    if known is not None:
        return known
    active = transitions.active_of(tx, [draft.schedule.id]).get(draft.schedule.id, Active())
    admission = admit(draft.schedule.name, draft.recipe.overlap, active)
    if admission.cancels:
        transitions.supersede(tx, [draft.schedule.id], now)
    return requests.record(tx, replace(draft, waits=admission.waits), now)[0]


def retry(scope: Scope, execution_id: int, *, overlap: Overlap | None = None, request_id: str | None = None) -> int:
    """Record a new execution that repeats an ended one: its parameters, by the present definition; return its id.

    Raises:
        NotFound: there is no such execution. Conflict: it has not ended, stands for many fire times, or its task is
        gone, or the overlap policy refuses it.
    """
    key = request_id or secrets.token_hex(12)

    def work(tx: Tx) -> int:
        now = scope.now()
        known = requests.find(tx, key)
        if known is not None:
            return known
        old = executions.find(tx, execution_id)
        if old is None:
            raise not_found("execution", execution_id)
        _refuse_retry(old)
        task, schedule = _present(tx, old)
        policies = scope.policies(task, schedule)
        draft = Request(
            cause=Cause.RETRY,
            request_id=key,
            task=task,
            schedule=schedule,
            recipe=recipe_of(
                task.definition,
                schedule.definition if schedule else None,
                policies,
                params=old.recipe.params if old.recipe else None,
                overlap=overlap if schedule else None,
            ),
            by=scope.by,
            fire_time=old.fire_time,
            origin_id=old.id,
        )
        made = _admitted(scope, tx, draft, now)
        audit.write(tx, scope.by, audit.Event("retry", "execution", str(made), {"origin": old.id}), now)
        ring(tx)
        return made

    return scope.store.write(work)


def _refuse_retry(old: Execution) -> None:
    if old.state not in TERMINAL:
        raise Conflict(
            f"execution {old.id} is {old.state}; only one that has ended can be retried",
            hint=f"`celsched cancel {old.id}` first, or wait for its end",
        )
    if old.count > 1:
        raise Conflict(
            f"execution {old.id} stands for {old.count} skipped fire times",
            hint=f"use `celsched backfill '{old.subject}' --from ... --to ...`",
        )


def _present(tx: Tx, old: Execution) -> tuple[StoredTask, StoredSchedule | None]:
    schedule = definitions.find_schedule(tx, old.schedule) if old.schedule else None
    if schedule is not None and schedule.id == old.schedule_id:
        return schedule.task, schedule
    task = definitions.find_task(tx, old.task)
    if task is None or task.id != old.task_id:
        raise Conflict(f"the task '{old.task}' of execution {old.id} was deleted", hint="define it again, and run-now")
    return task, None


@dataclass(frozen=True, slots=True)
class Backfill:
    """A wish to run a schedule for its fire times in [since, until). `every` also takes those that are done."""

    schedule: str
    since: datetime
    until: datetime
    overlap: Overlap | None = None
    every: bool = False
    limit: int = BACKFILL_LIMIT
    request_id: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """Which fire times are (or, in a dry run, would be) run, how many were left out, and the executions made."""

    fire_times: Sequence[datetime]
    left_out: int
    executions: Sequence[int] = ()


def backfill(scope: Scope, wish: Backfill, *, dry_run: bool = False) -> BackfillResult:
    """Record executions for past fire times, as a chain: one at a time, never skipped.

    Raises:
        NotFound: no such schedule. UsageError: the range is empty or reaches into the future, or holds more than
        `limit` fire times.
    """
    if wish.until <= wish.since:
        raise UsageError("--to must lie after --from")
    if wish.until > scope.now():
        raise UsageError("--to lies in the future", hint="backfill takes past fire times only; --to now is the latest")

    def work(tx: Tx) -> BackfillResult:
        schedule = locked_schedule(tx, wish.schedule)
        policies = scope.policies(schedule.task, schedule)
        fire_times, left_out = _chosen(tx, schedule, policies, wish)
        if dry_run or not fire_times:
            return BackfillResult(fire_times, left_out)
        made = _record_chain(scope, tx, schedule, policies, wish, fire_times)
        details = {"from": wish.since, "to": wish.until, "executions": len(made)}
        audit.write(tx, scope.by, audit.Event("backfill", "schedule", schedule.name, details), scope.now())
        ring(tx)
        return BackfillResult(fire_times, left_out, made)

    return scope.store.write(work)


def _chosen(tx: Tx, schedule: StoredSchedule, policies: Effective, wish: Backfill) -> tuple[list[datetime], int]:
    subject = subject_of(schedule.definition, policies, schedule.state.base)
    after = max(wish.since, subject.start_at) if subject.start_at else wish.since
    until = min(wish.until - TICK, subject.end_at) if subject.end_at else wish.until - TICK
    done = (
        set()
        if wish.every
        else executions.done_fire_times(tx, schedule.id, wish.since, wish.until, besides=f"{wish.request_id}:")
    )
    found = list(upcoming(subject.rule, after - TICK, wish.limit + len(done) + 1, until))
    chosen = [at for at in found if at not in done]
    if len(chosen) > wish.limit:
        raise UsageError(
            f"'{schedule.name}' has more than {wish.limit} fire times in this range",
            hint="choose a shorter range, or add --limit N",
        )
    return chosen, len(found) - len(chosen)


def _record_chain(
    scope: Scope, tx: Tx, schedule: StoredSchedule, policies: Effective, wish: Backfill, fire_times: list[datetime]
) -> list[int]:
    now = scope.now()
    recipe = recipe_of(schedule.task.definition, schedule.definition, policies, overlap=wish.overlap)
    active = transitions.active_of(tx, [schedule.id]).get(schedule.id, Active())
    rows = executions.ledger_rows(tx, schedule.id, wish.since, wish.until)
    waits = recipe.overlap is not Overlap.ALLOW and active.any
    chain, made = secrets.token_hex(8), []
    for at in fire_times:
        request = Request(
            cause=Cause.BACKFILL,
            request_id=f"{wish.request_id}:{at.isoformat()}",
            task=schedule.task,
            schedule=schedule,
            recipe=recipe,
            by=scope.by,
            fire_time=at,
            origin_id=_origin(rows, at),
            chain=chain,
            waits=waits,
        )
        made.append(requests.record(tx, request, now)[0])
        waits = True
    return made


def _origin(rows: Sequence[Execution], at: datetime) -> int | None:
    for row in rows:
        if row.fire_time is not None and row.fire_time <= at <= (row.until or row.fire_time):
            return row.id
    return None
