"""What people do to alerts, on both databases: guarded, once, and respected by the next look of a watcher."""

from datetime import datetime, timedelta

import pytest

from celsched.domain.execution import Execution
from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.operations.scope import Scope
from celsched.store import alert_desk, alerts
from celsched.store.alert_desk import AlertFilter
from celsched.store.alerts import StoredAlert
from celsched.store.store import Store, Tx
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule
from tests.support.stores import START

NAME = "پاکسازی"
HOUR = timedelta(hours=1)


def finding(kind: AlertKind = AlertKind.OVERDUE, scope: str = "schedule:1", **values: object) -> Finding:
    blank: dict[str, object] = {"subject": NAME, "summary": "x", "since": START, "severity": Severity.CRITICAL}
    return Finding(kind, scope, **(blank | values))  # type: ignore[arg-type]


def settle(store: Store, *findings: Finding, now: datetime = START) -> None:
    def work(tx: Tx) -> None:
        alerts.settle(tx, findings, alerts.known(tx), now)

    store.write(work)


def listed(store: Store, wanted: AlertFilter | None = None) -> list[StoredAlert]:
    return store.read(lambda tx: alert_desk.listing(tx, wanted or AlertFilter(states=()), 100))


def test_an_acknowledgement_is_the_first_ones_and_outlives_looks(store: Store) -> None:
    settle(store, finding())
    assert store.write(lambda tx: alert_desk.acknowledge(tx, 1, "سارا", "نگاه می‌کنم", START))
    assert not store.write(lambda tx: alert_desk.acknowledge(tx, 1, "علی", None, START))
    settle(store, finding(summary="y"), now=START + HOUR)
    (found,) = listed(store)
    assert (found.acknowledged_by, found.note, found.summary, found.state) == ("سارا", "نگاه می‌کنم", "y", "open")


def test_what_is_pending_or_resolved_can_be_neither_acknowledged_nor_resolved(store: Store) -> None:
    settle(store, finding(hold=HOUR))
    assert not store.write(lambda tx: alert_desk.acknowledge(tx, 1, "سارا", None, START))
    assert not store.write(lambda tx: alert_desk.resolve(tx, 1, "سارا", "x", START))
    settle(store, finding(hold=HOUR), now=START + HOUR)
    assert store.write(lambda tx: alert_desk.resolve(tx, 1, "سارا", "درست شد", START + HOUR))
    assert not store.write(lambda tx: alert_desk.resolve(tx, 1, "علی", "y", START + HOUR))
    (found,) = listed(store)
    assert (found.state, found.resolved_by, found.note) == ("resolved", "سارا", "درست شد")


@pytest.mark.parametrize(("kind", "comes_back"), [(AlertKind.OVERDUE, True), (AlertKind.MISSED, False)])
def test_what_is_so_now_comes_back_and_an_event_does_not(store: Store, kind: AlertKind, comes_back: bool) -> None:
    settle(store, finding(kind, event_at=START))
    assert store.write(lambda tx: alert_desk.resolve(tx, 1, "سارا", "x", START + HOUR))
    settle(store, finding(kind, event_at=START), now=START + 2 * HOUR)
    assert [one.state for one in listed(store, AlertFilter())] == (["open"] if comes_back else [])
    settle(store, finding(kind, event_at=START + 3 * HOUR), now=START + 3 * HOUR)
    assert [one.state for one in listed(store, AlertFilter())] == ["open"]


def test_lists_and_counts_are_narrowed(store: Store) -> None:
    settle(
        store, finding(), finding(AlertKind.DST_AHEAD, severity=Severity.INFO), finding(scope="schedule:2", subject="b")
    )
    store.write(lambda tx: alert_desk.acknowledge(tx, 1, "سارا", None, START))
    assert len(listed(store)) == 3
    assert [one.subject for one in listed(store, AlertFilter(subject="b"))] == ["b"]
    assert [one.kind for one in listed(store, AlertFilter(kinds=[AlertKind.DST_AHEAD]))] == ["dst_ahead"]
    assert len(listed(store, AlertFilter(severity=Severity.WARNING))) == 2
    settle(store, finding(), now=START + HOUR)
    assert len(listed(store, AlertFilter(states=(), since=START + 2 * HOUR))) == 1
    found = {one.kind: one for one in store.read(lambda tx: alert_desk.tallies(tx, AlertFilter(states=())))}
    overdue = found[AlertKind.OVERDUE]
    assert (overdue.open, overdue.acknowledged, overdue.resolved, overdue.oldest) == (1, 1, 1, START)
    assert (found[AlertKind.DST_AHEAD].open, found[AlertKind.DST_AHEAD].oldest) == (0, None)


def test_an_alert_is_found_by_the_fire_time_or_the_execution_that_raised_it(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    made = add_schedule(scope, NAME, cron="* * * * *").id
    clock.advance(timedelta(minutes=1))
    actors.scan(store)
    row = actors.all_executions(store)[-1]
    settle(
        store,
        finding(AlertKind.MISSED, schedule_id=made, evidence=Evidence(fire_time=START, execution=row.id + 1)),
        finding(AlertKind.FAILED, schedule_id=made, evidence=Evidence(fire_time=START + HOUR, execution=row.id)),
    )

    def told(fire_time: datetime | None, row: Execution | None) -> list[AlertKind]:
        return [one.kind for one in store.read(lambda tx: alert_desk.about_fire_time(tx, made, fire_time, row))]

    assert told(START, None) == [AlertKind.MISSED]
    assert told(None, row) == [AlertKind.FAILED]
    assert told(START + 2 * HOUR, None) == []
