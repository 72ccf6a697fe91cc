"""Silences in the store: what was written comes back, and each is in force for its time. Nothing is matched here."""

from datetime import timedelta

from celsched.domain.execution import Requester
from celsched.domain.health.kinds import AlertKind
from celsched.domain.silencing import Matchers
from celsched.store import silences
from celsched.store.store import Store
from tests.support.clock import ManualClock

BY = Requester("سارا", "laptop")
HOUR = timedelta(hours=1)
MATCHERS = Matchers(frozenset({AlertKind.MISSED, AlertKind.FAILED}), "گزارش*", "reports", {"team": "مالی"})


def test_a_silence_comes_back_as_it_was_written_and_is_in_force_for_its_time(store: Store, clock: ManualClock) -> None:
    now = clock.now()
    made = store.write(lambda tx: silences.add(tx, MATCHERS, (now, now + HOUR), BY, "جابجایی", now))
    later = store.write(lambda tx: silences.add(tx, Matchers(), (now + HOUR, now + 2 * HOUR), BY, "x", now))
    assert (made.matchers, made.author, made.host, made.reason) == (MATCHERS, "سارا", "laptop", "جابجایی")
    assert store.read(lambda tx: silences.active(tx, now)) == [made]
    assert store.read(lambda tx: silences.active(tx, now + HOUR)) == [later]
    assert store.read(lambda tx: silences.not_ended(tx, now)) == [made, later]
    assert store.read(lambda tx: silences.find(tx, [made.id, 99])) == {made.id: made}


def test_a_silence_is_ended_once_and_forgotten_later(store: Store, clock: ManualClock) -> None:
    now = clock.now()
    made = store.write(lambda tx: silences.add(tx, MATCHERS, (now, now + HOUR), BY, "x", now))
    assert store.write(lambda tx: silences.end(tx, made.id, now + HOUR / 2))
    assert not store.write(lambda tx: silences.end(tx, made.id, now + HOUR / 2))
    assert store.read(lambda tx: silences.active(tx, now + HOUR / 2)) == []
    assert store.write(lambda tx: silences.forget(tx, now + HOUR / 2)) == 0
    assert store.write(lambda tx: silences.forget(tx, now + HOUR)) == 1
    assert store.read(silences.every) == []
