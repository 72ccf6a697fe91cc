"""What a watcher remembers of alerts: nothing is parsed twice, and nothing that somebody changed is missed."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from celsched.domain.health.finding import Finding
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import Living
from celsched.store import alert_desk, alerts
from celsched.store.alert_memory import AlertMemory
from celsched.store.store import Store
from celsched.store.tables_watch import alerts as table
from tests.store.messages import find
from tests.support.clock import ManualClock

FIRST, SECOND = find(), find(scope="schedule:2")
OTHER = find(AlertKind.FAILED)


class Watching:
    """A watcher that settles what it is told, and remembers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory = AlertMemory()
        self.gaps: list[Gap] = []

    def look(self, *findings: Finding) -> dict[str, Living]:
        """Look at the alerts, then let exactly these be wrong ten seconds later; return what lived before."""
        self.gaps = []
        seen = self._store.read(lambda tx: self._memory.look(tx, self.gaps))
        now = self._store.clock.now()
        flips = self._store.write(lambda tx: alerts.settle(tx, findings, seen, now, before=self._memory.known))
        self._memory.known = flips.known
        return seen


def seen_later(clock: ManualClock, watching: Watching, *findings: Finding) -> dict[str, Living]:
    clock.advance(timedelta(seconds=10))
    return watching.look(*findings)


def test_what_stays_is_not_parsed_again_and_what_changes_is(store: Store, clock: ManualClock) -> None:
    one = Watching(store)
    assert one.look(FIRST, SECOND) == {}
    former = seen_later(clock, one, FIRST, SECOND)
    for _ in range(3):
        present = seen_later(clock, one, FIRST, SECOND)
        assert all(present[key] is former[key] for key in former)
    changed = replace(FIRST, summary="چیز دیگر")
    seen_later(clock, one, changed, SECOND)
    present = seen_later(clock, one, changed, SECOND)
    assert present[FIRST.fingerprint].summary == "چیز دیگر"
    assert present[SECOND.fingerprint] is former[SECOND.fingerprint]


def test_what_another_watcher_or_a_person_did_is_seen(store: Store, clock: ManualClock) -> None:
    one, other = Watching(store), Watching(store)
    one.look(FIRST, SECOND)
    seen_later(clock, one, FIRST, SECOND)
    seen_later(clock, other, replace(FIRST, summary="از دیگری"), SECOND, OTHER)
    present = seen_later(clock, one, FIRST, SECOND)
    assert present[FIRST.fingerprint].summary == "از دیگری"
    assert OTHER.fingerprint in present
    seen_later(clock, one, FIRST, SECOND)
    (number, *_) = [alert.id for alert in store.read(alerts.living) if alert.fingerprint == FIRST.fingerprint]
    store.write(lambda tx: alert_desk.resolve(tx, number, "سارا", "", clock.now()))
    assert seen_later(clock, one, SECOND).keys() == {SECOND.fingerprint}


def test_one_that_cannot_be_read_is_told_at_each_look(store: Store, clock: ManualClock) -> None:
    one = Watching(store)
    one.look(FIRST, SECOND)
    seen_later(clock, one, FIRST, SECOND)
    clock.advance(timedelta(seconds=5))
    beyond = {"kind": "from the future", "seen_at": clock.now()}
    store.write(lambda tx: tx.execute(update(table).where(table.c.fingerprint == FIRST.fingerprint).values(beyond)))
    for _ in range(2):
        assert seen_later(clock, one, SECOND).keys() == {SECOND.fingerprint}
        assert len(one.gaps) == 1
