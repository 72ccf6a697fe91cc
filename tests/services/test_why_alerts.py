"""`why` tells which alerts a fire time raised, and only those."""

from datetime import timedelta

from celsched.domain.execution import State
from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
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
    assert "It raised 1 alert: 1 failed (open)." in answer.details
    assert "celsched show alert 1" in answer.commands
    assert (other.alerts, other.execution is None) == ((), False)
