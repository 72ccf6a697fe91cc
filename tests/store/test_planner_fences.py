"""A planner that meets an alert without words, or a message that cannot be written: the others go out, exactly once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select, text, update

from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.notices import Channel
from celsched.errors import StoreUnreachable
from celsched.monitor.deliver import Plan, Planner
from celsched.store import notice_plan, notices, pings, readable
from celsched.store.alert_rows import sound_evidence
from celsched.store.notices import Message
from celsched.store.store import Store
from celsched.store.tables_watch import alerts, notice_groups, notifications
from tests.store.messages import find, lease, message, queue, settle
from tests.support.clock import ManualClock

K = AlertKind
MINUTE = timedelta(minutes=1)
PLAN = Plan([Channel("hook"), Channel("mail")], ZoneInfo("Asia/Tehran"), timedelta(days=30))
BEYOND = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
"""An instant that no clock of Tehran can show: whatever begins then has no words."""
TITLE = {K.MISSED: '[critical] missed: "گزارش شب"', K.NO_NEXT: '[critical] no_next: "گزارش شب"'}


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's databases are used again, and their rows have the same ids."""
    monkeypatch.setattr(readable, "_said", {})


@pytest.fixture
def planner(store: Store, clock: ManualClock) -> Planner:
    """A planner in Tehran."""
    return Planner(store, clock, PLAN)


def opened(store: Store, clock: ManualClock, *findings: Finding) -> None:
    """Let these be wrong, and their groups have waited."""
    settle(store, *findings)
    clock.advance(MINUTE)


def queued(store: Store) -> Sequence[tuple[str, str, str]]:
    query = select(notifications.c.channel, notifications.c.title, notifications.c.body).order_by(notifications.c.id)
    return store.read(lambda tx: [(row[0], row[1], row[2]) for row in tx.execute(query)])


def titles(store: Store) -> list[tuple[str, str]]:
    return [one[:2] for one in queued(store)]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_an_alert_without_words_is_told_in_few_and_the_others_as_ever(
    store: Store, clock: ManualClock, planner: Planner, caplog: pytest.LogCaptureFixture
) -> None:
    opened(store, clock, find(K.NO_NEXT, since=BEYOND), find(since=clock.now()))
    assert planner.run_once() == 4
    assert planner.run_once() == 0
    assert titles(store) == [(name, TITLE[kind]) for name in ("hook", "mail") for kind in (K.MISSED, K.NO_NEXT)]
    bodies = [body for _, title, body in queued(store) if title == TITLE[K.NO_NEXT]]
    assert 'no_next of "گزارش شب": the rest of it could not be put into words' in bodies[0]
    assert "next: celsched show alert 1" in bodies[0]
    (said,) = errors(caplog)
    assert said.startswith("could not word alert 1: OverflowError")
    clock.advance(6 * MINUTE)
    settle(store)
    assert planner.run_once() == 4, "its end is told as well"
    assert planner.run_once() == 0


def test_in_a_group_the_others_keep_their_words(store: Store, clock: ManualClock, planner: Planner) -> None:
    good = [find(scope=f"schedule:{n}", since=clock.now(), summary=f"خلاصه {n}") for n in (1, 2)]
    opened(store, clock, *good, find(scope="schedule:3", since=BEYOND, summary="خلاصه 3"))
    assert planner.run_once() == 2
    body = queued(store)[0][2]
    assert [f"خلاصه {n}; since 2026-" in body for n in (1, 2, 3)] == [True, True, False]
    assert "3 alerts of kind missed" in body


