"""Owns what the watcher reads of daemons and other instances, and of how often alerts opened. It never judges."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, not_, or_, select, union_all

from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.machine_facts import Openings, Seen
from celsched.store.batches import batches
from celsched.store.readable import readable
from celsched.store.tables import schedules, states
from celsched.store.tables_watch import LIVING, alerts, instances


@dataclass(frozen=True, slots=True)
class Unread:
    """An instance that has not stopped and of which no more than this can be read: it may live."""

    id: str
    kind: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Instances:
    """Who has not stopped, and workers that were handed something twice; for how long they are silent is not judged."""

    seen: list[Seen]
    daemon_stopped_at: datetime | None
    watcher_stopped_at: datetime | None
    unread: Sequence[Unread] = ()

    def of(self, kind: str) -> list[Seen]:
        """Return those of a kind."""
        return [one for one in self.seen if one.kind == kind]


def everybody(tx: Connection, duplicates_since: datetime, gaps: list[Gap] | None = None) -> Instances:
    """Return the instances that a look is about, newest beat first; those that cannot be read go to `gaps` too."""
    i = instances.c
    columns = (i.id, i.kind, i.host, i.name, i.beat_at, i.queues, i.stopped_at, i.duplicates, i.duplicate_at)
    query = select(*columns).where(or_(i.stopped_at.is_(None), i.duplicate_at >= duplicates_since))
    lost: list[Gap] = []
    seen = readable(tx, query.order_by(i.beat_at.desc()), i.id, "instance", lambda row: Seen(**row), lost)
    if gaps is not None:
        gaps += lost
    last = select(i.kind, func.max(i.stopped_at)).where(i.kind.in_(("daemon", "watcher"))).group_by(i.kind)
    stopped = {row[0]: row[1] for row in tx.execute(last)}
    return Instances(seen, stopped.get("daemon"), stopped.get("watcher"), _running(tx, lost) if lost else ())


def _running(tx: Connection, lost: Iterable[Gap]) -> list[Unread]:
    errors = {str(gap.key): gap.error for gap in lost}
    i, found = instances.c, list[Unread]()
    for part in batches(errors):
        rows = tx.execute(select(i.id, i.kind).where(i.id.in_(part), i.stopped_at.is_(None)))
        found += [Unread(row.id, row.kind, errors[row.id]) for row in rows]
    return found


def active_schedules(tx: Connection) -> int:
    """Return how many live schedules have a fire time to come."""
    active = tx.scalar(
        select(func.count())
        .select_from(states.join(schedules, states.c.schedule_id == schedules.c.id))
        .where(schedules.c.deleted_at.is_(None), states.c.wake_at.is_not(None))
    )
    return int(active or 0)


def openings(tx: Connection, since: datetime, more_than: int, also: Iterable[str] = ()) -> list[Openings]:
    """Return the openings since then of each fingerprint that had more than so many, and of those named besides."""
    a = alerts.c
    # Fire times that were coalesced again and again are the work of whoever restarts everything: daemon_down tells it.
    informs = and_(a.kind == AlertKind.MISSED.value, a.severity == Severity.INFO.value)
    counted = and_(a.opened_at >= since, a.kind != AlertKind.FLAPPING.value, not_(informs))
    # Each half has an index of its own: what opened since then is still open, or was resolved since then.
    halves = (select(a.fingerprint).where(counted, condition) for condition in (a.resolved_at >= since, LIVING))
    lately = union_all(*halves).subquery()
    often = select(lately.c.fingerprint).group_by(lately.c.fingerprint).having(func.count() > more_than)
    wanted = sorted({*tx.execute(often).scalars(), *also})
    columns = (a.fingerprint, a.subject, a.schedule_id, a.queue, a.labels, a.opened_at)
    found: dict[str, Openings] = {}
    for batch in batches(wanted):
        part = a.fingerprint.in_(batch)
        for row in tx.execute(select(*columns).where(part, a.opened_at >= since).order_by(a.id)):
            before = found[row.fingerprint].at if row.fingerprint in found else ()
            at = (*before, row.opened_at)
            found[row.fingerprint] = Openings(
                row.fingerprint, row.subject, at, row.schedule_id, row.queue, row.labels or {}
            )
    return list(found.values())
