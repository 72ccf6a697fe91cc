"""One thing in full: origins of values, the fate of an execution, what is masked."""

from datetime import timedelta

import pytest

from celsched.domain.execution import State
from celsched.domain.health.wishes import decode_wishes, encode_wishes
from celsched.errors import NotFound
from celsched.operations import control, requests
from celsched.operations.detail import execution_detail, schedule_detail, task_detail
from celsched.operations.requests import RunNow
from celsched.operations.scope import Scope
from celsched.redact import Redactor
from celsched.store.store import Store
from tests.support.actors import end, run, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task

HOUR = timedelta(hours=1)


def test_a_task_shows_origins_and_schedules(scope: Scope) -> None:
    add_task(scope, "کار", priority=7)
    add_schedule(scope, "یک", task="کار")
    found = task_detail(scope, "کار")
    assert found.schedules == ["یک"]
    assert found.policies.priority == 7
    assert found.policies.origins["priority"] == "task"
    assert found.policies.origins["queue_name"] == "built in"


def test_a_schedule_shows_merged_params_and_three_fire_times(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_task(scope, default_params={"hours": 24, "deep": True})
    add_schedule(scope, params={"hours": 48}, priority=2)
    clock.advance(HOUR)
    scan(store)
    found = schedule_detail(scope, "schedule")
    assert found.params == {"hours": 48, "deep": True}
    assert len(found.coming) == 3
    assert found.standing.policies.origins["priority"] == "schedule"
    assert found.newest is not None
    assert found.active == 1


def test_alerts_in_force_are_those_of_task_and_schedule_together(scope: Scope) -> None:
    add_task(scope, alerts=decode_wishes("alerts", {"failed": True, "too_long": {"limit": "1h", "severity": "info"}}))
    add_schedule(scope, alerts=decode_wishes("alerts", {"too_long": {"limit": "20m"}}))
    policies = schedule_detail(scope, "schedule").standing.policies
    assert encode_wishes(policies.alerts) == {"failed": True, "too_long": {"limit": "20m", "severity": "info"}}
    assert policies.origins["alerts"] == "schedule, task"


def test_an_execution_masks_what_the_settings_call_secret(scope: Scope, store: Store) -> None:
    add_task(scope, default_params={"password": "hunter2", "iban": "IR12", "n": 1})
    made = requests.run_now(scope, RunNow("task"))
    found = execution_detail(scope, made, Redactor(["iban"])).execution
    assert found.recipe is not None
    assert "hunter2" not in str(found.recipe.params)
    assert "IR12" not in str(found.recipe.params)
    assert found.recipe.params["n"] == 1


def test_an_execution_tells_who_cancelled_it_and_why(scope: Scope, store: Store) -> None:
    add_task(scope)
    waiting, going = requests.run_now(scope, RunNow("task")), requests.run_now(scope, RunNow("task"))
    start(store, going)
    for one in (waiting, going):
        control.cancel(scope, one, reason="ماه اشتباه")

    told = [execution_detail(scope, one, Redactor()).fate for one in (waiting, going)]

    by = f"by {scope.by.user} at 2026-03-01 12:00:30 UTC (ماه اشتباه)"
    assert told[0] == f"was cancelled before it started: {by}"
    assert told[1].endswith(f"; it was asked to stop {by}")


def test_an_execution_shows_attempts_links_and_its_fate(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_task(scope, max_retries=0)
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    end(store, start(store, 1), State.TIMED_OUT, error="too long", reason="time_limit")
    again = requests.retry(scope, 1)
    found = execution_detail(scope, 1, Redactor())
    assert found.fate == "timed out: stopped by its time limit on attempt 1 of 1"
    assert [one.state for one in found.attempts] == [State.TIMED_OUT]
    assert list(found.repeated_by) == [again]
    assert execution_detail(scope, again, Redactor()).execution.origin_id == 1


def test_a_skipped_row_says_why(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    start(store, 1)
    clock.advance(HOUR)
    scan(store)
    fate = execution_detail(scope, 2, Redactor()).fate
    assert fate == "was skipped (overlap): execution 1 was still active, and overlap is skip"


def test_an_unknown_id_says_whether_it_ever_was(scope: Scope, store: Store) -> None:
    add_task(scope)
    run(store, requests.run_now(scope, RunNow("task")))
    with pytest.raises(NotFound) as never:
        execution_detail(scope, 99, Redactor())
    assert never.value.hint == "`celsched executions` lists them"
