"""Owns what the watcher reads of daemons and other instances. It never judges."""

from sqlalchemy import Connection, func, select

from celsched.domain.health.machine_facts import MachineFacts
from celsched.store.tables import schedules, states
from celsched.store.tables_watch import instances


def facts(tx: Connection) -> MachineFacts:
    """Look at who was heard of."""
    daemons = instances.c.kind == "daemon"
    return MachineFacts(
        active_schedules=active_schedules(tx),
        daemon_beat_at=tx.scalar(
            select(func.max(instances.c.beat_at)).where(daemons, instances.c.stopped_at.is_(None))
        ),
        daemon_stopped_at=tx.scalar(select(func.max(instances.c.stopped_at)).where(daemons)),
    )


def active_schedules(tx: Connection) -> int:
    """Return how many live schedules have a fire time to come."""
    active = tx.scalar(
        select(func.count())
        .select_from(states.join(schedules, states.c.schedule_id == schedules.c.id))
        .where(schedules.c.deleted_at.is_(None), states.c.wake_at.is_not(None))
    )
    return int(active or 0)
