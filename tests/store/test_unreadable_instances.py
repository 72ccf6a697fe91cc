"""Instances, silences, messages and tasks that cannot be read: nobody is taken for dead, and none of them is silent."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import bindparam, select, text, update

from celsched.domain.execution import Requester
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import RuleBook
from celsched.domain.silencing import Matchers
from celsched.monitor.check import CheckResult, Watcher
from celsched.monitor.deliver import Courier, Plan, Planner
from celsched.monitor.watchers import WatcherCheck
from celsched.operations.scope import Scope
from celsched.store import alerts, silences, watch_work
from celsched.store.presence import Presence
from celsched.store.store import Store
from celsched.store.tables_watch import instances
from celsched.store.tables_watch import silences as silences_table
from celsched.store.types import Instant
from tests.store.messages import find, message, queue, settle
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, task_named
from tests.support.stores import clock_of

K = AlertKind
HEARTBEAT = timedelta(seconds=10)
_BEAT = text("UPDATE instances SET beat_at = :now").bindparams(bindparam("now", type_=Instant()))
"""Without a look at the rows: some cannot be read."""


def _beside_an_instance(store: Store, scope: Scope, kind: str) -> CheckResult:
    """Let daemon and worker live, one of them become unreadable, and look with one that looked before."""
    clock = clock_of(store)
    add_schedule(scope, "گزارش", every=timedelta(hours=1))
    for each in ("daemon", "worker"):
        Presence(store, clock, each, every=HEARTBEAT).beat()
    queues = text("UPDATE instances SET queues = :queues WHERE kind = 'worker'")
    store.write(lambda tx: tx.execute(queues, {"queues": '["default"]'}))
    watcher = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})
    assert (list(watcher.run_once().firing), list(watcher.run_once().gaps)) == ([], [])
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    spoilt = text("UPDATE instances SET duplicate_at = :far WHERE kind = :kind")
    store.write(lambda tx: tx.execute(spoilt, {"far": far, "kind": kind}))
    for _ in range(20):
        clock.advance(HEARTBEAT)
        store.write(lambda tx: tx.execute(_BEAT, {"now": clock.now()}))
        result = watcher.run_once()
    return result


@pytest.mark.parametrize(("kind", "blind"), [("daemon", {"daemon_down"}), ("worker", {"no_worker", "dup_delivery"})])
def test_an_instance_that_cannot_be_read_is_not_judged_dead_and_is_told(
    store: Store, scope: Scope, kind: str, blind: set[str]
) -> None:
    result = _beside_an_instance(store, scope, kind)
    assert [one.fingerprint for one in result.firing] == []
    number = store.read(lambda tx: tx.scalars(select(instances.c.id).where(instances.c.kind == kind)).one())
    assert {gap.place for gap in result.gaps} == {f"read instance {number}", *(f"judge {one}" for one in blind)}


def test_beside_a_daemon_that_lives_one_that_cannot_be_read_keeps_nothing_open(store: Store, scope: Scope) -> None:
    _beside_an_instance(store, scope, "daemon")
    settle(store, find(K.DAEMON_DOWN, "all", since=store.clock.now()))
    Presence(store, store.clock, "daemon", every=HEARTBEAT).beat()
    result = Watcher(store, store.clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={}).run_once()
    assert [one.kind for one in result.firing] == []


def test_a_stopped_instance_that_cannot_be_read_hides_nothing(store: Store, clock: ManualClock, scope: Scope) -> None:
    _beside_an_instance(store, scope, "daemon")
    stopped = update(instances).where(instances.c.kind == "daemon").values(stopped_at=clock.now())
    store.write(lambda tx: tx.execute(stopped))
    clock.advance(4 * HEARTBEAT)
    result = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={}).run_once()
    assert K.DAEMON_DOWN in {one.kind for one in result.firing}


def test_the_daemon_does_not_take_a_watcher_that_it_cannot_read_for_dead(store: Store, clock: ManualClock) -> None:
    for _ in range(2):
        Presence(store, clock, "watcher", every=HEARTBEAT).beat()
    check = WatcherCheck(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT)
    one = store.read(lambda tx: tx.scalars(select(instances.c.id)).first())
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    spoilt = text("UPDATE instances SET duplicate_at = :far WHERE id = :id")
    store.write(lambda tx: tx.execute(spoilt, {"far": far, "id": one}))
    for _ in range(30):  # the other one dies meanwhile
        check.run_once()
        clock.advance(HEARTBEAT)
    assert store.read(alerts.firing) == []


def test_a_silence_and_a_message_that_cannot_be_read_are_gaps(store: Store, clock: ManualClock) -> None:
    now, by = clock.now(), Requester("سارا", "laptop")
    store.write(lambda tx: silences.add(tx, Matchers(subject="x"), (now, now + HEARTBEAT), by, "bad", now))
    store.write(lambda tx: tx.execute(update(silences_table).values(matchers=["kinds"])))
    planner = Planner(store, clock, Plan((), ZoneInfo("UTC"), timedelta(days=30)))
    planner.run_once()
    assert planner.gaps == "could not read silence 1"
    queue(store, message())
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    store.write(lambda tx: tx.execute(text("UPDATE notifications SET created_at = :far"), {"far": far}))
    courier = Courier(store, clock, "mail", lambda _: None, fault=lambda _: None)
    assert not courier.run_once()
    assert [gap.place for gap in courier.gaps] == ["read message 1"]


def test_a_task_that_cannot_be_read_is_a_gap(store: Store, clock: ManualClock, scope: Scope) -> None:
    add_schedule(scope, "گزارش", task="of گزارش", every=timedelta(hours=1))
    number = task_named(store, "of گزارش").id
    gaps: list[Gap] = []
    if not store.dialect.row_locks:  # PostgreSQL refuses such a text itself
        store.write(lambda tx: tx.execute(text("UPDATE task_definitions SET options = '{no json'")))
    store.read(lambda tx: watch_work.task_layers(tx, [number], gaps))
    assert [gap.place for gap in gaps] == ([] if store.dialect.row_locks else [f"read task {number}"])
