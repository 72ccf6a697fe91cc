"""The one place where an execution changes its state: guarded updates, and the locks taken before them.

Each function names the states it moves from in its WHERE clause; the row count says who won. T-numbers are those of
the state machine in the design. Lock order: the schedules' state rows first, then executions by their ids. Who takes
many executions without their schedules' state rows (the publisher) waits for none of them: see `without_waiting`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, not_, select, update

from celsched.domain.execution import State
from celsched.domain.plan import Active
from celsched.domain.policy import Overlap
from celsched.store.dialect import dialect_of
from celsched.store.outcomes import letter_of, with_letters
from celsched.store.tables import LIVE, UNSENT, executions, states
from celsched.store.wake import ring

CLAIMABLE = (State.PENDING, State.QUEUED, State.RETRYING)


def is_active() -> ColumnElement[bool]:
    """Return the condition "blocks others": pending without waits, queued, retrying without waits, running."""
    return and_(LIVE, not_(executions.c.waits))


def move(
    tx: Connection, execution_id: int, sources: Iterable[State], *guards: ColumnElement[bool], **values: Any
) -> bool:
    """Update one execution if its state is among `sources` and every guard holds; return whether it did."""
    done = tx.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.state.in_(tuple(sources)), *guards)
        .values(**values)
    )
    return bool(done.rowcount == 1)


def move_all(
    tx: Connection, execution_ids: Iterable[int], sources: Iterable[State], *guards: ColumnElement[bool], **values: Any
) -> int:
    """Update those of the executions for which `move` would do it, in one statement; return how many they were.

    The caller has locked them, else two such statements could wait for each other.
    """
    done = tx.execute(
        update(executions)
        .where(executions.c.id.in_(list(execution_ids)), executions.c.state.in_(tuple(sources)), *guards)
        .values(**values)
    )
    return done.rowcount


def without_waiting(tx: Connection, execution_ids: Iterable[int]) -> set[int]:
    """Lock those of the executions that nobody else has locked, and return them.

    A transaction that holds some rows and waits for others would sooner or later meet one that does the reverse.
    """
    ids = list(execution_ids)
    if not dialect_of(tx).row_locks:
        return set(ids)
    free = select(executions.c.id).where(executions.c.id.in_(ids)).order_by(executions.c.id)
    return set(tx.scalars(free.with_for_update(skip_locked=True)))


def lock_in_order(tx: Connection, *where: ColumnElement[bool]) -> None:
    """Lock living executions one after the other by their ids; an UPDATE takes them as they lie."""
    if dialect_of(tx).row_locks:
        tx.execute(select(executions.c.id).where(LIVE, *where).order_by(executions.c.id).with_for_update())


def lock_state(tx: Connection, schedule_id: int | None) -> None:
    """Lock the schedule's state row until the transaction ends (an SQLite writer holds everything already)."""
    if schedule_id is not None and dialect_of(tx).row_locks:
        tx.execute(select(states.c.schedule_id).where(states.c.schedule_id == schedule_id).with_for_update())


def active_of(tx: Connection, schedule_ids: Iterable[int]) -> dict[int, Active]:
    """Return what blocks or waits in each schedule that has anything of the kind."""
    kind = executions.c.chain.is_not(None)
    rows = tx.execute(
        select(executions.c.schedule_id, executions.c.state, executions.c.waits, kind, func.count())
        .where(executions.c.schedule_id.in_(list(schedule_ids)), LIVE)
        .group_by(executions.c.schedule_id, executions.c.state, executions.c.waits, kind)
    )
    found: dict[int, Active] = {}
    for schedule_id, state, waits, chain, count in rows:
        seen = found.get(schedule_id, Active())
        match (bool(waits), bool(chain), state):
            case (True, False, _):
                seen = Active(seen.open, seen.claimed, seen.chain, seen.waiting + count)
            case (True, True, _):
                pass
            case (False, True, _):
                seen = Active(seen.open, seen.claimed, seen.chain + count, seen.waiting)
            case (False, False, State.RUNNING):
                seen = Active(seen.open, seen.claimed + count, seen.chain, seen.waiting)
            case _:
                seen = Active(seen.open + count, seen.claimed, seen.chain, seen.waiting)
        found[schedule_id] = seen
    return found


def release_waiting(tx: Connection, schedule_id: int | None, now: datetime) -> int:
    """Clear `waits` of what nothing blocks any more, oldest first, ordinary rows before chain rows; return how many.

    The caller holds the schedule's state lock and has just made an execution terminal, or repairs a missed release.
    """
    released = 0
    while schedule_id is not None:
        heads = tx.execute(
            select(func.min(executions.c.id), executions.c.chain, executions.c.overlap)
            .where(
                executions.c.schedule_id == schedule_id,
                executions.c.waits,
                LIVE,
            )
            .group_by(executions.c.chain, executions.c.overlap)
            .order_by(executions.c.chain.is_not(None), func.min(executions.c.id))
        ).all()
        free = next((head for head, chain, overlap in heads if not is_blocked(tx, schedule_id, chain, overlap)), None)
        if free is None or not _release(tx, free, now):
            break
        released += 1
    if released:
        ring(tx)
    return released