@pytest.mark.parametrize("error", ["a\0b", "a\udcffb"])
def test_a_text_that_no_database_takes_is_left_out_of_the_message(
    store: Store, clock: ManualClock, planner: Planner, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(store, clock, find(since=clock.now()), find(K.NO_NEXT, since=clock.now()))
    monkeypatch.setattr(notice_plan, "sound_evidence", lambda details: {**sound_evidence(details), "error": error})
    assert planner.run_once() == 4
    assert all("could not be put into words" in body for _, _, body in queued(store))


def test_a_message_that_cannot_be_written_waits_and_the_others_are_written_once(
    store: Store,
    clock: ManualClock,
    planner: Planner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def enqueue(tx: Connection, one: Message, now: datetime) -> bool:
        if one.incident.startswith("missed#") and one.channel == "hook":
            tx.execute(text("SELECT 1 FROM alerts WHERE id = 1"))
            raise KeyError("a message that nobody foresaw")
        return notices.enqueue(tx, one, now)

    opened(store, clock, find(since=clock.now()), find(K.NO_NEXT, since=clock.now()))
    with monkeypatch.context() as broken:
        broken.setattr(notice_plan, "enqueue", enqueue)
        assert planner.run_once() == 3
        assert planner.run_once() == 0
        assert planner.gaps == "could not queue missed#1.1 for hook"
    assert titles(store) == [("hook", TITLE[K.NO_NEXT]), ("mail", TITLE[K.MISSED]), ("mail", TITLE[K.NO_NEXT])]
    assert len(errors(caplog)) == 1, "said once, with its place"
    assert errors(caplog)[0].startswith("could not queue missed#1.1 for hook: KeyError")
    assert planner.run_once() == 1, "it was not forgotten"
    gaps: str | None = planner.gaps
    assert (gaps is None, len(titles(store))) == (True, 4)


def test_a_plan_that_fails_holds_up_no_pings(store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a group that nobody foresaw")

    monkeypatch.setattr(notice_plan, "plan_notices", broken)
    monkeypatch.setattr(pings, "queue_pings", lambda tx, names, now: len(names))
    planner = Planner(store, clock, Plan(PLAN.channels, PLAN.zone, PLAN.keep, frozenset({"nightly"})))
    opened(store, clock, find(since=clock.now()))
    assert planner.run_once() == 1
    assert planner.gaps == "could not plan messages"


@pytest.mark.parametrize("place", ["draft", "carry_out"])
def test_a_store_that_is_away_goes_through_the_fence(
    store: Store, clock: ManualClock, planner: Planner, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def away(*_: object) -> None:
        raise StoreUnreachable("no route")

    opened(store, clock, find(since=clock.now()))
    monkeypatch.setattr(notice_plan, place, away)
    with pytest.raises(StoreUnreachable):
        planner.run_once()


@pytest.mark.parametrize(
    "values", [{"kind": "no_such_kind_yet"}, {"severity": "catastrophic"}, {"labels": 3}, {"details": ["x"]}]
)
def test_an_alert_beyond_this_version_holds_up_no_other(
    store: Store, clock: ManualClock, planner: Planner, values: dict[str, Any]
) -> None:
    opened(store, clock, find(since=clock.now()), find(K.NO_NEXT, since=clock.now()))
    store.write(lambda tx: tx.execute(update(alerts).where(alerts.c.kind == "missed").values(values)))
    assert planner.run_once() == 2
    assert planner.run_once() == 0
    assert titles(store) == [("hook", TITLE[K.NO_NEXT]), ("mail", TITLE[K.NO_NEXT])]


def test_an_open_alert_that_has_lost_its_opening_is_told(store: Store, clock: ManualClock, planner: Planner) -> None:
    opened(store, clock, find(since=clock.now(), evidence=Evidence()))
    store.write(lambda tx: tx.execute(update(alerts).values(opened_at=None)))
    assert planner.run_once() == 2


@pytest.mark.parametrize("members", [[1], {"missed:schedule:1": {"alert": 1, "severity": "catastrophic"}}, {"x": None}])
def test_what_was_told_and_cannot_be_read_is_told_again_once(
    store: Store, clock: ManualClock, planner: Planner, members: Any
) -> None:
    opened(store, clock, find(since=clock.now()), find(K.NO_NEXT, since=clock.now()))
    assert planner.run_once() == 4
    spoilt = update(notice_groups).where(notice_groups.c.channel == "mail", notice_groups.c.group_key == "missed")
    store.write(lambda tx: tx.execute(spoilt.values(members=members)))
    clock.advance(6 * MINUTE)
    assert planner.run_once() == 1
    assert planner.run_once() == 0
    assert titles(store)[-1] == ("mail", TITLE[K.MISSED])


def _spoil_groups(store: Store, column: str) -> None:
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    where = "WHERE channel = 'mail' AND group_key = 'missed'"
    store.write(lambda tx: tx.execute(text(f"UPDATE notice_groups SET {column} = :far {where}"), {"far": far}))


@pytest.mark.parametrize("column", ["sent_at", "began_at"])
def test_a_group_that_cannot_be_read_is_told_again_once_and_not_silent_for_ever(
    store: Store, clock: ManualClock, planner: Planner, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened(store, clock, find(since=clock.now()), find(K.NO_NEXT, since=clock.now()))
    assert planner.run_once() == 4
    _spoil_groups(store, column)
    other = Planner(store, clock, PLAN)
    assert planner.run_once() + other.run_once() == 1
    assert planner.run_once() + other.run_once() == 0
    assert titles(store)[-1] == ("mail", TITLE[K.MISSED])
    assert [one for one in caplog.messages if one.startswith("could not read group of messages mail/missed: ")]
    clock.advance(6 * MINUTE)
    settle(store)
    assert planner.run_once() == 4


@pytest.mark.parametrize("column", ["sent_at", "began_at"])
def test_one_of_which_nothing_fires_is_mended_before_something_does(
    store: Store, clock: ManualClock, planner: Planner, column: str
) -> None:
    opened(store, clock, find(since=clock.now()))
    assert planner.run_once() == 2
    clock.advance(6 * MINUTE)
    settle(store)
    assert planner.run_once() == 2
    _spoil_groups(store, column)
    assert planner.run_once() == 0
    assert store.read(lambda tx: len(tx.execute(select(notice_groups)).all())) == 2
    opened(store, clock, find(since=clock.now()))
    assert planner.run_once() == 2


def test_a_message_of_another_version_is_sent_and_one_that_cannot_be_read_holds_up_none(
    store: Store, clock: ManualClock
) -> None:
    queue(store, message("a#1.1"), message("b#1.1"))
    store.write(
        lambda tx: tx.execute(update(notifications).where(notifications.c.id == 1).values(severity="x", details=1))
    )
    first = lease(store)
    assert first is not None
    assert (first.message.title, first.message.severity, first.message.details) == ("عنوان", Severity.CRITICAL, {})
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    queue(store, message("c#1.1"))
    store.write(lambda tx: tx.execute(text("UPDATE notifications SET created_at = :far WHERE id = 2"), {"far": far}))
    second = lease(store)
    assert second is not None
    assert second.message.incident == "c#1.1"
