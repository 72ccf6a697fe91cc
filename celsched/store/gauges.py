"""Owns what a scrape reads of executions, schedules, alerts and messages, already counted. It never judges or keeps it.

Each query is bounded: it reads what has not ended, or at most `NEWEST` rows of what ended lately.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Float, and_, case, cast, extract, func, literal, select

from celsched.domain.execution import State
from celsched.domain.report import TIMED
from celsched.store.alerts import OPEN
from celsched.store.notices import FAILED, GIVE_UP, PENDING
from celsched.store.slices import difference, position
from celsched.store.tables import LIVE, executions, states
from celsched.store.tables_watch import LIVING, alerts, notifications

NEWEST = 5_000
"""So many of the newest ended executions are read, whatever the hour held."""
LATELY, STARTS = timedelta(hours=1), timedelta(minutes=5)
"""How far back executions are read that ended, and those that started."""


@dataclass(frozen=True, slots=True)
class LiveGroup:
    """Executions that have not ended and are alike.

    `due`: ready to start, not waiting for another one's end; `refused`: the broker did not take the last message (for
    the moment until it is sent anew, so does one seem that gave way to another and was released).
    """

    state: State
    queue: str
    due: bool
    refused: bool
    count: int
    oldest: datetime
    """The first `dispatch_at`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended within `LATELY`, of the newest `NEWEST`. `reach`: how far back that is, in seconds.

    `durations` are of last attempts that came to an end of their own; `late` from due to the first start.
    """

    states: dict[State, int]
    durations: Sequence[float]
    late: Sequence[float]
    reach: float


@dataclass(frozen=True, slots=True)
class Channel:
    """What is to be sent through a channel, what of it was refused before, and what was given up within a day."""

    name: str
    pending: int
    refused: int
    given_up: int
    oldest: datetime | None


def live(tx: Connection, now: datetime) -> list[LiveGroup]:
    """Return everything that has not ended."""
    e = executions.c
    due = case((and_(e.dispatch_at <= now, e.waits.is_(False)), 1), else_=0)
    refused = case((and_(e.publishes > 0, e.sends == 0), 1), else_=0)
    keys = (e.state, func.coalesce(e.queue_name, ""), due, refused)
    query = select(*keys, func.count(), func.min(e.dispatch_at)).where(LIVE).group_by(*map(position, range(1, 5)))
    return [
        LiveGroup(State(state), queue, bool(due), bool(refused), count, oldest)
        for state, queue, due, refused, count, oldest in tx.execute(query)
    ]


def ended(tx: Connection, now: datetime) -> Ended:
    """Return what ended lately, and how late the starts of the last minutes were, running ones too."""
    e = executions.c
    late = case((e.started_at >= now - STARTS, _seconds(tx, e.started_at, e.due_at)))
    took = case((e.state.in_(tuple(sorted(TIMED))), _seconds(tx, e.finished_at, e.attempt_started_at)))
    query = select(e.state, took, late, e.finished_at).where(e.finished_at >= now - LATELY)
    rows = tx.execute(query.order_by(e.finished_at.desc()).limit(NEWEST)).all()
    counts: dict[State, int] = {}
    for state, *_ in rows:
        counts[State(state)] = counts.get(State(state), 0) + 1
    started = select(_seconds(tx, e.started_at, e.due_at)).where(LIVE, e.started_at >= now - STARTS).limit(NEWEST)
    running = [max(value, 0.0) for value in tx.scalars(started)]
    full = len(rows) == NEWEST
    return Ended(
        states=counts,
        durations=[max(took, 0.0) for _, took, _, _ in rows if took is not None],
        late=[max(late, 0.0) for _, _, late, _ in rows if late is not None] + running,
        reach=(now - rows[-1][3] if full else LATELY).total_seconds(),
    )


def _seconds(tx: Connection, end: Any, start: Any) -> Any:
    if tx.dialect.name == "sqlite":
        return difference(tx, end, start) / literal(1e6, Float())
    return cast(extract("epoch", difference(tx, end, start)), Float(53))


def undecided(tx: Connection, now: datetime) -> tuple[int, datetime | None]:
    """Return how many schedules are due and not decided, and since when the first of them is."""
    wake_at = states.c.wake_at
    count, first = tx.execute(select(func.count(), func.min(wake_at)).where(wake_at <= now)).one()
    return int(count), first


def firing(tx: Connection) -> dict[tuple[str, str], int]:
    """Return how many alerts are open, by kind and severity."""
    keys = (alerts.c.kind, alerts.c.severity)
    query = select(*keys, func.count()).where(LIVING, alerts.c.state == OPEN).group_by(*keys)
    return {(kind, severity): count for kind, severity, count in tx.execute(query)}


def channels(tx: Connection, now: datetime) -> list[Channel]:
    """Return every channel that has had a message lately."""
    n = notifications.c
    pending = n.state == PENDING
    # A message is given up when it is a day old.
    given_up = and_(n.state == FAILED, n.created_at >= now - 2 * GIVE_UP)
    query = select(
        n.channel,
        func.count(case((pending, 1))),
        func.count(case((and_(pending, n.failures > 0), 1))),
        func.count(case((given_up, 1))),
        func.min(case((pending, n.created_at))),
    )
    return [Channel(*row) for row in tx.execute(query.group_by(n.channel).order_by(n.channel))]
