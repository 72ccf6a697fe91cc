"""What a scrape reads: what has not ended by state and queue, what ended lately, alerts and messages, all bounded."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from celsched.domain.execution import State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.policy import Overlap
from celsched.operations.scope import Scope
from celsched.store import gauges, notices, outbox
from celsched.store.gauges import LiveGroup
from celsched.store.store import Store
from tests.store.messages import find, message, queue, settle
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.executions import NO_DELAY, add_execution
from tests.support.factories import add_schedule
from tests.support.stores import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATH = "files.tasks.clean"


def _live(store: Store) -> list[LiveGroup]:
    now = store.clock.now()
    return sorted(store.read(lambda tx: gauges.live(tx, now)), key=lambda one: (one.state, one.queue, one.due))


def test_what_has_not_ended_is_counted_by_state_and_queue(store: Store, clock: ManualClock) -> None:
    numbers = [add_execution(store, PATH, queue_name=name) for name in ("a", "a", "گزارش", "b")]
    actors.run(store, add_execution(store, PATH))
    clock.advance(MINUTE)
    add_execution(store, PATH, queue_name="a")
    actors.start(store, numbers[3])

    assert _live(store) == [
        LiveGroup(State.PENDING, "a", True, False, 3, START),
        LiveGroup(State.PENDING, "گزارش", True, False, 1, START),
        LiveGroup(State.RUNNING, "b", True, False, 1, START),
    ]


def test_what_waits_for_another_or_for_its_retry_is_not_due(store: Store, scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "s", every=MINUTE, overlap=Overlap.QUEUE_ONE, queue_name="q")
    for _ in range(2):
        clock.advance(MINUTE)
        actors.scan(store)
    assert actors.states(store) == ["pending", "pending waits"]
    actors.run(store, add_execution(store, PATH, max_retries=1, queue_name="r"), State.FAILED)

    found = [(one.state, one.queue, one.due, one.count) for one in _live(store)]
    pending, retrying = State.PENDING, State.RETRYING

    assert found == [(pending, "q", False, 1), (pending, "q", True, 1), (retrying, "r", False, 1)]


def test_what_the_broker_did_not_take_is_told_until_it_is_sent(store: Store) -> None:
    add_execution(store, PATH)
    parcels = actors.take(store)
    store.write(lambda tx: outbox.put_back(tx, parcels, START))
    assert [(one.state, one.refused) for one in _live(store)] == [(State.PENDING, True)]

    actors.publish(store)

    assert [(one.state, one.refused) for one in _live(store)] == [(State.QUEUED, False)]


def test_what_ended_within_the_hour_is_measured(store: Store, clock: ManualClock) -> None:
    actors.run(store, add_execution(store, PATH))
    clock.advance(HOUR + MINUTE)
    for seconds, outcome in ((10, State.SUCCEEDED), (30, State.FAILED), (20, State.CANCELLED)):
        running = actors.start(store, add_execution(store, PATH))
        clock.advance(timedelta(seconds=seconds))
        actors.end(store, running, outcome)

    found = store.read(lambda tx: gauges.ended(tx, clock.now()))

    assert found.states == {State.SUCCEEDED: 1, State.FAILED: 1, State.CANCELLED: 1}
    assert sorted(found.durations) == [10.0, 30.0]
    assert found.reach == 3600


def test_lateness_is_that_of_first_starts_in_the_last_minutes(store: Store, clock: ManualClock) -> None:
    actors.run(store, add_execution(store, PATH))
    clock.advance(timedelta(minutes=10))
    ended, running, again = (add_execution(store, PATH, max_retries=1, retry=NO_DELAY) for _ in range(3))
    clock.advance(timedelta(seconds=7))
    actors.run(store, ended)
    actors.start(store, running)
    actors.run(store, again, State.FAILED)
    clock.advance(MINUTE)
    actors.start(store, again, 2)

    assert store.read(lambda tx: gauges.ended(tx, clock.now())).late == [7.0, 7.0, 7.0]
    clock.advance(timedelta(minutes=5))
    assert store.read(lambda tx: gauges.ended(tx, clock.now())).late == []


def test_of_very_many_the_newest_are_read(store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "NEWEST", 2)
    for _ in range(4):
        clock.advance(MINUTE)
        actors.run(store, add_execution(store, PATH))

    found = store.read(lambda tx: gauges.ended(tx, clock.now()))

    assert (found.states, found.reach) == ({State.SUCCEEDED: 2}, 60)


def test_what_no_daemon_decided_is_told_with_the_first(store: Store, scope: Scope, clock: ManualClock) -> None:
    assert store.read(lambda tx: gauges.undecided(tx, clock.now())) == (0, None)
    add_schedule(scope, "a", every=MINUTE)
    add_schedule(scope, "b", every=2 * MINUTE)
    clock.advance(3 * MINUTE)

    count, first = store.read(lambda tx: gauges.undecided(tx, clock.now()))

    assert count == 2
    assert first is not None
    assert START < first <= START + MINUTE
    actors.scan(store)
    assert store.read(lambda tx: gauges.undecided(tx, clock.now())) == (0, None)


def test_open_alerts_are_counted_those_on_hold_not(store: Store) -> None:
    settle(store, find(), find(scope="schedule:2"), find(AlertKind.NO_WORKER, "queue:q", hold=MINUTE))
    assert store.read(gauges.firing) == {("missed", "critical"): 2}
    settle(store)
    assert store.read(gauges.firing) == {}


def test_messages_are_counted_by_channel(store: Store, clock: ManualClock) -> None:
    queue(store, message("a#1", "mail"), message("b#1", "mail"), message("a#1", "صدا"))
    taken = store.write(lambda tx: notices.lease(tx, "mail", START, HOUR))
    assert taken is not None
    store.write(lambda tx: notices.refused(tx, taken, "خطا", START))
    given = store.write(lambda tx: notices.lease(tx, "صدا", START, HOUR))
    assert given is not None
    store.write(lambda tx: notices.accepted(tx, given, START))

    mail, voice = store.read(lambda tx: gauges.channels(tx, clock.now()))

    assert mail == gauges.Channel("mail", pending=2, refused=1, given_up=0, oldest=START)
    assert voice == gauges.Channel("صدا", pending=0, refused=0, given_up=0, oldest=None)
    clock.advance(notices.GIVE_UP)
    store.write(lambda tx: notices.refused(tx, taken, "خطا", clock.now()))
    assert store.read(lambda tx: gauges.channels(tx, clock.now()))[0].given_up == 1
    clock.advance(notices.GIVE_UP + MINUTE)
    assert store.read(lambda tx: gauges.channels(tx, clock.now()))[0].given_up == 0


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_scrape_reads_all_executions(store: Store) -> None:
    asked: list[tuple[str, object]] = []
    event.listen(
        store.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])) if call[2] else None
    )
    store.read(lambda tx: (gauges.live(tx, START), gauges.ended(tx, START)))
    queries = [one for one in asked if "executions" in one[0]]
    assert len(queries) == 3
    with store.engine.connect() as connection:
        for statement, parameters in queries:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
            steps = [row[-1] for row in plan if "executions" in row[-1]]
            assert steps
            assert all("INDEX" in step for step in steps), f"{steps}\n{statement}"
