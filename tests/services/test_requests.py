"""What people ask to run: the overlap matrix of run-now, retry, backfill and cancel, and what is refused."""

from datetime import timedelta

import pytest

from celsched.domain.execution import Cause, State
from celsched.domain.policy import Misfire, Overlap
from celsched.errors import Conflict, NotFound, UsageError
from celsched.operations import control
from celsched.operations.requests import Backfill, RunNow, backfill, retry, run_now, target_of
from celsched.operations.scope import Scope
from tests.support.actors import all_executions, execution, run, scan, start, states
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task
from tests.support.stores import START

HOUR = timedelta(hours=1)
TWELVE = START.replace(minute=0, second=0)


@pytest.mark.parametrize(
    ("overlap", "active", "after"),
    [
        (Overlap.SKIP, None, ["pending"]),
        (Overlap.SKIP, "pending", None),
        (Overlap.SKIP, "running", None),
        (Overlap.SKIP, "retrying", None),
        (Overlap.ALLOW, "pending", ["pending", "pending"]),
        (Overlap.ALLOW, "running", ["running", "pending"]),
        (Overlap.QUEUE_ONE, None, ["pending"]),
        (Overlap.QUEUE_ONE, "running", ["running", "pending waits"]),
        (Overlap.QUEUE_ONE, "running and waiting", None),
        (Overlap.CANCEL_RUNNING, "pending", ["cancelled", "pending"]),
        (Overlap.CANCEL_RUNNING, "retrying", ["cancelled", "pending"]),
        (Overlap.CANCEL_RUNNING, "running", ["running", "pending waits"]),
        (Overlap.CANCEL_RUNNING, "running and waiting", ["running", "cancelled", "pending waits"]),
    ],
)
@pytest.mark.parametrize("given", ["by the schedule", "by the person"])
def test_run_now_obeys_the_overlap(
    scope: Scope, overlap: Overlap, active: str | None, after: list[str] | None, given: str
) -> None:
    add_schedule(scope, overlap=overlap if given == "by the schedule" else Overlap.SKIP)
    if active:
        first = run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
        if active.startswith("running"):
            start(scope.store, first)
        if active == "retrying":
            run(scope.store, first, State.FAILED)
        if active.endswith("waiting"):
            run_now(scope, RunNow("schedule", overlap=Overlap.QUEUE_ONE))
    before = states(scope.store)
    wish = RunNow("schedule", overlap=None if given == "by the schedule" else overlap)

    if after is None:
        with pytest.raises(Conflict):
            run_now(scope, wish)
        assert states(scope.store) == before
    else:
        run_now(scope, wish)
        assert states(scope.store) == after


def test_a_name_that_both_a_task_and_a_schedule_have_needs_its_kind(scope: Scope) -> None:
    add_schedule(scope, "twin", task="twin")

    with pytest.raises(Conflict, match="both a task and a schedule"):
        run_now(scope, RunNow("twin"))
    one, two = run_now(scope, RunNow("twin", kind="task")), run_now(scope, RunNow("twin", kind="schedule"))
    assert [execution(scope.store, found).schedule for found in (one, two)] == [None, "twin"]


def test_a_typo_gets_a_suggestion(scope: Scope) -> None:
    add_schedule(scope, "nightly cleanup")

    with pytest.raises(NotFound) as caught:
        run_now(scope, RunNow("nightly clean"))

    assert caught.value.hint is not None
    assert "nightly cleanup" in caught.value.hint


def test_parameters_come_over_the_schedules_over_the_tasks(scope: Scope) -> None:
    add_task(scope, default_params={"a": 1, "b": 1, "c": 1})
    add_schedule(scope, params={"b": 2, "c": 2})
    wish = RunNow("schedule", params={"c": 3})

    made = execution(scope.store, run_now(scope, wish))

    assert made.recipe is not None
    assert made.recipe.params == target_of(scope, wish).params == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("rest", ["paused", "disabled"])
def test_people_may_run_what_rests(scope: Scope, rest: str) -> None:
    add_schedule(scope, enabled=rest != "disabled")
    if rest == "paused":
        control.pause(scope, ["schedule"])

    ended = run_now(scope, RunNow("schedule"))
    run(scope.store, ended)
    run(scope.store, retry(scope, ended))
    found = backfill(scope, Backfill("schedule", TWELVE, TWELVE + timedelta(seconds=1)))

    assert len(found.executions) == 1


def test_a_retry_repeats_an_ended_one_by_the_present_definition(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, params={"hours": 1}, max_retries=0)
    clock.set(TWELVE + HOUR)
    scan(scope.store)
    (failed,) = all_executions(scope.store)
    run(scope.store, failed.id, State.FAILED)
    add_task(scope, task_path="files.tasks.fixed")

    again = execution(scope.store, retry(scope, failed.id))

    assert (again.cause, again.origin_id, again.fire_time, again.attempt) == (Cause.RETRY, failed.id, TWELVE + HOUR, 1)
    assert again.recipe is not None
    assert (again.recipe.task_path, again.recipe.params) == ("files.tasks.fixed", {"hours": 1})
    assert execution(scope.store, failed.id).state is State.FAILED


