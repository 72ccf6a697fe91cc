"""Owns what the watcher reads of schedules and of what went wrong with them. It never judges.

Definitions are decoded once and kept until they change; each look reads only the states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, TextClause, and_, func, or_, select

from celsched.domain.execution import State
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.subjects import task_of
from celsched.domain.health.watched import Living, RuleBook, Trouble, Watched
from celsched.domain.options import Layer
from celsched.domain.state import ScheduleState
from celsched.errors import InvalidDefinition
from celsched.store.dialect import unindexed
from celsched.store.readable import readable
from celsched.store.tables import COALESCED, LIVE, TROUBLE, attempts, executions, schedules, states, tasks
from celsched.store.watch_definitions import WHAT, Decoder, Kept

_FEW = 20


@dataclass(frozen=True, slots=True)
class _Made:
    """A watched schedule, and what it was made of."""

    kept: Kept
    values: tuple[object, ...]
    watched: Watched


class Roster:
    """The live schedules as the watcher knows them. `settings` is the layer below all definitions."""

    def __init__(self, rules: RuleBook, settings: Layer) -> None:
        self._decoder = Decoder(rules, settings)
        self._kept: dict[int, Kept] = {}
        self._made: dict[int, _Made] = {}

    def look(self, tx: Connection, gaps: list[Gap] | None = None) -> dict[int, Watched]:
        """Return every live schedule by its id; one that cannot be read is left out, and added to `gaps`."""
        rows = readable(tx, _STATES, states.c.schedule_id, WHAT, _read, gaps)
        changed = [row["schedule_id"] for row in rows if not self._has(row)]
        fresh = {kept.watched.id: kept for kept in self._decoder.decode(tx, changed, gaps)}
        # One that was deleted between the two statements is in neither.
        self._kept = {
            row["schedule_id"]: fresh.get(row["schedule_id"]) or self._kept[row["schedule_id"]]
            for row in rows
            if row["schedule_id"] in fresh or row["schedule_id"] in self._kept
        }
        self._made = {row["schedule_id"]: self._made_of(row) for row in rows if row["schedule_id"] in self._kept}
        return {schedule_id: made.watched for schedule_id, made in self._made.items()}

    def _has(self, row: RowMapping) -> bool:
        kept = self._kept.get(row["schedule_id"])
        return kept is not None and kept.key == (row["definition_revision"], row["task_id"], row["task_revision"])

    def _made_of(self, row: RowMapping) -> _Made:
        """Return what the last look made where nothing has changed: of most schedules nothing has."""
        kept, values = self._kept[row["schedule_id"]], tuple(row.values())
        made = self._made.get(row["schedule_id"])
        if made is not None and made.kept is kept and made.values == values:
            return made
        return _Made(kept, values, _watched(kept, row))


def _watched(kept: Kept, row: RowMapping) -> Watched:
    state = ScheduleState(**{name: row[name] for name in ScheduleState.__slots__})
    if kept.fault is not None and state.error is None:
        state = replace(state, error=kept.fault)
    return replace(kept.watched, state=state, recent=row["recent"])


def _read(row: RowMapping) -> RowMapping:
    return row


_STATES = (
    select(
        states,
        schedules.c.revision.label("definition_revision"),
        tasks.c.id.label("task_id"),
        tasks.c.revision.label("task_revision"),
    )
    .select_from(
        states.join(schedules, states.c.schedule_id == schedules.c.id).join(tasks, schedules.c.task_id == tasks.c.id)
    )
    .where(schedules.c.deleted_at.is_(None))
)


def troubles(tx: Connection, since: datetime) -> list[Trouble]:
    """Return what went wrong from `since` on: of each schedule (or task) and kind of trouble the newest, oldest first.

    What ended before and was recorded since comes as a trouble of its own: a worker whose store was away keeps an end,
    and the time of it, until the store answers. Nothing else is recorded long after it happened: daemons and the main
    process of a worker read the clock anew when they try again.
    """
    ended = executions.c.finished_at >= since
    late = and_(executions.c.recorded_at >= since, executions.c.finished_at < since)
    found = [*_newest(tx, TROUBLE, ended), *_newest(tx, COALESCED, ended), *_newest(tx, TROUBLE, late)]
    return sorted(found, key=lambda trouble: (trouble.ended_at, trouble.execution))


def _newest(tx: Connection, *which: ColumnElement[bool] | TextClause) -> list[Trouble]:
    kind = (executions.c.schedule_id, executions.c.task_id, executions.c.state, executions.c.reason)
    groups = (unindexed(executions.c.schedule_id), *kind[1:])
    newest = (executions.c.finished_at.desc(), executions.c.id.desc())
    bad = (
        select(
            *kind,
            executions.c.id,
            executions.c.task,
            executions.c.attempt,
            executions.c.fire_time,
            executions.c.finished_at,
            executions.c.error,
            executions.c.worker,
            func.row_number().over(partition_by=groups, order_by=newest).label("place"),
            func.sum(executions.c.count).over(partition_by=groups).label("many"),
            func.min(executions.c.finished_at).over(partition_by=groups).label("first_at"),
        )
        .where(*which)
        .subquery()
    )
    last = and_(attempts.c.execution_id == bad.c.id, attempts.c.attempt == bad.c.attempt)
    query = select(bad, attempts.c.error_type).select_from(bad.outerjoin(attempts, last)).where(bad.c.place == 1)
    return [_trouble(row) for row in tx.execute(query).mappings()]


def started(tx: Connection) -> frozenset[int]:
    """Return the schedules that neither succeeded nor failed so far, and of which something has started.

    It runs, or is one of the last few that ended: cancelled after its start.
    """
    e = executions.c
    mine = e.schedule_id == states.c.schedule_id
    runs = select(e.id).where(mine, LIVE, e.started_at.is_not(None))
    last = select(e.started_at).where(mine, e.fire_time.is_not(None)).order_by(e.fire_time.desc()).limit(_FEW)
    begun = last.correlate(states).subquery()
    blank = (states.c.last_success_at.is_(None), states.c.last_failure_at.is_(None), states.c.runs > 0)
    ran = or_(runs.exists(), select(begun.c.started_at).where(begun.c.started_at.is_not(None)).exists())
    return frozenset(tx.scalars(select(states.c.schedule_id).where(*blank, ran)))


def task_successes(tx: Connection, found: Sequence[Trouble], living: Iterable[Living]) -> dict[int, datetime | None]:
    """Return when each live task whose function was not found last ended as one that was found, if it did since.

    That it ran into an error of its own, or its time limit, tells that it is there, as a success does.
    """
    since = {trouble.task_id: trouble.execution for trouble in found if trouble.unknown_task}
    for alert in living:
        task_id = task_of(alert.scope)
        if alert.kind is AlertKind.UNKNOWN_TASK and task_id is not None:
            since[task_id] = min(since.get(task_id, alert.evidence.execution or 0), alert.evidence.execution or 0)
    if not since:
        return {}
    lost = select(attempts.c.attempt).where(
        attempts.c.execution_id == executions.c.id, attempts.c.error_type == InvalidDefinition.__name__
    )
    own_error = and_(executions.c.state == State.FAILED, ~lost.exists())
    newest = (
        select(executions.c.finished_at)
        .where(
            executions.c.task_id == tasks.c.id,
            executions.c.id > min(since.values()),
            or_(executions.c.state.in_((State.SUCCEEDED, State.TIMED_OUT)), own_error),
        )
        .order_by(executions.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = select(tasks.c.id, newest).where(tasks.c.id.in_(list(since)), tasks.c.deleted_at.is_(None))
    return {row[0]: row[1] for row in tx.execute(query)}


def _trouble(row: RowMapping) -> Trouble:
    return Trouble(
        execution=row["id"],
        schedule_id=row["schedule_id"],
        task_id=row["task_id"],
        task=row["task"],
        state=State(row["state"]),
        reason=row["reason"],
        fire_time=row["fire_time"],
        ended_at=row["finished_at"],
        count=int(row["many"]),
        error=row["error"],
        error_type=row["error_type"],
        worker=row["worker"],
        first_at=row["first_at"],
    )
