"""A schedule that slowly takes longer, as whole passes of the watcher see it. How it is judged is in `tests/unit`."""

from datetime import timedelta

from celsched.domain.execution import State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RuleBook
from celsched.monitor.check import Watcher
from celsched.operations.scope import Scope
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def test_a_schedule_whose_runs_take_longer_and_longer(scope: Scope, clock: ManualClock) -> None:
    """A limit of its own for runs that are too short changes nothing: the past is read for this too."""
    add_schedule(scope, "گزارش", every=HOUR)
    rules = RuleBook({AlertKind.TOO_SHORT: Tuning(parameters={"limit": SECOND})})
    watcher = Watcher(scope.store, clock, rules=rules, heartbeat=10 * SECOND, settings={})

    def runs(count: int, length: timedelta) -> bool:
        found = False
        for _ in range(count):
            clock.advance(HOUR)
            actors.scan(scope.store)
            claimed = actors.start(scope.store, actors.all_executions(scope.store)[-1].id)
            clock.advance(length)
            actors.end(scope.store, claimed, State.SUCCEEDED)
            found = any(one.kind is AlertKind.DURATION_DRIFT for one in watcher.run_once().firing)
        return found

    assert not runs(20, 60 * SECOND)
    assert not runs(5, 150 * SECOND), "half of the last ten"
    assert runs(1, 150 * SECOND)
    assert runs(2, 60 * SECOND), "most of the last ten are slow still"
    assert not runs(4, 60 * SECOND)
