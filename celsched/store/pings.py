"""Owns the queueing of pings for schedules that ask for them, from what the ledger says. It never sends one.

It looks from a cursor on, with an overlap for commits that came late; a ping has an incident, so none is queued twice.
After a longer break it begins anew: who watches outside has noticed the silence, and old pings would end it wrongly.
An end that reached the store long after it happened is pinged then, unless a newer execution has ended meanwhile.
Where pings wait because the other side does not answer a newer end overtakes them: hours of old ones would tell what is
wrong now after all of them, and services limit how many they take.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, exists, not_, or_, select, update

from celsched.domain.execution import State
from celsched.domain.health.kinds import Severity
from celsched.domain.health.rules import PING
from celsched.domain.health.words import error_line
from celsched.store.batches import batches
from celsched.store.dialect import dialect_of, unindexed
from celsched.store.notices import PING as CHANNEL
from celsched.store.notices import STALE, Message, enqueue, group_of
from celsched.store.tables import LIVE, executions, meta, schedules, tasks
from celsched.store.tables_watch import TO_SEND, notifications

_CURSOR = "pings_until"
_OVERLAP = timedelta(minutes=2)
_LONGEST = timedelta(hours=1)
"""How far back it looks at most."""
_FAILED = (State.FAILED, State.TIMED_OUT, State.LOST, State.EXPIRED)
_START, _FAIL = "start", "fail"
_SIGNALS = {State.SUCCEEDED: "success"} | dict.fromkeys(_FAILED, _FAIL)
_SENT_BY_THEN = timedelta(minutes=1)
"""After so long a ping has been sent where the other side answers."""


def queue_pings(tx: Connection, names: Collection[str], now: datetime) -> int:
    """Queue what began and ended since the last look; return how many pings. `names` are those that are configured."""
    text = tx.scalar(select(meta.c.value).where(meta.c.key == _CURSOR))
    queued = 0
    if text is not None:
        since = max(min(datetime.fromisoformat(text), now) - _OVERLAP, now - _LONGEST)
        asked = {one.schedule_id: one.ping for one in asking(tx) if one.ping in names}
        ids = sorted(asked)
        for batch in batches(ids):
            for row in _happened(tx, batch, since):
                queued += sum(_queue(tx, ping, now) for ping in _pings(row, asked[row.schedule_id], since))
    dialect = dialect_of(tx)
    made = dialect.insert(meta).values(key=_CURSOR, value=now.isoformat())
    tx.execute(made.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": now.isoformat()}))
    return queued


@dataclass(frozen=True, slots=True)
class Asking:
    """A schedule that asks for a ping, by the ping's name among the settings."""

    schedule_id: int
    schedule: str
    ping: str


def asking(tx: Connection) -> Iterator[Asking]:
    """Yield every schedule that asks for a ping, by itself, its task or their defaults."""
    layers = (tasks.c.defaults, schedules.c.defaults, tasks.c.options, schedules.c.options)  # weakest first
    query = (
        select(schedules.c.id, schedules.c.name, *layers)
        .join_from(schedules, tasks, schedules.c.task_id == tasks.c.id)
        .where(schedules.c.deleted_at.is_(None), or_(*(cast(layer, Text).like(f'%"{PING}"%') for layer in layers)))
    )
    for schedule_id, schedule, *said in tx.execute(query):
        asked = [name for layer in said if isinstance(name := (layer.get("alerts") or {}).get(PING), str)]
        if asked:
            yield Asking(schedule_id, schedule, asked[-1])


def _queue(tx: Connection, ping: Message, now: datetime) -> bool:
    made = enqueue(tx, ping, now)
    if made and ping.details["signal"] != _START:
        _overtake(tx, ping, now)
    return made


def _overtake(tx: Connection, newer: Message, now: datetime) -> None:
    """Drop what waits before an end and was never tried; of failures only where it is another one."""
    n = notifications.c
    mine = n.incident.startswith(f"{group_of(newer.incident)}#", autoescape=True)
    waits = (TO_SEND, unindexed(n.channel) == newer.channel, mine, n.tries == 0, n.created_at < now - _SENT_BY_THEN)
    spared = () if newer.details["signal"] == _FAIL else (not_(n.title.startswith(f"{_FAIL}: ")),)
    tx.execute(update(notifications).where(*waits, *spared).values(state=STALE))


def _happened(tx: Connection, ids: list[int], since: datetime) -> list[Any]:
    columns = (
        executions.c[name] for name in ("id", "schedule_id", "schedule", "state", "started_at", "finished_at", "error")
    )
    query = select(*columns).order_by(unindexed(executions.c.id))
    # By when they ended, not by the index of their schedules: that holds all that these ever ran.
    lately = (unindexed(executions.c.schedule_id).in_(ids), executions.c.finished_at > since)
    ended = list(tx.execute(query.where(*lately)))
    late = (unindexed(executions.c.schedule_id).in_(ids), executions.c.recorded_at > since)
    ended += tx.execute(query.where(*late, executions.c.finished_at <= since, not_(_outdated())))
    running = tx.execute(query.where(executions.c.schedule_id.in_(ids), LIVE, executions.c.started_at > since)).all()
    return [*ended, *running]


def _outdated() -> ColumnElement[bool]:
    """Whether a newer execution of the schedule ended later: the older one's ping would come last and undo its ping."""
    newer = executions.alias("newer")
    # By when they ended here too: those are few, what the schedule ever ran may be millions.
    return exists().where(
        unindexed(newer.c.schedule_id) == executions.c.schedule_id,
        unindexed(newer.c.id) > executions.c.id,
        newer.c.finished_at > executions.c.finished_at,
        newer.c.state.in_(_SIGNALS),
    )


def _pings(row: Any, name: str, since: datetime) -> Iterator[Message]:
    if row.started_at is not None and row.started_at > since:
        yield _ping(row, name, _START)
    signal = _SIGNALS.get(State(row.state))
    if signal is not None:
        yield _ping(row, name, signal)


def _ping(row: Any, name: str, signal: str) -> Message:
    body = f"execution {row.id} of '{row.schedule}': {row.state if signal != _START else 'started'}"
    last = error_line(row.error) if signal == _FAIL else None
    body += f"\n{last}" if last else ""
    incident = f"{row.schedule_id}#{row.id}.{_START if signal == _START else 'end'}"
    return Message(f"{CHANNEL}{name}", incident, Severity.INFO, f"{signal}: '{row.schedule}'", body, {"signal": signal})
