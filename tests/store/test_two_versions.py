"""Watchers of two versions, or of one that cannot read a row: what one of them told the other does not forget."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text, update

from celsched.domain.health.kinds import AlertKind
from celsched.domain.notices import Channel
from celsched.monitor.deliver import Plan, Planner
from celsched.store.store import Store
from celsched.store.tables_watch import alerts, notice_groups, notifications
from tests.store.messages import find, settle
from tests.support.clock import ManualClock

K = AlertKind
MINUTE, LOOK = timedelta(minutes=1), timedelta(seconds=5)
FOREIGN: tuple[dict[str, Any], ...] = ({"kind": "no_such_kind_yet"}, {"severity": "catastrophic"}, {"labels": 3})
"""What the older version cannot read of an alert."""


def planner_of(store: Store, clock: ManualClock, *, pushes: bool = False) -> Planner:
    channels = [Channel("am", pushes=True)] if pushes else [Channel("hook"), Channel("mail")]
    return Planner(store, clock, Plan(channels, ZoneInfo("Asia/Tehran"), timedelta(days=30)))


def older(store: Store, planner: Planner, values: dict[str, Any]) -> int:
    """Let the older version plan: the row is as it cannot read it meanwhile."""
    mine = alerts.c.fingerprint == "missed:schedule:1"
    own = select(alerts.c.kind, alerts.c.severity, alerts.c.labels).where(mine)
    before = dict(store.read(lambda tx: tx.execute(own).mappings().one()))
    store.write(lambda tx: tx.execute(update(alerts).where(mine).values(values)))
    queued = planner.run_once()
    store.write(lambda tx: tx.execute(update(alerts).where(mine).values(before)))
    return queued


def titles(store: Store, of: str) -> int:
    query = select(notifications.c.title).where(notifications.c.title.contains(of))
    return len(store.read(lambda tx: tx.scalars(query).all()))


@pytest.mark.parametrize("values", FOREIGN)
def test_what_a_newer_version_told_an_older_one_beside_it_leaves_told(
    store: Store, clock: ManualClock, values: dict[str, Any]
) -> None:
    settle(store, find(since=clock.now()))
    clock.advance(MINUTE)
    planner = planner_of(store, clock)
    assert planner.run_once() == 2
    for _ in range(15):
        clock.advance(MINUTE)
        assert older(store, planner, values) + planner.run_once() == 0
    settle(store)
    assert older(store, planner, values) == 0
    assert planner.run_once() == 2, "its end is told, once for each channel"


def test_nor_does_it_forget_it_when_it_tells_of_another(store: Store, clock: ManualClock) -> None:
    settle(store, find(since=clock.now()))
    clock.advance(MINUTE)
    planner = planner_of(store, clock)
    assert planner.run_once() == 2
    settle(store, find(since=clock.now()), find(scope="schedule:2", since=clock.now()))
    clock.advance(6 * MINUTE)
    assert older(store, planner, {"labels": 3}) == 2, "of the other one"
    for _ in range(15):
        clock.advance(MINUTE)
        assert planner.run_once() == 0


def test_a_member_that_only_the_newer_version_reads_stays_as_it_wrote_it(store: Store, clock: ManualClock) -> None:
    settle(store, find(since=clock.now()))
    clock.advance(MINUTE)
    planner = planner_of(store, clock)
    planner.run_once()
    settle(store, find(since=clock.now()), find(scope="schedule:2", since=clock.now()))
    clock.advance(6 * MINUTE)
    foreign = {"missed:schedule:1": {"alert": 1, "severity": "catastrophic", "new": "گزارش"}, "x": {"alert": 2**70}}
    store.write(lambda tx: tx.execute(update(notice_groups).values(members=foreign)))
    assert older(store, planner, {"severity": "catastrophic"}) == 2, "of the other one"
    kept = store.read(lambda tx: tx.scalars(select(notice_groups.c.members)).all())
    assert [one["missed:schedule:1"] for one in kept] == [foreign["missed:schedule:1"]] * 2
    assert [one.keys() for one in kept] == [{"missed:schedule:1", "missed:schedule:2"}] * 2, "of the last nothing is"


@pytest.mark.parametrize("values", FOREIGN)
def test_pushes_of_two_versions_keep_their_pace_and_the_newer_one_makes_them(
    store: Store, clock: ManualClock, values: dict[str, Any]
) -> None:
    settle(store, find(since=clock.now()), find(K.NO_NEXT, since=clock.now()))
    planner = planner_of(store, clock, pushes=True)
    assert planner.run_once() == 1
    by_older = by_newer = 0
    for _ in range(24):
        clock.advance(LOOK)
        by_older += older(store, planner, values)
        by_newer += planner.run_once()
    assert (by_older, by_newer) == (0, 2)


def test_what_is_told_and_whose_row_is_gone_is_forgotten(store: Store, clock: ManualClock) -> None:
    settle(store, find(since=clock.now()))
    clock.advance(MINUTE)
    planner = planner_of(store, clock)
    planner.run_once()
    store.write(lambda tx: tx.execute(text("DELETE FROM alerts")))
    planner.run_once()
    assert store.read(lambda tx: tx.scalars(select(notice_groups.c.members)).all()) == [{}, {}]
