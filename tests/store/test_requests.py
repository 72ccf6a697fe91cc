"""T13: what people ask for is recorded once per request id, and overlap is decided under the schedule's lock."""

import threading
from datetime import timedelta

import pytest

from celsched.domain.execution import Cause, State
from celsched.domain.policy import Overlap
from celsched.errors import Conflict
from celsched.operations.requests import Backfill, RunNow, backfill, retry, run_now
from celsched.operations.scope import Scope
from celsched.store import requests
from celsched.store.store import Store
from tests.support.actors import all_executions, execution, run, states
from tests.support.clock import ManualClock
from tests.support.factories import SOMEBODY, add_schedule, add_task, scope_of

HOUR = timedelta(hours=1)


def test_a_request_says_who_asked_and_is_due_at_once(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, params={"hours": 1}, start_deadline=HOUR)

    made = execution(scope.store, run_now(scope, RunNow("schedule", params={"hours": 2}, request_id="درخواست")))

    assert (made.state, made.cause, made.requested_by) == (State.PENDING, Cause.MANUAL, SOMEBODY)
    assert (made.fire_time, made.dispatch_at, made.deadline) == (None, clock.now(), clock.now() + HOUR)
    assert made.recipe is not None
    assert made.recipe.params == {"hours": 2}
    assert scope.store.read(lambda tx: requests.find(tx, "درخواست")) == made.id
    assert scope.store.read(lambda tx: requests.find(tx, "other")) is None


@pytest.mark.parametrize("name", ["task", "schedule"])
def test_a_repeated_run_now_finds_its_execution_although_it_is_active(scope: Scope, name: str) -> None:
    add_schedule(scope)

    found = {run_now(scope, RunNow(name, request_id="same")) for _ in range(3)}

    assert len(found) == 1
    assert states(scope.store) == ["pending"]


def test_a_repeated_retry_finds_its_execution_although_it_is_active(scope: Scope) -> None:
    add_schedule(scope)
    ended = run_now(scope, RunNow("schedule"))
    run(scope.store, ended)

    found = {retry(scope, ended, request_id="same") for _ in range(3)}

    assert len(found) == 1
    assert states(scope.store) == ["succeeded", "pending"]


def test_a_repeated_backfill_finds_its_executions_although_they_are_active(scope: Scope) -> None:
    add_schedule(scope)
    wish = Backfill("schedule", scope.now() - 3 * HOUR, scope.now(), request_id="50%_off")

    first, second = backfill(scope, wish), backfill(scope, wish)

    assert first == second
    assert len(first.executions) == 3
    assert len(all_executions(scope.store)) == 3


def test_of_requests_at_once_under_skip_one_is_recorded(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    add_schedule(scope)
    gate = threading.Barrier(4)
    outcomes: list[str] = []

    def person(number: int) -> None:
        gate.wait(10)
        try:
            run_now(scope, RunNow("schedule", request_id=f"r{number // 2}"))
            outcomes.append("recorded")
        except Conflict:
            outcomes.append("refused")

    people = [threading.Thread(target=person, args=(number,)) for number in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join(30)

    assert states(postgres_store) == ["pending"]
    # Two of the four sent the same request: both are told of the one that was recorded.
    assert sorted(outcomes) == ["recorded", "recorded", "refused", "refused"]


def test_a_request_for_a_bare_task_has_no_overlap(scope: Scope) -> None:
    add_task(scope, defaults={"overlap": Overlap.SKIP})

    for _ in range(3):
        run_now(scope, RunNow("task"))

    assert states(scope.store) == ["pending"] * 3
