"""Owns what the doctor reads of the store, in one short transaction. It never judges it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.domain.health.gap import Gap
from celsched.domain.health.machine_facts import ChannelHealth
from celsched.domain.health.watched import RuleBook, Watched
from celsched.operations.browse import Life, life_of
from celsched.operations.scope import Scope
from celsched.operations.standing import fire_times, standing
from celsched.settings import Settings
from celsched.store import alerts, checkup, definitions, instances, notices, pings
from celsched.store.alerts import StoredAlert
from celsched.store.checkup import Some
from celsched.store.definitions import StoredTask
from celsched.store.instances import Instance
from celsched.store.pings import Asking
from celsched.store.store import Tx
from celsched.store.watch_schedules import Roster

OVERDUE_AFTER = timedelta(seconds=30)
"""How long a daemon may be late at deciding a fire time."""
_UNSENT_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store says now. `missing_next`: active schedules that have a fire time to come and will not wake.

    `unread`: alerts that live and cannot be read; `lost`: likewise schedules.
    """

    now: datetime
    alive: Sequence[Instance]
    silent: Sequence[Instance]
    schedules: Sequence[Watched]
    tasks: Sequence[StoredTask]
    firing: Sequence[StoredAlert]
    unread: Sequence[Gap]
    lost: Sequence[Gap]
    overdue: Some
    missing_next: Sequence[str]
    unsent: Some
    waiting: Some
    deserted: Some
    channels: Mapping[str, ChannelHealth]
    pings: Sequence[Asking]

    def living(self, kind: str) -> list[Instance]:
        """Return the instances of a kind that are alive."""
        return [one for one in self.alive if one.kind == kind]

    @property
    def active(self) -> list[Watched]:
        """The schedules that have a fire time to come."""
        return [one for one in self.schedules if one.active and one.state.next_fire_time is not None]


def facts_of(scope: Scope, settings: Settings) -> Facts:
    """Read the facts; raise what the store raises."""
    now = scope.now()
    gone = now - 2 * settings.lease - settings.heartbeat
    roster = Roster(RuleBook(), scope.settings)

    def work(tx: Tx) -> Facts:
        known, unread, lost = instances.running(tx), list[Gap](), list[Gap]()
        life = {one.id: life_of(one, now, settings.heartbeat) for one in known}
        return Facts(
            now=now,
            alive=[one for one in known if life[one.id] is Life.ALIVE],
            silent=[one for one in known if life[one.id] is Life.SILENT],
            schedules=sorted(roster.look(tx, lost).values(), key=lambda one: one.name),
            tasks=definitions.all_tasks(tx),
            firing=[one for one in alerts.living(tx, unread) if one.state == alerts.OPEN],
            unread=unread,
            lost=lost,
            overdue=checkup.overdue(tx, now - OVERDUE_AFTER),
            missing_next=_missing_next(scope, tx, now),
            unsent=checkup.unsent(tx, now - _UNSENT_AFTER),
            waiting=checkup.waiting_for_nothing(tx, now - settings.lease),
            deserted=checkup.without_worker(tx, gone),
            channels={one.channel: one for one in notices.channel_health(tx)},
            pings=sorted(pings.asking(tx), key=lambda one: one.schedule),
        )

    return scope.store.read(work)


def _missing_next(scope: Scope, tx: Tx, now: datetime) -> list[str]:
    names = []
    for schedule in checkup.at_rest(tx):
        one = standing(scope, schedule, now)
        if one.subject is not None and next(fire_times(schedule, one.policies, one.subject), None) is not None:
            names.append(schedule.name)
    return names
