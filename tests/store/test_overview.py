"""The reads behind lists and explanations, on both databases."""

from dataclasses import replace
from datetime import timedelta

from celsched.domain.execution import State
from celsched.operations import control, requests
from celsched.operations.requests import RunNow
from celsched.operations.scope import Scope
from celsched.store import instances, overview
from celsched.store.instances import Instance
from celsched.store.store import Store
from tests.support.actors import all_executions, execution, run, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, schedule_named, task_named
from tests.support.stores import START

HOUR = timedelta(hours=1)


def test_the_newest_row_of_each_schedule(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, "هر ساعت")
    add_schedule(scope, "by hand", cron="0 0 1 1 *")
    add_schedule(scope, "never", cron="0 0 1 1 *")
    for _ in range(2):
        clock.advance(HOUR)
        scan(store)
        run(store, max(execution_ids(store)))
    made = requests.run_now(scope, RunNow("by hand"))

    found = store.read(overview.newest_rows)

    hourly = found[schedule_named(store, "هر ساعت").id]
    assert (hourly.state, hourly.at) == (State.SUCCEEDED, START.replace(hour=14, minute=0, second=0))
    assert found[schedule_named(store, "by hand").id].execution_id == made
    assert schedule_named(store, "never").id not in found


def execution_ids(store: Store) -> list[int]:
    return [one.id for one in all_executions(store)]


def test_a_name_keeps_its_deleted_schedules(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    control.delete_schedule(scope, "schedule")
    clock.advance(HOUR)
    add_schedule(scope)

    young, old = store.read(lambda tx: overview.schedules_named(tx, "schedule"))

    assert young.deleted_at is None
    assert old.deleted_at == START + HOUR
    assert young.schedule.id > old.schedule.id
    assert store.read(overview.schedules_per_task) == {task_named(store, "task").id: 1}
    assert store.read(lambda tx: overview.task_was_known(tx, "task"))


def test_neighbours_and_what_was_in_the_way(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_task(scope)
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    start(store, 1)
    clock.advance(HOUR)
    scan(store)
    schedule_id, skipped = schedule_named(store).id, execution(store, 2)

    before = store.read(lambda tx: overview.row_before(tx, schedule_id, clock.now()))
    after = store.read(lambda tx: overview.row_after(tx, schedule_id, START, with_skips=False))
    blocker = store.read(lambda tx: overview.blocker_of(tx, skipped))
    beside = store.read(lambda tx: overview.active_beside(tx, skipped))

    assert before is not None
    assert before.id == 2
    assert after is not None
    assert blocker is not None
    assert beside is not None
    assert after.id == blocker.id == beside.id == 1
    assert store.read(lambda tx: overview.states_of(tx, [1, 2, 3])) == {1: State.RUNNING, 2: State.SKIPPED}


def test_deeds_are_found_by_whom_and_before_when(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    control.pause(scope, ["schedule"], reason="تعمیر")

    found = store.read(lambda tx: overview.last_deed(tx, "pause", "schedule", "schedule", clock.now()))

    assert found is not None
    assert (found.user, found.at, found.details["reason"]) == ("سارا", START + HOUR, "تعمیر")
    assert store.read(lambda tx: overview.last_deed(tx, "pause", "schedule", "schedule", START)) is None
    assert store.read(lambda tx: overview.last_beat(tx, "daemon")) is None


def test_an_instance_is_read_by_its_id_whatever_else_its_row_holds(store: Store) -> None:
    row = Instance("w", "worker", "server", 1, "w@server", "0", ("default",), 4, 0, START, START)
    store.write(lambda tx: instances.register(tx, row))
    assert store.read(lambda tx: overview.instance_of(tx, "w")) == replace(row, queues=["default"])
    assert store.read(lambda tx: overview.instance_of(tx, None)) is None