def test_a_retry_obeys_overlap(scope: Scope) -> None:
    add_schedule(scope)
    ended = run_now(scope, RunNow("schedule"))
    run(scope.store, ended)
    run_now(scope, RunNow("schedule"))

    with pytest.raises(Conflict, match="overlap policy is skip"):
        retry(scope, ended)
    retry(scope, ended, overlap=Overlap.QUEUE_ONE)
    assert states(scope.store) == ["succeeded", "pending", "pending waits"]


def test_a_retry_is_refused_for_what_lives_stands_for_many_or_is_gone(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, misfire=Misfire.SKIP)
    alive = run_now(scope, RunNow("schedule"))
    with pytest.raises(Conflict, match="only one that has ended"):
        retry(scope, alive)
    clock.advance(5 * HOUR)
    scan(scope.store)
    many = next(one.id for one in all_executions(scope.store) if one.count > 1)
    with pytest.raises(Conflict, match="stands for"):
        retry(scope, many)
    with pytest.raises(NotFound):
        retry(scope, 12345)
    control.delete_task(scope, "task", cascade=True)
    with pytest.raises(Conflict, match="was deleted"):
        retry(scope, alive)


def test_a_backfill_is_a_chain_that_points_to_the_rows_it_repeats(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, misfire=Misfire.SKIP)
    clock.set(TWELVE + timedelta(hours=4, minutes=30))
    scan(scope.store)
    (skipped,) = all_executions(scope.store)
    wish = Backfill("schedule", TWELVE + HOUR, TWELVE + 4 * HOUR)

    dry = backfill(scope, wish, dry_run=True)
    assert states(scope.store) == ["skipped"]
    made = backfill(scope, wish)

    hours = [TWELVE + hour * HOUR for hour in (1, 2, 3)]
    assert (dry.fire_times, dry.left_out, dry.executions) == (hours, 0, ())
    assert made.fire_times == hours
    rows = [execution(scope.store, one) for one in made.executions]
    assert [(row.fire_time, row.waits, row.origin_id, row.cause) for row in rows] == [
        (at, number > 0, skipped.id, Cause.BACKFILL) for number, at in enumerate(hours)
    ]
    assert len({row.chain for row in rows}) == 1
    assert [row.request_id for row in rows] == [f"{wish.request_id}:{at.isoformat()}" for at in hours]
    assert execution(scope.store, skipped.id) == skipped


@pytest.mark.parametrize(("every", "count", "left_out"), [(False, 2, 2), (True, 4, 0)])
def test_a_backfill_leaves_out_what_succeeded_or_is_active(
    scope: Scope, clock: ManualClock, every: bool, count: int, left_out: int
) -> None:
    add_schedule(scope, max_retries=0, misfire=Misfire.RUN_ALL)
    clock.set(TWELVE + timedelta(hours=3, minutes=30))
    scan(scope.store)
    one, two, _three = (row.id for row in all_executions(scope.store))
    run(scope.store, one, State.SUCCEEDED)
    run(scope.store, two, State.FAILED)

    found = backfill(scope, Backfill("schedule", TWELVE, scope.now(), every=every), dry_run=True)

    assert (len(found.fire_times), found.left_out) == (count, left_out)


def test_a_backfill_respects_start_end_and_its_limit(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, start_at=TWELVE - 3 * HOUR, end_at=TWELVE - HOUR)

    found = backfill(scope, Backfill("schedule", TWELVE - 10 * HOUR, TWELVE, limit=3), dry_run=True)
    assert found.fire_times == [TWELVE - hour * HOUR for hour in (3, 2, 1)]
    with pytest.raises(UsageError, match="more than 2 fire times") as caught:
        backfill(scope, Backfill("schedule", TWELVE - 10 * HOUR, TWELVE, limit=2))
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("since", "until", "said"), [(0, 0, "must lie after"), (1, 0, "must lie after"), (0, 1, "lies in the future")]
)
def test_a_backfill_takes_past_times_only(scope: Scope, since: int, until: int, said: str) -> None:
    add_schedule(scope)

    with pytest.raises(UsageError, match=said):
        backfill(scope, Backfill("schedule", TWELVE + since * HOUR, TWELVE + until * HOUR))


def test_the_first_of_a_backfill_waits_for_what_is_active_unless_it_may_run_beside_it(scope: Scope) -> None:
    add_schedule(scope)
    run_now(scope, RunNow("schedule"))

    waits = backfill(scope, Backfill("schedule", TWELVE - HOUR, TWELVE))
    beside = backfill(scope, Backfill("schedule", TWELVE - HOUR, TWELVE, overlap=Overlap.ALLOW, every=True))

    assert [execution(scope.store, one).waits for one in (*waits.executions, *beside.executions)] == [True, False]


def test_cancelling_an_unknown_execution(scope: Scope) -> None:
    with pytest.raises(NotFound):
        control.cancel(scope, 77)
