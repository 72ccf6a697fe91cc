"""An alert about a schedule that fails names the execution that failed last, its fire time and the end of its error."""

from datetime import timedelta

import pytest

from celsched.domain.execution import State
from celsched.domain.health.watched import RuleBook
from celsched.domain.health.wishes import decode_wishes
from celsched.monitor.check import Watcher
from celsched.operations import alerts as desk
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store.alerts import StoredAlert
from celsched.store.store import Store
from tests.support.actors import all_executions, end, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NAME, ERROR = "گزارش شکسته", "ValueError: پرونده نیست"


@pytest.fixture
def watcher(store: Store, clock: ManualClock) -> Watcher:
    """A watcher of `store`."""
    return Watcher(store, clock, rules=RuleBook(), heartbeat=timedelta(seconds=10), settings={})


def fail(store: Store, clock: ManualClock, times: int, error: str = ERROR) -> None:
    """Let an hourly schedule fail at so many fire times."""
    for _ in range(times):
        clock.advance(HOUR)
        scan(store)
        running = start(store, all_executions(store)[-1].id)
        end(store, running, State.FAILED, error=f"{error}\n(more)", error_type="ValueError", traceback="")


def firing(watcher: Watcher) -> dict[str, StoredAlert]:
    """Look, and return what fires by kind."""
    return {alert.kind.value: alert for alert in watcher.run_once().firing}


def test_an_alert_about_failures_tells_the_last_one(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    add_schedule(scope, NAME, max_retries=0, pause_after_failures=5)
    fail(store, clock, 3)
    last = all_executions(store)[-1]
    evidence = firing(watcher)["consecutive_failures"].evidence
    assert (evidence.execution, evidence.fire_time, evidence.error) == (last.id, last.fire_time, ERROR)
    assert evidence.command == f"celsched why '{NAME}'"

    fail(store, clock, 2, "ValueError: باز هم")
    found = firing(watcher)
    assert found.keys() >= {"consecutive_failures", "failure_rate", "auto_paused"}
    for kind in ("consecutive_failures", "failure_rate", "auto_paused"):
        assert (found[kind].evidence.execution, found[kind].evidence.error) == (5, "ValueError: باز هم"), kind


def test_what_opens_long_after_the_failure_still_tells_it(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    add_schedule(scope, NAME, max_retries=0, alerts=decode_wishes("alerts", {"no_recent_success": {"after": "2h"}}))
    fail(store, clock, 1)
    assert "no_recent_success" not in firing(watcher)
    clock.advance(50 * MINUTE)
    firing(watcher)
    clock.advance(11 * MINUTE)
    told = firing(watcher)["no_recent_success"].evidence
    assert (told.execution, told.error) == (1, ERROR)
    clock.advance(MINUTE)
    assert firing(watcher)["no_recent_success"].evidence.error == ERROR, "it is kept"


def test_a_failure_before_the_last_success_explains_nothing(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    add_schedule(scope, NAME, max_retries=0, alerts=decode_wishes("alerts", {"no_recent_success": {"after": "2h"}}))
    fail(store, clock, 1)
    clock.advance(HOUR)
    scan(store)
    end(store, start(store, all_executions(store)[-1].id))
    clock.advance(3 * HOUR)
    told = firing(watcher)["no_recent_success"].evidence
    assert (told.error, told.execution) == (None, None)


def test_an_event_alert_is_wrong_since_its_first_case(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    add_schedule(scope, NAME, max_retries=0, alerts=decode_wishes("alerts", {"failed": True}))
    fail(store, clock, 2)
    first, second = all_executions(store)
    assert (alert := firing(watcher)["failed"]).since == first.finished_at
    assert alert.event_at == second.finished_at
    fail(store, clock, 1)
    assert firing(watcher)["failed"].since == first.finished_at


def test_a_task_run_without_a_schedule_follows_the_tasks_own_alerts(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    for name, wishes in (("پر", {"too_long": {"limit": "1m"}, "late_start": False}), ("plain", {})):
        add_task(scope, name, alerts=decode_wishes("alerts", wishes))
        start(store, run_now(scope, RunNow(name)))
        run_now(scope, RunNow(name))
    clock.advance(2 * MINUTE)
    found = [(alert.kind.value, alert.subject) for alert in watcher.run_once().firing]
    assert ("too_long", "پر") in found
    assert ("too_long", "plain") not in found
    clock.advance(HOUR)
    late = [alert.subject for alert in watcher.run_once().firing if alert.kind.value == "queued_too_long"]
    assert late == [], "nothing was sent"
    assert [one.subject for one in watcher.run_once().firing if one.kind.value == "late_start"] == ["plain"]


def test_what_comes_back_after_a_person_resolved_it_begins_after_that(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    add_schedule(scope, NAME, max_retries=0, alerts=decode_wishes("alerts", {"failed": True}))
    fail(store, clock, 1)
    desk.resolve(scope, [firing(watcher)["failed"].id], "درست شد")
    fail(store, clock, 1)
    again = Watcher(store, clock, rules=RuleBook(), heartbeat=timedelta(seconds=10), settings={})
    assert firing(again)["failed"].since == all_executions(store)[-1].finished_at


def test_a_function_that_is_found_and_fails_is_no_unknown_task(
    scope: Scope, store: Store, clock: ManualClock, watcher: Watcher
) -> None:
    add_schedule(scope, NAME, max_retries=0)
    clock.advance(HOUR)
    scan(store)
    end(store, start(store, 1), State.FAILED, error="`tasks` has no `x`", error_type="InvalidDefinition", traceback="")
    assert "unknown_task" in firing(watcher)
    assert "unknown_task" in firing(watcher), "it goes on"
    fail(store, clock, 1)
    assert "unknown_task" not in firing(watcher)
