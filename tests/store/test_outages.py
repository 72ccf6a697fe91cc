"""The row of an outage, open once the store answers and then over: one per outage and host, whoever writes it."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import text

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.store import alert_desk, outages
from celsched.store.alert_desk import AlertFilter
from celsched.store.alerts import OPEN, RESOLVED, StoredAlert
from celsched.store.store import Store
from tests.store.messages import plan
from tests.support.stores import START
from tests.support.waiting import wait_until

MINUTE = timedelta(minutes=1)


def outage(since: datetime = START, length: timedelta = 5 * MINUTE, host: str = "a") -> Alert:
    return Alert(
        id=0,
        fingerprint=f"store_down:host:{host}",
        kind=AlertKind.STORE_DOWN,
        severity=Severity.CRITICAL,
        open=False,
        subject="store",
        summary="the store could not be reached",
        since=since,
        opened_at=since + timedelta(seconds=15),
        resolved_at=since + length,
        evidence={"command": "celsched doctor"},
    )


def record(store: Store, one: Alert) -> bool:
    return store.write(lambda tx: outages.record(tx, one, store.clock.now()))


def listed(store: Store) -> list[StoredAlert]:
    every = AlertFilter(states=())
    return list(reversed(store.read(lambda tx: alert_desk.listing(tx, every, 100))))


def test_it_is_in_the_history_resolved_and_no_message_tells_of_it_again(store: Store) -> None:
    assert record(store, outage())
    (row,) = listed(store)
    assert (row.state, row.opened_at, row.resolved_at) == (RESOLVED, START + timedelta(seconds=15), START + 5 * MINUTE)
    assert (row.since, row.evidence.command) == (START, "celsched doctor")
    assert plan(store) == 0


def test_written_twice_it_is_one_row_as_long_as_the_longer(store: Store) -> None:
    assert record(store, outage())
    assert not record(
        store,
        outage(),
    ), "a first try whose answer was lost"
    later = outage(START + timedelta(seconds=8), 6 * MINUTE)
    assert not record(store, later), "another watcher of that host"
    (row,) = listed(store)
    assert (row.since, row.resolved_at) == (START, later.resolved_at)
    assert not record(store, outage(START + MINUTE, MINUTE))
    assert [one.resolved_at for one in listed(store)] == [later.resolved_at]


def test_it_is_open_from_the_first_answer_on_and_one_row_in_the_end(store: Store) -> None:
    opens = replace(outage(), open=True, resolved_at=None)
    assert record(store, opens)
    assert not record(store, opens), "another watcher of that host"
    (row,) = listed(store)
    assert (row.state, row.event_at, row.resolved_at) == (OPEN, store.clock.now(), None)
    assert record(store, outage())
    assert not record(store, outage(length=6 * MINUTE)), "the other watcher"
    (row,) = listed(store)
    assert (row.state, row.opened_at, row.resolved_at) == (RESOLVED, opens.opened_at, START + 6 * MINUTE)
    assert plan(store) == 0


def test_another_outage_and_another_host_have_rows_of_their_own(store: Store) -> None:
    assert record(store, outage())
    assert record(store, outage(START + 6 * MINUTE))
    assert record(store, outage(host="ب"))
    assert [one.since for one in listed(store)] == [START, START + 6 * MINUTE, START]


def test_of_two_watchers_that_write_at_once_one_waits_for_the_other(postgres_store: Store) -> None:
    """SQLite's single writer would hide it."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'")
    made: list[bool] = []
    second = threading.Thread(target=lambda: made.append(record(postgres_store, outage(START + timedelta(seconds=8)))))

    def first_half_done() -> None:
        second.start()
        wait_until(lambda: postgres_store.read(lambda tx: tx.scalar(waiting)) == 1, message="the second one waits")

    def work_and_hold(tx: object) -> bool:
        done = outages.record(tx, outage(), START)  # type: ignore[arg-type]
        first_half_done()
        return done

    assert postgres_store.write(work_and_hold)
    second.join(30)
    assert made == [False]
    assert len(listed(postgres_store)) == 1