def is_blocked(tx: Connection, schedule_id: int, chain: str | None, overlap: str) -> bool:
    """Return whether something active keeps a waiting row of this chain and overlap from going on."""
    others = [executions.c.schedule_id == schedule_id, is_active()]
    if overlap == Overlap.ALLOW:
        others.append(executions.c.chain == chain)
    return bool(tx.scalar(select(exists().where(*others))))


def _release(tx: Connection, execution_id: int, now: datetime) -> bool:
    row = tx.execute(
        select(
            executions.c.attempt,
            executions.c.due_at,
            executions.c.created_at,
            executions.c.dispatch_at,
            executions.c.start_deadline,
        ).where(executions.c.id == execution_id)
    ).one()
    values: dict[str, Any] = {"waits": False, "publish_after": now, "sends": 0}
    if row.attempt == 1 and row.dispatch_at == max(row.due_at, row.created_at):
        # Released for the first time. Its start deadline counts from here: waiting for an earlier one is no lateness.
        values["dispatch_at"] = dispatch_at = max(now, row.due_at)
        values["deadline"] = dispatch_at + row.start_deadline if row.start_deadline else None
    return move(tx, execution_id, (State.PENDING, State.RETRYING), executions.c.waits, **values)


def _cancel(tx: Connection, reason: str, now: datetime, *where: ColumnElement[bool]) -> list[int]:
    done = tx.execute(
        update(executions)
        .where(executions.c.state.in_(CLAIMABLE), *where)
        .values(state=State.CANCELLED, waits=False, reason=reason, finished_at=now)
        .returning(executions.c.id)
    )
    return list(done.scalars())


def _ask_to_stop(tx: Connection, reason: str, *where: ColumnElement[bool], force: bool = False) -> list[int]:
    without_grace = {"cancel_force": True} if force else {}  # a milder wish takes back none that was made before
    done = tx.execute(
        update(executions)
        .where(executions.c.state == State.RUNNING, *where)
        .values(cancel_requested=True, reason=reason, **without_grace)
        .returning(executions.c.id)
    )
    return list(done.scalars())


def cancel_one(tx: Connection, execution_id: int, reason: str, now: datetime) -> bool:
    """T7: cancel an execution that has not started; the caller holds the state lock and releases what waits."""
    return bool(_cancel(tx, reason, now, executions.c.id == execution_id))


def ask_one_to_stop(tx: Connection, execution_id: int, reason: str, *, force: bool = False) -> bool:
    """Set the cancel flag of a running execution; its worker sees it within a second or so. `force`: without grace."""
    return bool(_ask_to_stop(tx, reason, executions.c.id == execution_id, force=force))


def cancel_of_schedule(tx: Connection, schedule_id: int, reason: str, now: datetime) -> list[int]:
    """Cancel everything of a schedule that has not started; return the ids."""
    lock_in_order(tx, executions.c.schedule_id == schedule_id)
    return _cancel(tx, reason, now, executions.c.schedule_id == schedule_id)


def cancel_of_task(tx: Connection, task_id: int, reason: str, now: datetime) -> list[int]:
    """Cancel everything of a task that has not started; return the ids."""
    lock_in_order(tx, executions.c.task_id == task_id)
    return _cancel(tx, reason, now, executions.c.task_id == task_id)


def supersede(tx: Connection, schedule_ids: Collection[int], now: datetime) -> None:
    """Apply overlap `cancel_running`: cancel the schedules' ordinary rows, ask their running ones to stop."""
    if not schedule_ids:
        return
    ordinary = (executions.c.schedule_id.in_(schedule_ids), executions.c.chain.is_(None))
    lock_in_order(tx, *ordinary)
    _cancel(tx, "superseded", now, *ordinary)
    _ask_to_stop(tx, "superseded", *ordinary)


def expire(tx: Connection, now: datetime, limit: int) -> list[tuple[int, int | None]]:
    """T11: return (id, schedule id) of executions whose start deadline passed; `expire_one` moves each."""
    rows = tx.execute(
        select(executions.c.id, executions.c.schedule_id)
        .where(
            executions.c.state.in_((State.PENDING, State.QUEUED)),
            executions.c.attempt == 1,
            executions.c.deadline <= now,
            UNSENT,
        )
        .order_by(executions.c.deadline)
        .limit(limit)
    )
    return [(row.id, row.schedule_id) for row in rows]


def expire_one(tx: Connection, execution_id: int, schedule_id: int | None, now: datetime) -> bool:
    """T11: `pending`/`queued` -> `expired`, and let what waited for it go."""
    lock_state(tx, schedule_id)
    moved = move(
        tx,
        execution_id,
        (State.PENDING, State.QUEUED),
        not_(executions.c.waits),
        executions.c.attempt == 1,
        executions.c.deadline <= now,
        state=State.EXPIRED,
        reason="start_deadline",
        finished_at=now,
    )
    if moved and schedule_id is not None:
        recent = with_letters(tx, letter_of(State.EXPIRED))
        tx.execute(update(states).where(states.c.schedule_id == schedule_id).values(recent=recent))
        release_waiting(tx, schedule_id, now)
    return moved
