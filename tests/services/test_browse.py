"""The lists: what is in them, what narrows them, and how a schedule is said to stand."""

from datetime import timedelta

import pytest

from celsched.domain.execution import Cause, State
from celsched.domain.policy import Overlap
from celsched.errors import NotFound
from celsched.operations import browse, control, requests
from celsched.operations.browse import Life, ListedSchedule, ScheduleFilter
from celsched.operations.requests import RunNow
from celsched.operations.scope import Scope
from celsched.operations.standing import Status
from celsched.store import instances
from celsched.store.executions import Filter
from celsched.store.instances import Instance
from celsched.store.store import Store
from tests.support.actors import run, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task
from tests.support.stores import START

HOUR = timedelta(hours=1)


def schedule(scope: Scope, name: str = "schedule") -> ListedSchedule:
    return next(one for one in browse.schedules(scope, ScheduleFilter()) if one.standing.schedule.name == name)


def test_tasks_count_their_schedules_and_are_narrowed(scope: Scope) -> None:
    add_task(scope, "پاکسازی", task_type="cleanup", owner="helssa", queue_name="maintenance")
    add_task(scope, "other")
    add_schedule(scope, "یک", task="پاکسازی")
    add_schedule(scope, "دو", task="پاکسازی")

    (found,) = browse.tasks(scope, task_type="cleanup", owner="helssa")

    assert (found.task.name, found.schedules, found.queue_name) == ("پاکسازی", 2, "maintenance")
    assert len(browse.tasks(scope)) == 2
    assert browse.tasks(scope, owner="nobody") == []


def test_the_rule_of_a_single_instant_is_told_in_the_zone_of_the_schedule(scope: Scope) -> None:
    add_schedule(scope, at=START.replace(year=2099), timezone="Asia/Tehran")

    stands = schedule(scope).standing

    assert (stands.rule, stands.rule_for_eyes) == ("once at 2099-03-01T12:00:30Z", "once at 2099-03-01 15:30:30 +0330")


def test_a_schedule_shows_its_newest_row_whatever_its_cause(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    assert schedule(scope).newest is None
    clock.advance(HOUR)
    scan(store)
    start(store, 1)
    clock.advance(HOUR)
    scan(store)

    skipped = schedule(scope)
    assert skipped.newest is not None
    assert (skipped.newest.state, skipped.newest.reason) == (State.SKIPPED, "overlap")
    assert skipped.active == 1

    made = requests.run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
    found = schedule(scope)
    assert found.newest is not None
    assert found.newest.execution_id == made
    assert found.active == 2


def test_every_status(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, "active")
    add_schedule(scope, "paused")
    add_schedule(scope, "disabled", enabled=False)
    add_schedule(scope, "ended", at=START + timedelta(minutes=5))
    control.pause(scope, ["paused"], reason="تعمیر")
    clock.advance(HOUR)
    scan(store)

    found = {one.standing.schedule.name: one.standing for one in browse.schedules(scope, ScheduleFilter())}

    assert {name: one.status for name, one in found.items()} == {
        "active": Status.ACTIVE,
        "paused": Status.PAUSED,
        "disabled": Status.DISABLED,
        "ended": Status.ENDED,
    }
    assert found["active"].remark is None
    assert "by سارا (تعمیر); `celsched resume paused` ends it" in (found["paused"].remark or "")
    assert found["ended"].next_fire_time is None
    only = browse.schedules(scope, ScheduleFilter(status=Status.PAUSED))
    assert [one.standing.schedule.name for one in only] == ["paused"]


def test_a_pause_with_an_end_still_has_a_next_fire_time(scope: Scope) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"], until=START + timedelta(hours=5))

    found = schedule(scope).standing

    assert found.status is Status.PAUSED
    assert found.next_fire_time == START.replace(hour=18, minute=0, second=0)


def test_schedules_of_an_unknown_task_are_refused_with_the_nearest_name(scope: Scope) -> None:
    add_task(scope, "cleanup")
    with pytest.raises(NotFound) as error:
        browse.schedules(scope, ScheduleFilter(task="cleanupp"))
    assert error.value.hint == "did you mean `cleanup`?"


def test_executions_come_newest_first_page_by_page(scope: Scope, store: Store) -> None:
    add_task(scope)
    for _ in range(5):
        run(store, requests.run_now(scope, RunNow("task")))

    first = browse.list_executions(scope, Filter(), 2)
    second = browse.list_executions(scope, Filter(before_id=first.before), 3)

    assert [one.id for one in first.rows] == [5, 4]
    assert first.before == 4
    assert [one.id for one in second.rows] == [3, 2, 1]
    assert second.before is None


def test_executions_are_narrowed_by_cause_state_and_skips(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    start(store, 1)
    clock.advance(HOUR)
    scan(store)
    made = requests.run_now(scope, RunNow("task"))

    def ids(**wanted: object) -> list[int]:
        return [one.id for one in browse.list_executions(scope, Filter(**wanted), 10).rows]  # type: ignore[arg-type]

    assert ids(causes=frozenset({Cause.MANUAL})) == [made]
    assert ids(states=frozenset({State.RUNNING})) == [1]
    assert ids(with_skips=False) == [made, 1]
    assert ids(schedule="schedule") == [2, 1]


@pytest.mark.parametrize("kind", ["schedule", "task"])
def test_executions_of_an_unknown_name_are_refused(scope: Scope, kind: str) -> None:
    add_schedule(scope)
    with pytest.raises(NotFound):
        browse.list_executions(scope, Filter(**{kind: "schedul"}), 10)  # type: ignore[arg-type]


def test_a_tasks_name_for_a_schedule_leads_to_its_executions(scope: Scope) -> None:
    add_task(scope, "یک کار")
    with pytest.raises(NotFound) as error:
        browse.list_executions(scope, Filter(schedule="یک کار"), 10)
    assert "`celsched executions --task 'یک کار'`" in str(error.value.hint)


def test_executions_of_a_deleted_schedule_are_still_listed(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    control.delete_schedule(scope, "schedule")
    assert len(browse.list_executions(scope, Filter(schedule="schedule"), 10).rows) == 1


def test_an_instance_that_missed_three_beats_is_silent(scope: Scope, store: Store, clock: ManualClock) -> None:
    beat = timedelta(seconds=10)
    for name in ("one", "two"):
        row = Instance(name, "worker", "server", 1, name, "0", ("default",), 4, 0, START, clock.now())
        store.write(lambda tx, row=row: instances.register(tx, row))  # type: ignore[misc]
    store.write(lambda tx: instances.leave(tx, "two", clock.now()))

    def lives(*, everything: bool = False) -> dict[str, Life]:
        found = browse.list_instances(scope, beat, everything=everything)
        return {one.instance.name: one.life for one in found}

    assert lives() == {"one": Life.ALIVE}
    clock.advance(3 * beat + timedelta(seconds=1))
    assert lives(everything=True) == {"one": Life.SILENT, "two": Life.STOPPED}
    assert browse.list_instances(scope, beat, kind="daemon") == []
