"""What follows from an outage of the store is not told while the store has just come back, and is afterwards."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import RuleBook
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.monitor.check import Watcher
from celsched.monitor.outage import Outage
from celsched.operations.scope import Scope
from celsched.store import alert_desk, instances, outages
from celsched.store.alert_desk import AlertFilter
from celsched.store.alerts import StoredAlert
from celsched.store.instances import Instance
from celsched.store.store import Store
from tests.store.messages import plan
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule

LOOK = timedelta(seconds=10)
NOW = NoticeTimes(group_wait=timedelta(0))


class Machine:
    """A watcher and its planner, which waits for nothing, on a store that may be away. `queued`: messages so far."""

    def __init__(self, store: Store, clock: ManualClock, *, registers: bool = True) -> None:
        self.store, self.clock, self.queued = store, clock, 0
        self._watcher = Watcher(store, clock, rules=RuleBook(), heartbeat=LOOK, settings={})
        self.outage = Outage(
            clock,
            [],
            ZoneInfo("UTC"),
            rule=RuleBook().rules()[AlertKind.STORE_DOWN],
            record=lambda alert, now: store.write(lambda tx: outages.record(tx, alert, now)),
            times=NOW,
        )
        now = clock.now()
        for kind in ("daemon", "worker") if registers else ():
            one = Instance(kind, kind, "ماشین", 1, kind, "1", ("default",), 1, 0, now, now)
            store.write(lambda tx, one=one: instances.register(tx, one))  # type: ignore[misc]

    def away(self, length: timedelta) -> None:
        """Let no look reach the store for so long."""
        for _ in range(length // LOOK):
            self.outage.failed(self.clock.monotonic(), "no route")
            self.clock.advance(LOOK)

    def look(self) -> dict[str, str | None]:
        """Look and plan as the loop does, ten seconds after the last time; return what fires and what mutes it."""
        self.store.write(lambda tx: [instances.beat(tx, one, self.clock.now()) for one in ("daemon", "worker")])
        self.outage.begins()
        self._watcher.run_once()
        self.queued += plan(self.store, [Channel("mail")], NOW)
        self.outage.answers()
        self.clock.advance(LOOK)
        return {one.kind.value: one.muted_by for one in self.listed() if one.state == "open"}

    def listed(self) -> list[StoredAlert]:
        """Return every alert there ever was."""
        return self.store.read(lambda tx: alert_desk.listing(tx, AlertFilter(states=()), 100))


def test_what_is_wrong_right_after_an_outage_is_muted_and_told_if_it_stays(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "گزارش", every=timedelta(seconds=10))
    machine = Machine(scope.store, clock)
    assert machine.look() == {}
    machine.away(timedelta(seconds=60))
    for _ in range(3):
        assert machine.look()["overdue"] == "store_down"
    assert machine.queued == 0
    assert machine.look()["overdue"] is None
    assert machine.queued == 1
    (row,) = (one for one in machine.listed() if one.kind is AlertKind.STORE_DOWN)
    assert (row.state, row.since) == ("resolved", clock.now() - 10 * LOOK)


def test_who_forgets_its_outage_leaves_a_row_that_ends_by_itself(scope: Scope, clock: ManualClock) -> None:
    machine = Machine(scope.store, clock)
    machine.away(timedelta(seconds=60))
    assert machine.look() == {"store_down": None}
    other = Machine(scope.store, clock, registers=False)
    assert [other.look(), other.look()] == [{"store_down": None}] * 2
    assert other.look() == {}
    (row,) = other.listed()
    assert row.resolved_by is None
    assert other.queued == 0, "it was told straight"
