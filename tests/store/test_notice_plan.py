"""Planning on real tables: marks, groups, flapping, and two planners at once that queue nothing twice.

The rules themselves are tested on the pure planner.
"""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from celsched.domain.execution import Requester
from celsched.domain.health.finding import Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.domain.silencing import Matchers
from celsched.operations import control
from celsched.operations.scope import Scope
from celsched.store import alerts, notice_plan, notices, silences
from celsched.store.store import Store
from celsched.store.tables_watch import notifications
from tests.store.messages import MAIL, find, lease, letters, plan, settle
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule
from tests.support.stores import START

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def messages(store: Store) -> Sequence[Any]:
    query = select(notifications.c.channel, notifications.c.title, notifications.c.details).order_by(notifications.c.id)
    return store.read(lambda tx: [(row.channel, row.title, row.details["about"]) for row in tx.execute(query)])


def marks(store: Store) -> dict[str, tuple[int | None, str | None]]:
    living = store.read(alerts.living)
    return {alert.fingerprint: (alert.silence_id, alert.muted_by) for alert in living}


def test_a_life_of_an_alert_is_two_messages(store: Store, clock: ManualClock) -> None:
    settle(store, find(since=clock.now()))
    assert plan(store) == 0
    clock.advance(30 * SECOND)
    assert plan(store, [MAIL, Channel("pager")]) == 2
    assert plan(store) == 0
    clock.advance(6 * MINUTE)
    settle(store)
    assert plan(store) == 1
    assert plan(store) == 0
    about = ["missed:schedule:1"]
    assert messages(store) == [("mail", "firing", about), ("pager", "firing", about), ("mail", "resolved", about)]
    leased = lease(store)
    assert leased is not None
    assert leased.message.body == "پیام"


def test_marks_follow_what_silences_and_mutes(store: Store, clock: ManualClock) -> None:
    now = clock.now()
    silence = store.write(
        lambda tx: silences.add(
            tx,
            Matchers(kinds=frozenset({AlertKind.NO_NEXT})),
            (now, now + MINUTE),
            Requester("سارا", "laptop"),
            "x",
            now,
        )
    )
    no_next, missed = find(AlertKind.NO_NEXT, since=now), find(since=now)
    settle(store, no_next, missed, find(AlertKind.DAEMON_DOWN, "all", since=now))
    plan(store)
    assert marks(store) == {
        "no_next:schedule:1": (silence.id, None),
        "missed:schedule:1": (None, "daemon_down"),
        "daemon_down:all": (None, None),
    }
    clock.advance(MINUTE)
    settle(store, no_next, missed)
    store.write(lambda tx: notice_plan.mark(tx, clock.now()))
    assert marks(store) == {"no_next:schedule:1": (None, None), "missed:schedule:1": (None, None)}
    assert plan(store) == 2


def test_alerts_of_a_paused_schedule_are_muted(store: Store, clock: ManualClock, scope: Scope) -> None:
    schedule = add_schedule(scope, "گزارش شب")
    settle(store, find(scope=f"schedule:{schedule.id}", schedule_id=schedule.id, since=clock.now()))
    control.pause(scope, ["گزارش شب"])
    clock.advance(MINUTE)
    assert plan(store) == 0
    assert marks(store) == {f"missed:schedule:{schedule.id}": (None, "paused")}
    control.resume(scope, ["گزارش شب"])
    assert plan(store) == 1


def test_a_channel_that_comes_back_gets_one_repeat_and_not_all_that_it_missed(store: Store, clock: ManualClock) -> None:
    settle(store, find(since=clock.now()))
    clock.advance(MINUTE)
    assert plan(store) == 1
    for _ in range(5):
        clock.advance(4 * HOUR)
        assert plan(store) == 1
    arrived = []
    while (leased := lease(store)) is not None:
        store.write(lambda tx, leased=leased: notices.accepted(tx, leased, clock.now()))  # type: ignore[misc]
        arrived.append((leased.message.title, leased.created_at))
    assert arrived == [("firing", START + MINUTE), ("repeat", clock.now())]


def test_the_end_of_what_was_told_is_told_although_its_schedule_was_paused_and_deleted(
    store: Store, clock: ManualClock, scope: Scope
) -> None:
    schedule = add_schedule(scope, "گزارش شب")
    settle(store, find(scope=f"schedule:{schedule.id}", schedule_id=schedule.id, since=clock.now()))
    clock.advance(MINUTE)
    assert plan(store) == 1
    control.pause(scope, ["گزارش شب"])
    control.delete_schedule(scope, "گزارش شب")
    settle(store)
    clock.advance(5 * MINUTE)
    assert plan(store) == 1
    assert [reason for _, reason, _ in messages(store)] == ["firing", "resolved"]


def test_an_alert_that_flips_is_told_each_time_unless_the_flapping_alert_speaks_for_it(
    store: Store, clock: ManualClock
) -> None:
    flapping = find(AlertKind.FLAPPING, "missed:schedule:1", since=clock.now())

    def flip(*beside: Finding) -> int:
        told = 0
        for findings in ([find(since=clock.now()), *beside], beside):
            settle(store, *findings)
            clock.advance(6 * MINUTE)
            told += plan(store)
        return told

    assert sum(flip() for _ in range(10)) == 20, "switched off, or with limits of its own"
    assert flip(flapping) == 1, "that it flaps"
    assert flip(flapping) == 0
    assert flip() == 3, "up and down again, and that it flaps no more"


def test_information_that_comes_and_goes_does_not_hide_what_is_critical(store: Store, clock: ManualClock) -> None:
    for _ in range(6):
        settle(store, find(severity=Severity.INFO, since=clock.now()))
        clock.advance(MINUTE)
        settle(store)
        clock.advance(MINUTE)
    settle(store, find(since=clock.now()))
    clock.advance(MINUTE)
    pager = Channel("pager", severities=frozenset({Severity.CRITICAL}))
    assert plan(store, [pager]) == 1


def test_what_the_flapping_alert_names_gets_no_message_of_its_own(store: Store, clock: ManualClock) -> None:
    flapping = find(AlertKind.FLAPPING, "missed:schedule:1", since=clock.now())
    settle(store, find(since=clock.now()), flapping)
    clock.advance(MINUTE)
    assert plan(store) == 1
    assert messages(store) == [("mail", "firing", ["flapping:missed:schedule:1"])]


def test_planners_at_once_queue_each_message_once(store: Store, clock: ManualClock) -> None:
    channels = [Channel(f"c{number}") for number in range(3)]
    queued: list[int] = []
    for turn in range(4):
        findings = [find(kind, since=clock.now()) for kind in (AlertKind.MISSED, AlertKind.NO_NEXT)]
        settle(store, *(findings if turn % 2 == 0 else ()))
        clock.advance(6 * MINUTE)
        now, together = clock.now(), threading.Barrier(3)

        def one(now: Any = now, together: threading.Barrier = together) -> None:
            draft = store.read(lambda tx: notice_plan.draft(tx, channels, NoticeTimes(), now))
            together.wait(10)
            queued.append(store.write(lambda tx: notice_plan.carry_out(tx, draft.marks, letters(draft), now)))

        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(queued) == len(messages(store)) == 4 * 3 * 2
    assert len(queued) == 12
