"""Owns silences in the store. It never decides what they match."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from celsched.domain.execution import Requester
from celsched.domain.health.gap import Gap
from celsched.domain.silencing import Matchers, Silence, decode_matchers, encode_matchers
from celsched.store.readable import readable
from celsched.store.tables_watch import silences


def _record(row: Any) -> Silence:
    return Silence(**{name: row[name] for name in Silence.__slots__} | {"matchers": decode_matchers(row["matchers"])})


def _all(tx: Connection, query: Any, gaps: list[Gap] | None = None) -> list[Silence]:
    """Return silences; one that cannot be read silences nothing, and is added to `gaps`."""
    return readable(tx, query.order_by(silences.c.id), silences.c.id, "silence", _record, gaps)


def add(
    tx: Connection, matchers: Matchers, during: tuple[datetime, datetime], by: Requester, reason: str, now: datetime
) -> Silence:
    """Store a silence from the first instant up to the second, and return it."""
    values = {
        "matchers": encode_matchers(matchers),
        "starts_at": during[0],
        "ends_at": during[1],
        "author": by.user,
        "host": by.host,
        "reason": reason,
        "created_at": now,
    }
    made = tx.execute(insert(silences).values(values).returning(silences.c.id)).scalar_one()
    return _record({"id": made, **values})


def made_at(tx: Connection, by: Requester, created_at: datetime) -> list[Silence]:
    """Return what somebody made at this instant, to the microsecond."""
    mine = (silences.c.created_at == created_at, silences.c.author == by.user, silences.c.host == by.host)
    return _all(tx, select(silences).where(*mine))


def active(tx: Connection, now: datetime, gaps: list[Gap] | None = None) -> list[Silence]:
    """Return those in force; those that cannot be read are added to `gaps`."""
    return _all(tx, select(silences).where(silences.c.starts_at <= now, silences.c.ends_at > now), gaps)


def not_ended(tx: Connection, now: datetime) -> list[Silence]:
    """Return those in force and those to come."""
    return _all(tx, select(silences).where(silences.c.ends_at > now))


def every(tx: Connection) -> list[Silence]:
    """Return all, the ended ones too, as long as they are kept."""
    return _all(tx, select(silences))


def find(tx: Connection, ids: Iterable[int]) -> dict[int, Silence]:
    """Return those of these ids that there are."""
    return {one.id: one for one in _all(tx, select(silences).where(silences.c.id.in_(list(ids))))}


def end(tx: Connection, silence_id: int, now: datetime) -> bool:
    """End a silence now, or take back one that has not begun; return whether there was one that had not ended."""
    done = tx.execute(update(silences).where(silences.c.id == silence_id, silences.c.ends_at > now).values(ends_at=now))
    return bool(done.rowcount == 1)


def forget(tx: Connection, before: datetime) -> int:
    """Remove those that ended before; return how many."""
    return tx.execute(delete(silences).where(silences.c.ends_at < before)).rowcount
