"""`why` tells which alerts a fire time raised, and only those."""

from datetime import timedelta

from celsched.domain.execution import State
from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.watched import RuleBook
from celsched.domain.health.wishes import decode_wishes
from celsched.domain.policy import Misfire
from celsched.monitor.check import Watcher
from celsched.operations.scope import Scope
from celsched.operations.why import why
from celsched.store import alerts
from celsched.store.store import Store
from tests.support.actors import end, execution, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule

HEARTBEAT = timedelta(seconds=10)
HOUR = timedelta(hours=1)


def test_a_fire_time_tells_its_alerts_and_its_neighbours_do_not(scope: Scope, store: Store, clock: ManualClock) -> None:
    made = add_schedule(scope, "گزارش", max_retries=0)
    for _ in range(2):
        clock.advance(HOUR)
        scan(store)
    end(store, start(store, 1), State.FAILED, error="نشد", error_type="ValueError", traceback="")
    failed = execution(store, 1)
    found = Finding(
        AlertKind.FAILED, f"schedule:{made.id}", Severity.WARNING, "گزارش", "x", clock.now(), made.id,
        event_at=clock.now(), evidence=Evidence(execution=1, fire_time=failed.fire_time),
    )  # fmt: skip
    store.write(lambda tx: alerts.settle(tx, [found], set(), clock.now()))

    answer = why(scope, "گزارش", "13:00", heartbeat=HEARTBEAT)
    other = why(scope, "گزارش", "14:00", heartbeat=HEARTBEAT)

    assert (answer.verdict, answer.alerts) == ("failed", (1,))
    assert "It raised 1 alert: 1 (failed, open)." in answer.details
    assert "celsched show alert 1" in answer.commands
    assert (other.alerts, other.execution is None) == ((), False)


def test_each_fire_time_of_an_alert_tells_it_and_not_only_the_newest(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, "گزارش", max_retries=0, alerts=decode_wishes("alerts", {"failed": True}))
    watcher = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})
    for number in range(1, 5):
        clock.advance(HOUR)
        scan(store)
        state = State.SUCCEEDED if number == 3 else State.FAILED
        end(store, start(store, number), state, error="نشد", error_type="ValueError", traceback="")
        clock.advance(timedelta(minutes=1))
        watcher.run_once()

    def told(at: str) -> tuple[tuple[int, ...], list[str]]:
        answer = why(scope, "گزارش", at, heartbeat=HEARTBEAT)
        return answer.alerts, [line for line in answer.details if "alert" in line]

    first, second, fourth = told("13:00"), told("14:00"), told("16:00")
    assert first == ((1,), ["It raised 1 alert: 1 (failed, resolved)."])
    assert second == ((1,), ["It is a case of 1 alert that was open before: 1 (failed, resolved)."])
    assert told("15:00") == ((), [])
    assert fourth == ((4,), ["It raised 1 alert: 4 (failed, open)."])


def test_a_case_of_two_alerts_tells_both(scope: Scope, store: Store, clock: ManualClock) -> None:
    wishes = decode_wishes("alerts", {"failed": True, "consecutive_failures": {"count": 2}})
    add_schedule(scope, "گزارش", max_retries=0, alerts=wishes)
    watcher = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})
    for number in range(1, 4):
        clock.advance(HOUR)
        scan(store)
        end(store, start(store, number), State.FAILED, error="نشد", error_type="ValueError", traceback="")
        clock.advance(timedelta(minutes=1))
        watcher.run_once()
    answer = why(scope, "گزارش", None, heartbeat=HEARTBEAT)
    assert any(line.startswith("It is a case of 2 alerts that were open before: ") for line in answer.details)


def test_a_missed_range_tells_its_alert_at_each_of_its_fire_times(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, "گزارش", misfire=Misfire.SKIP)
    clock.advance(5 * HOUR)
    scan(store)
    Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={}).run_once()
    for at in ("13:00", "15:00"):
        answer = why(scope, "گزارش", at, heartbeat=HEARTBEAT)
        assert (answer.verdict, len(answer.alerts)) == ("skipped", 1), at
