"""Pings of schedules: what began and ended since the last look, each once, only where a schedule asks.

Nothing is sent here.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from celsched.domain.health.wishes import AlertWishes
from celsched.operations.scope import Scope
from celsched.store import notices, pings
from celsched.store.store import Store
from celsched.store.tables import executions
from celsched.store.tables_watch import notifications
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, make_schedule, make_task, schedule_named, store_definitions

MINUTE = timedelta(minutes=1)


def look(store: Store, names: tuple[str, ...] = ("nightly",)) -> int:
    now = store.clock.now()
    return store.write(lambda tx: pings.queue_pings(tx, names, now))


def queued(store: Store) -> list[tuple[str, str, str]]:
    query = select(notifications.c.channel, notifications.c.incident, notifications.c.details)
    return store.read(
        lambda tx: [
            (row.channel, row.details["signal"], row.incident.partition("#")[2])
            for row in tx.execute(query.order_by(notifications.c.id))
        ]
    )


def execution(store: Store, scope: Scope, name: str, fire_time: datetime, *, made: bool = False, **values: Any) -> int:
    if not made:
        add_schedule(scope, name, alerts=AlertWishes(ping="nightly" if name == "شب" else None))
    schedule = schedule_named(store, name)
    row = {
        "cause": "schedule",
        "task_id": schedule.task.id,
        "task": "task",
        "schedule_id": schedule.id,
        "schedule": name,
        "revision": 1,
        "fire_time": fire_time,
        "due_at": fire_time,
        "dispatch_at": fire_time,
        "publish_after": fire_time,
        "created_at": fire_time,
    } | values
    return store.write(
        lambda tx: int(tx.execute(insert(executions).values(row).returning(executions.c.id)).scalar_one())
    )


def test_start_and_end_are_queued_once_for_those_that_ask(store: Store, scope: Scope, clock: ManualClock) -> None:
    assert look(store) == 0
    now = clock.now()
    first = execution(store, scope, "شب", now, state="running", started_at=now)
    execution(store, scope, "روز", now, state="running", started_at=now)
    assert (look(store), look(store)) == (1, 0)
    clock.advance(MINUTE)
    end = {"state": "failed", "finished_at": clock.now(), "error": "Traceback\nValueError: خطا"}
    store.write(lambda tx: tx.execute(update(executions).where(executions.c.id == first).values(end)))
    later = clock.now()
    second = execution(store, scope, "شب", later, state="succeeded", started_at=later, finished_at=later)
    assert (look(store), look(store)) == (3, 0)
    assert queued(store) == [
        ("ping:nightly", "start", f"{first}.start"),
        ("ping:nightly", "fail", f"{first}.end"),
        ("ping:nightly", "start", f"{second}.start"),
        ("ping:nightly", "success", f"{second}.end"),
    ]


def test_what_happened_before_the_first_look_is_not_told(store: Store, scope: Scope, clock: ManualClock) -> None:
    now = clock.now()
    execution(store, scope, "شب", now, state="succeeded", started_at=now, finished_at=now)
    clock.advance(3 * MINUTE)
    assert (look(store), look(store)) == (0, 0)


def test_a_name_that_is_not_configured_is_passed_over(store: Store, scope: Scope, clock: ManualClock) -> None:
    look(store, ("other",))
    now = clock.now()
    execution(store, scope, "شب", now, state="succeeded", started_at=now, finished_at=now)
    assert look(store, ("other",)) == 0


def test_a_ping_of_the_defaults_counts_and_the_schedules_own_counts_more(store: Store, scope: Scope) -> None:
    defaults = {"alerts": AlertWishes(ping="nightly")}
    own = make_schedule("دو", defaults=defaults, alerts=AlertWishes(ping="own"))
    store_definitions(scope, make_task(), make_schedule("یک", defaults=defaults), own)
    look(store)
    now = store.clock.now()
    for name in ("یک", "دو"):
        execution(store, scope, name, now, made=True, state="running", started_at=now)
    assert look(store, ("nightly", "own")) == 2
    assert [channel for channel, _, _ in queued(store)] == ["ping:nightly", "ping:own"]


def end_late(store: Store, number: int, state: str, finished_at: datetime) -> None:
    values = {"state": state, "finished_at": finished_at, "recorded_at": store.clock.now()}
    store.write(lambda tx: tx.execute(update(executions).where(executions.c.id == number).values(values)))


@pytest.mark.parametrize(("state", "signal"), [("succeeded", "success"), ("lost", "fail"), ("cancelled", None)])
def test_an_end_that_reached_the_store_late_is_told_then_and_once(
    store: Store, scope: Scope, clock: ManualClock, state: str, signal: str | None
) -> None:
    look(store)
    ended = clock.now()
    number = execution(store, scope, "شب", ended, state="running", started_at=ended)
    look(store)
    for _ in range(3 * 60):
        clock.advance(MINUTE)
        assert look(store) == 0
    end_late(store, number, state, ended + MINUTE)
    clock.advance(MINUTE)
    assert (look(store), look(store)) == (1 if signal else 0, 0)
    told = [("ping:nightly", signal, f"{number}.end")] if signal else []
    assert queued(store)[1:] == told


def test_a_late_end_does_not_undo_the_ping_of_a_newer_one(store: Store, scope: Scope, clock: ManualClock) -> None:
    look(store)
    ended = clock.now()
    old = execution(store, scope, "شب", ended, state="running", started_at=ended)
    for _ in range(5):
        clock.advance(MINUTE)
        look(store)
    now = clock.now()
    new = execution(store, scope, "شب", now, state="expired", finished_at=now)
    assert look(store) == 1
    clock.advance(3 * MINUTE)
    end_late(store, old, "succeeded", ended + MINUTE)
    assert look(store) == 0
    assert queued(store)[-1] == ("ping:nightly", "fail", f"{new}.end")


def refuse_one(store: Store) -> None:
    now = store.clock.now()
    leased = store.write(lambda tx: notices.lease(tx, "ping:nightly", now, MINUTE))
    assert leased is not None
    store.write(lambda tx: notices.refused(tx, leased, "429", now))


def test_what_waits_for_a_service_that_does_not_answer_is_overtaken_but_for_the_last_failure(
    store: Store, scope: Scope, clock: ManualClock
) -> None:
    look(store)
    ends = ["succeeded", "succeeded", "failed", "failed", "succeeded", "succeeded"]
    numbers = []
    for turn, state in enumerate(ends):
        clock.advance(2 * MINUTE)
        now = clock.now()
        numbers.append(execution(store, scope, "شب", now, made=turn > 0, state=state, started_at=now, finished_at=now))
        look(store)
        if turn == 0:
            refuse_one(store)

    waiting = select(notifications.c.incident).where(notifications.c.state == notices.PENDING)
    left = store.read(lambda tx: [one.partition("#")[2] for one in tx.scalars(waiting.order_by(notifications.c.id))])
    first, last_failure, last = numbers[0], numbers[3], numbers[5]
    assert left == [f"{first}.start", f"{last_failure}.end", f"{last}.start", f"{last}.end"]


def test_after_a_long_break_it_begins_anew(store: Store, scope: Scope, clock: ManualClock) -> None:
    look(store)
    old = clock.now()
    first = execution(store, scope, "شب", old, state="succeeded", started_at=old, finished_at=old)
    clock.advance(3 * 60 * MINUTE)
    now = clock.now()
    second = execution(store, scope, "شب", now, state="succeeded", started_at=now, finished_at=now)
    assert look(store) == 2, f"{first} says nothing about now"
    assert [incident for _, _, incident in queued(store)] == [f"{second}.start", f"{second}.end"]
