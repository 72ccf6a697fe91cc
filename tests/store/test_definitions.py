"""Definitions come back as they were written; ids are never used again; what a lock protects is read under it."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, text, update

from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.domain.health.wishes import decode_wishes
from celsched.domain.policy import Misfire, OnStoreOutage, Overlap, RetryPolicy
from celsched.errors import Conflict
from celsched.operations import control
from celsched.operations.scope import Scope
from celsched.store import definitions
from celsched.store.store import Store, Tx
from celsched.store.tables import executions, schedules, states, tasks
from tests.support.actors import scan
from tests.support.clock import ManualClock
from tests.support.factories import (
    add_schedule,
    add_task,
    make_schedule,
    make_task,
    schedule_named,
    scope_of,
    store_definitions,
    task_named,
)
from tests.support.stores import START

NAME = "پاکسازی فایل‌های موقت"
HOUR = timedelta(hours=1)


def _full_task() -> TaskDefinition:
    return make_task(
        NAME,
        task_path="files.tasks:clean",
        task_type="نگهداری",
        description="حذف فایل‌ها",
        default_params={"ساعت": 24, "deep": {"a": [1, None, "ب"]}},
        params_schema={"type": "object"},
        defaults={"priority": 2, "timezone": "Asia/Tehran"},
        owner="helssa",
        queue_name="صف",
        max_retries=0,
        retry=RetryPolicy(HOUR, 1.5, 2 * HOUR, jitter=False),
        time_limit=HOUR,
        labels={"تیم": "زیرساخت"},
        alerts=decode_wishes("alerts", {"failed": {"severity": "critical"}, "missed": False, "ping": "شبانه"}),
        on_store_outage=OnStoreOutage.KILL,
    )


def _full_schedule() -> ScheduleDefinition:
    return make_schedule(
        "هر شش ساعت",
        task=NAME,
        every=6 * HOUR,
        params={"ساعت": 48},
        defaults={"misfire": Misfire.SKIP},
        owner="helssa",
        overlap=Overlap.QUEUE_ONE,
        jitter=timedelta(minutes=5),
        start_at=START + HOUR,
        end_at=START + 100 * HOUR,
        enabled=False,
        pause_after_failures=3,
    )


def test_definitions_come_back_as_they_were_written(scope: Scope) -> None:
    task, schedule = _full_task(), _full_schedule()

    store_definitions(scope, task, schedule)

    assert task_named(scope.store, NAME).definition == task
    found = schedule_named(scope.store, "هر شش ساعت")
    assert found.definition == schedule
    assert found.task == task_named(scope.store, NAME)
    assert (found.revision, found.state.revision, found.task.checked) == (1, 1, True)


def test_lists_and_names_are_of_living_objects_by_name(scope: Scope) -> None:
    for name in ("b", "a", "پ"):
        add_task(scope, name)
        add_schedule(scope, f"schedule {name}", task=name)
    control.delete_schedule(scope, "schedule b")
    control.delete_task(scope, "b")

    read = scope.store.read
    assert read(definitions.task_names) == [one.name for one in read(definitions.all_tasks)] == ["a", "پ"]
    assert read(definitions.schedule_names) == [one.name for one in read(definitions.all_schedules)]
    assert read(lambda tx: definitions.find_schedule(tx, "schedule b")) is None
    assert [one.name for one in read(lambda tx: definitions.tasks_of_path(tx, "files.tasks.clean"))] == ["a", "پ"]


def test_a_change_raises_the_revision_and_keeps_the_id(scope: Scope, clock: ManualClock) -> None:
    before = add_schedule(scope, every=HOUR)
    clock.advance(HOUR / 2)
    after = add_schedule(scope, every=2 * HOUR)

    assert (after.id, after.revision, after.created_at) == (before.id, before.revision + 1, START)
    assert after.updated_at == START + HOUR / 2
    assert after.state.revision > before.state.revision


def test_a_new_object_of_a_deleted_name_gets_a_new_id(scope: Scope) -> None:
    first = add_schedule(scope)
    control.delete_task(scope, "task", cascade=True)

    second = add_schedule(scope)

    assert second.id > first.id
    assert second.task.id > first.task.id
    assert scope.store.read(lambda tx: definitions.latest_schedule_id(tx, "schedule")) == second.id


def test_ids_are_never_used_again_even_where_the_row_is_gone(scope: Scope, clock: ManualClock) -> None:
    first = add_schedule(scope, cron="* * * * *", overlap=Overlap.ALLOW)
    clock.advance(timedelta(minutes=1))
    scan(scope.store)

    def wipe(tx: Tx) -> int:
        last = int(tx.execute(executions.select()).mappings().one()["id"])
        for table in (executions, states, schedules, tasks):
            tx.execute(delete(table))
        return last

    last_execution = scope.store.write(wipe)
    second = add_schedule(scope, cron="* * * * *")
    clock.advance(timedelta(minutes=1))
    scan(scope.store)

    (made,) = scope.store.read(lambda tx: list(tx.scalars(executions.select().with_only_columns(executions.c.id))))
    assert second.id > first.id
    assert second.task.id > first.task.id
    assert made > last_execution


@pytest.mark.parametrize("table", ["task_definitions", "schedules", "executions", "audit_events", "alerts"])
def test_sqlite_never_hands_out_an_id_twice(store: Store, table: str) -> None:
    if store.dialect.row_locks:
        query = text("SELECT pg_get_serial_sequence(:table, 'id') IS NOT NULL")
    else:
        query = text("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE name = :table")

    assert store.read(lambda tx: tx.scalar(query, {"table": table}))


def test_what_waited_for_a_lock_sees_the_definition_that_was_written_meanwhile(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    schedule = add_schedule(scope, params={"hours": 1})
    locked, seen = threading.Event(), []

    def read_under_lock() -> None:
        seen.extend(postgres_store.write(lambda tx: definitions.lock_schedules(tx, [schedule.id])))

    def edit(tx: Tx) -> None:
        definitions.lock_schedules(tx, [schedule.id])
        reader.start()
        while not tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            locked.wait(0.01)
        changed = make_schedule(params={"hours": 2})
        definitions.update_schedule(tx, schedule.id, changed, schedule.task.id, START)
        definitions.save_state(tx, schedule.state)

    reader = threading.Thread(target=read_under_lock)
    postgres_store.write(edit)
    reader.join(10)

    (found,) = seen
    assert found.definition.params == {"hours": 2}
    assert found.revision == schedule.revision + 1
    assert found.state.revision == schedule.state.revision + 1


@pytest.mark.parametrize(
    ("options", "why"),
    [({"timezone": "Mars/X"}, "unknown time zone 'Mars/X'"), ({"of_a_newer_version": 1}, "'of_a_newer_version'")],
)
def test_a_schedule_that_cannot_be_read_here_is_named_where_all_are_asked_for(
    scope: Scope, options: dict[str, object], why: str
) -> None:
    add_schedule(scope, "هر شب")
    add_schedule(scope, "other")
    broken = update(schedules).where(schedules.c.name == "هر شب").values(options=options)
    scope.store.write(lambda tx: tx.execute(broken))
    with pytest.raises(Conflict, match=f"the schedule 'هر شب' as it is stored cannot be read here: .*{why}"):
        scope.store.read(definitions.all_schedules)
