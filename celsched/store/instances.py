"""Owns running daemons, workers and watchers, and their heartbeats. It never says what silence means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, insert, literal, select, update

from celsched.store.tables_watch import instances
from celsched.store.types import Instant


@dataclass(frozen=True, slots=True)
class Instance:
    """One running (or stopped) process of ours. `id` is unique for each start of each process on each machine."""

    id: str
    kind: str
    host: str
    pid: int
    name: str
    version: str
    queues: Sequence[str]
    capacity: int
    busy: int
    started_at: datetime
    beat_at: datetime
    stopped_at: datetime | None = None
    note: str | None = None


_COLUMNS = [instances.c[name] for name in Instance.__slots__]


def register(tx: Connection, instance: Instance) -> None:
    """Record an instance that has just started; again with the same id renews it."""
    values = {name: getattr(instance, name) for name in Instance.__slots__} | {"queues": list(instance.queues)}
    done = tx.execute(update(instances).where(instances.c.id == instance.id).values(values))
    if not done.rowcount:
        tx.execute(insert(instances).values(values))


def beat(
    tx: Connection, instance_id: str, now: datetime, *, busy: int = 0, note: str | None = None, duplicates: int = 0
) -> bool:
    """Say that the instance lives; return False where its row is gone (then register again).

    `duplicates`: how many messages it has refused so far because another had claimed their attempt.
    """
    values: dict[str, Any] = {"beat_at": now, "busy": busy, "note": note, "stopped_at": None}
    if duplicates:
        i = instances.c
        values["duplicates"] = duplicates
        values["duplicate_at"] = case((i.duplicates != duplicates, literal(now, Instant())), else_=i.duplicate_at)
    done = tx.execute(update(instances).where(instances.c.id == instance_id).values(values))
    return bool(done.rowcount == 1)


def leave(tx: Connection, instance_id: str, now: datetime) -> None:
    """Record a clean stop."""
    tx.execute(update(instances).where(instances.c.id == instance_id).values(stopped_at=now, busy=0))


def running(tx: Connection, kind: str | None = None) -> list[Instance]:
    """Return every instance that has not said that it stopped, newest beat first; whether it lives is not judged."""
    query = select(*_COLUMNS).where(instances.c.stopped_at.is_(None))
    if kind is not None:
        query = query.where(instances.c.kind == kind)
    return [Instance(**row) for row in tx.execute(query.order_by(instances.c.beat_at.desc())).mappings()]


def listing(tx: Connection, limit: int) -> list[Instance]:
    """Return instances, newest beat first, stopped ones too."""
    query = select(*_COLUMNS).order_by(instances.c.beat_at.desc()).limit(limit)
    return [Instance(**row) for row in tx.execute(query).mappings()]


def forget(tx: Connection, before: datetime, keep: timedelta = timedelta(days=7)) -> int:
    """Delete instances not heard of since `before` - `keep`; nothing refers to them. Return how many."""
    return tx.execute(delete(instances).where(instances.c.beat_at < before - keep)).rowcount
