"""Alerts open after their hold, are renewed, and resolve; of several watchers one does each. Nothing is judged here."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event, update

from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.store import alerts
from celsched.store.alert_refresh import marked
from celsched.store.alerts import Flips, StoredAlert
from celsched.store.store import Store, Tx
from celsched.store.tables_watch import alerts as table
from tests.support.clock import ManualClock
from tests.support.stores import START

MINUTE = timedelta(minutes=1)
EVIDENCE = Evidence(
    execution=7, fire_time=START, last_success_at=START, error="خطا", command="celsched why 'گزارش'", count=3
)
WRONG = Finding(
    AlertKind.OVERDUE,
    "schedule:1",
    Severity.WARNING,
    "گزارش",
    "گزارش دیر است",
    START - MINUTE,
    queue="صف",
    labels={"set": "مالی"},
    evidence=EVIDENCE,
)
FAILED = replace(WRONG, kind=AlertKind.FAILED, event_at=START)


def _settle(store: Store, *findings: Finding, now: datetime | None = None, seen: Any = None) -> Flips:
    """Settle a look taken now, or of which the caller says when it was taken and what it saw."""

    def work(tx: Tx) -> Flips:
        known = alerts.known(tx) if seen is None else seen
        return alerts.settle(tx, findings, known, now or store.clock.now())

    return store.write(work)


def _living(store: Store) -> list[StoredAlert]:
    return store.read(alerts.living)


def _resolve_by_hand(store: Store, fingerprint: str = WRONG.fingerprint) -> None:
    values = {"state": "resolved", "resolved_at": store.clock.now(), "resolved_by": "سارا"}
    store.write(lambda tx: tx.execute(update(table).where(table.c.fingerprint == fingerprint).values(values)))


def test_what_is_wrong_opens_once_with_all_that_is_known_of_it(store: Store, clock: ManualClock) -> None:
    (opened,) = _settle(store, WRONG).opened

    assert (opened.fingerprint, opened.state, opened.subject) == ("overdue:schedule:1", "open", "گزارش")
    assert (opened.queue, opened.labels, opened.opened_at) == ("صف", {"set": "مالی"}, START)
    assert (opened.since, opened.evidence) == (START - MINUTE, EVIDENCE)
    living = store.read(alerts.known)[WRONG.fingerprint]
    assert (living.scope, living.open, living.summary) == ("schedule:1", True, WRONG.summary)
    assert (living.since, living.evidence, living.pending_since) == (WRONG.since, EVIDENCE, START)
    assert _settle(store, WRONG).opened == []


def test_what_goes_on_is_renewed(store: Store, clock: ManualClock) -> None:
    _settle(store, FAILED)
    clock.advance(MINUTE)
    worse = replace(
        FAILED,
        severity=Severity.CRITICAL,
        summary="باز هم",
        event_at=START + MINUTE,
        labels={"set": "دیگر"},
        queue="q",
        evidence=replace(EVIDENCE, count=4),
    )
    flips = _settle(store, worse)

    assert (flips.opened, flips.resolved) == ([], [])
    (alert,) = _living(store)
    assert (alert.severity, alert.summary, alert.event_at) == (Severity.CRITICAL, "باز هم", START + MINUTE)
    assert (alert.labels, alert.queue, alert.evidence.count, alert.seen_at) == ({"set": "دیگر"}, "q", 4, START + MINUTE)
    assert alert.opened_at == START
    clock.advance(MINUTE)
    _settle(store, worse)
    assert _living(store)[0].seen_at == START + 2 * MINUTE


def test_it_resolves_when_it_is_over_and_opens_anew(store: Store, clock: ManualClock) -> None:
    _settle(store, WRONG)
    clock.advance(MINUTE)
    (over,) = _settle(store).resolved
    assert (over.state, over.resolved_at, over.resolved_by) == ("resolved", START + MINUTE, None)
    assert _living(store) == []
    clock.advance(MINUTE)
    (again,) = _settle(store, WRONG).opened
    assert again.id != over.id


def test_with_a_hold_it_opens_only_after_that(store: Store, clock: ManualClock) -> None:
    held = replace(WRONG, hold=MINUTE)
    assert _settle(store, held).opened == []
    assert [alert.state for alert in _living(store)] == ["pending"]
    assert store.read(alerts.firing) == []
    clock.advance(MINUTE / 2)
    assert _settle(store, held).opened == []
    clock.advance(MINUTE / 2)
    (opened,) = _settle(store, held).opened
    assert (opened.state, opened.opened_at, opened.pending_since) == ("open", START + MINUTE, START)
    assert _settle(store, held).opened == []


def test_what_clears_within_its_hold_was_never_there(store: Store, clock: ManualClock) -> None:
    held = replace(WRONG, hold=MINUTE)
    _settle(store, held)
    clock.advance(MINUTE / 2)
    assert _settle(store).resolved == []
    assert store.read(lambda tx: tx.execute(table.select()).all()) == []
    clock.advance(MINUTE / 2)
    assert _settle(store, held).opened == [], "its hold begins anew"


def test_an_event_that_a_person_resolved_comes_back_only_with_another_event(store: Store, clock: ManualClock) -> None:
    _settle(store, FAILED)
    clock.advance(MINUTE)
    _resolve_by_hand(store, FAILED.fingerprint)
    clock.advance(MINUTE)
    assert _settle(store, FAILED).opened == []
    assert _settle(store, replace(FAILED, event_at=START + MINUTE)).opened == []
    assert len(_settle(store, replace(FAILED, event_at=START + 2 * MINUTE)).opened) == 1


def test_what_is_still_so_comes_back_though_a_person_resolved_it(store: Store, clock: ManualClock) -> None:
    _settle(store, WRONG)
    _resolve_by_hand(store)
    clock.advance(MINUTE)
    assert len(_settle(store, WRONG).opened) == 1


def test_an_older_look_undoes_nothing_of_a_later_one(store: Store, clock: ManualClock) -> None:
    before = clock.now()
    clock.advance(MINUTE)
    _settle(store, WRONG)
    assert _settle(store, now=before, seen={}).resolved == [], "it was not there when that look was taken"
    assert _settle(store, now=before, seen={WRONG.fingerprint}).resolved == [], "a later look has seen it"
    _settle(store, replace(WRONG, summary="alt"), now=before)
    assert _living(store)[0].summary == WRONG.summary

    assert len(_settle(store).resolved) == 1
    assert _settle(store, WRONG, now=before).opened == [], "a later look knows that it is over"


def test_what_was_written_before_the_clock_was_set_back_does_not_wait_for_it(store: Store, clock: ManualClock) -> None:
    held, gone = replace(WRONG, scope="schedule:2", hold=MINUTE), replace(WRONG, scope="schedule:3")
    _settle(store, WRONG, held, gone, FAILED)
    _settle(store, WRONG, held, FAILED)
    _resolve_by_hand(store, "failed:schedule:1")
    clock.set(START - 60 * MINUTE)

    _settle(store, replace(WRONG, summary="باز هم"), held, FAILED)
    assert [(one.scope, one.state, one.summary, one.seen_at) for one in _living(store)] == [
        ("schedule:1", "open", "باز هم", clock.now()),
        ("schedule:2", "pending", held.summary, clock.now()),
    ], "the event that a person resolved is still that one"
    clock.advance(MINUTE)
    again = replace(FAILED, event_at=clock.now())
    assert [one.fingerprint for one in _settle(store, held, again).opened] == [
        "failed:schedule:1",
        "overdue:schedule:2",
    ]
    assert [one.scope for one in _living(store)] == ["schedule:2", "schedule:1"], "the first one is over"
    assert len(_settle(store, held, again, gone).opened) == 1, "what was resolved by itself may open again"


def test_what_a_later_look_has_seen_is_not_ahead_of_the_clock(store: Store, clock: ManualClock) -> None:
    before = clock.now()
    clock.advance(60 * MINUTE)
    _settle(store, WRONG)

    def late(tx: Tx) -> Flips:
        return alerts.settle(tx, [], {WRONG.fingerprint}, before, clock.now())

    assert store.write(late).resolved == [], "that look was held up for an hour, and the clock is right"


def test_two_watchers_at_once_open_and_resolve_each_alert_once(store: Store, clock: ManualClock) -> None:
    findings = [replace(WRONG, scope=f"schedule:{number}", hold=MINUTE * (number % 2)) for number in range(40)]
    known = {finding.fingerprint for finding in findings}

    def at_once(*wanted: Finding, seen: set[str]) -> list[Flips]:
        found: list[Flips] = []
        barrier = threading.Barrier(3)

        def watch() -> None:
            barrier.wait(timeout=30)
            found.append(_settle(store, *wanted, seen=seen))

        threads = [threading.Thread(target=watch) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len(found) == 3
        return found

    opened = [alert.fingerprint for flips in at_once(*findings, seen=set()) for alert in flips.opened]
    clock.advance(MINUTE)
    opened += [alert.fingerprint for flips in at_once(*findings, seen=known) for alert in flips.opened]
    assert sorted(opened) == sorted(known)
    clock.advance(MINUTE)
    resolved = [alert.fingerprint for flips in at_once(seen=known) for alert in flips.resolved]
    assert sorted(resolved) == sorted(known)


def test_a_thousand_alerts_are_few_statements(store: Store, clock: ManualClock) -> None:
    findings = [replace(WRONG, scope=f"schedule:{number}") for number in range(1200)]
    counted: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        counted.append(statement)

    event.listen(store.engine, "before_cursor_execute", count)
    assert len(_settle(store, *findings).opened) == 1200
    clock.advance(MINUTE)
    _settle(store, *[replace(finding, summary="anders") for finding in findings])
    assert len(_settle(store).resolved) == 1200
    event.remove(store.engine, "before_cursor_execute", count)
    assert len(counted) < 60, len(counted)


def test_only_what_changed_since_the_look_was_taken_is_read_again(store: Store, clock: ManualClock) -> None:
    other = replace(WRONG, scope="schedule:2")
    _settle(store, WRONG, other)
    before = _living(store)
    clock.advance(MINUTE)
    _settle(store, replace(WRONG, summary="anders"), other)
    clock.advance(MINUTE)
    seen = {one.fingerprint for one in before}

    def late(tx: Tx) -> Flips:
        tx.execute(update(table).where(table.c.fingerprint == other.fingerprint).values(acknowledged_by="سارا"))
        return alerts.settle(tx, [WRONG, other], seen, clock.now(), before=marked(before))

    firing = store.write(late).firing
    assert [one.summary for one in _living(store)] == [WRONG.summary] * 2, "another watcher had written other words"
    assert [(one.id, one.acknowledged_by) for one in firing] == [(before[0].id, None), (before[1].id, "سارا")]

    before = _living(store)
    again = store.write(lambda tx: alerts.settle(tx, [WRONG, other], seen, clock.now(), before=marked(before))).firing
    assert all(one is there for one, there in zip(again, before, strict=True)), "nothing changed: nothing is parsed"
    assert store.write(lambda tx: alerts.settle(tx, [], seen, clock.now(), before=marked(before))).firing == []
