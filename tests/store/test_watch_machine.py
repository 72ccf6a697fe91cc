"""What the watcher reads of instances and of alerts that open again and again."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from celsched.domain.health.finding import Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.store import alerts, instances, watch_machine
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.store.tables_watch import instances as table
from tests.support.clock import ManualClock
from tests.support.stores import START

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def _come(store: Store, name: str, kind: str = "worker", queues: tuple[str, ...] = ("default",)) -> None:
    now = store.clock.now()
    one = Instance(name, kind, "ماشین", 1, name, "1", queues, 1, 0, now, now)
    store.write(lambda tx: instances.register(tx, one))


def _leave(store: Store, name: str) -> None:
    store.write(lambda tx: instances.leave(tx, name, store.clock.now()))


def test_who_has_not_stopped_is_told_with_queues_and_beat(store: Store, clock: ManualClock) -> None:
    _come(store, "w", queues=("a", "b"))
    _come(store, "d", "daemon")
    clock.advance(MINUTE)
    _leave(store, "d")

    found = store.read(lambda tx: watch_machine.everybody(tx, START))

    (worker,) = found.seen
    assert (worker.id, worker.kind, worker.host, worker.queues) == ("w", "worker", "ماشین", ["a", "b"])
    assert (worker.beat_at, worker.duplicates, worker.duplicate_at) == (START, 0, None)
    assert found.of("daemon") == []
    assert found.daemon_stopped_at == START + MINUTE


def test_a_worker_that_stopped_is_told_while_its_duplicates_are_news(store: Store, clock: ManualClock) -> None:
    _come(store, "w")
    store.write(lambda tx: tx.execute(update(table).values(duplicates=2, duplicate_at=START)))
    _leave(store, "w")

    assert [one.duplicates for one in store.read(lambda tx: watch_machine.everybody(tx, START - DAY)).seen] == [2]
    assert store.read(lambda tx: watch_machine.everybody(tx, START + MINUTE)).seen == []


def _settle(store: Store, findings: list[Finding]) -> None:
    living = store.read(alerts.known)
    store.write(lambda tx: alerts.settle(tx, findings, living, store.clock.now()))


def _flip(store: Store, clock: ManualClock, scope: str, times: int) -> None:
    finding = Finding(AlertKind.LATE_START, scope, Severity.WARNING, "گزارش", "late", START, queue="q")
    for _ in range(times):
        for findings in ([finding], []):
            clock.advance(MINUTE)
            _settle(store, findings)


def test_only_what_opened_often_is_told(store: Store, clock: ManualClock) -> None:
    _flip(store, clock, "schedule:1", 3)
    _flip(store, clock, "schedule:2", 2)

    (found,) = store.read(lambda tx: watch_machine.openings(tx, START, 2))

    assert (found.fingerprint, found.subject, found.queue) == ("late_start:schedule:1", "گزارش", "q")
    assert found.at == tuple(START + number * MINUTE for number in (1, 3, 5))


def test_what_is_asked_for_is_told_with_what_it_opened_since(store: Store, clock: ManualClock) -> None:
    _flip(store, clock, "schedule:1", 3)
    asked = ["late_start:schedule:1", "late_start:schedule:9"]

    (found,) = store.read(lambda tx: watch_machine.openings(tx, START + 5 * MINUTE, 2, asked))

    assert found.at == (START + 5 * MINUTE,)
    assert store.read(lambda tx: watch_machine.openings(tx, START + 6 * MINUTE, 2, asked)) == []


@pytest.mark.parametrize(("severity", "flaps"), [(Severity.INFO, 0), (Severity.CRITICAL, 1)])
def test_information_about_coalesced_fire_times_does_not_flap(
    store: Store, clock: ManualClock, severity: Severity, flaps: int
) -> None:
    finding = Finding(AlertKind.MISSED, "schedule:1", severity, "s", "coalesced", START)
    for _ in range(3):
        for findings in ([finding], []):
            clock.advance(MINUTE)
            _settle(store, findings)

    assert len(store.read(lambda tx: watch_machine.openings(tx, START, 2))) == flaps


def test_flapping_itself_never_flaps(store: Store, clock: ManualClock) -> None:
    finding = Finding(AlertKind.FLAPPING, "late_start:schedule:1", Severity.WARNING, "s", "flaps", START)
    store.write(lambda tx: alerts.settle(tx, [finding], [], clock.now()))

    assert store.read(lambda tx: watch_machine.openings(tx, START, 0)) == []
