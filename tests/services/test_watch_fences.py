"""A judge that raises, in a watcher that runs: the others are heard, what it told stays, and the operator is told."""

import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.clock import SystemClock
from celsched.domain.execution import State
from celsched.domain.health import machine, schedules
from celsched.domain.health.finding import Finding
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Look
from celsched.domain.health.watched import RuleBook
from celsched.domain.policy import Misfire
from celsched.errors import StoreUnreachable
from celsched.monitor import check
from celsched.monitor.check import Watcher
from celsched.monitor.heart import Heart
from celsched.monitor.loop import watch_until
from celsched.monitor.watchers import WatcherCheck
from celsched.notify import Outgoing
from celsched.operations.scope import Scope
from celsched.store import alerts, instances
from celsched.store.presence import Presence
from celsched.store.store import Store
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule
from tests.support.stores import sqlite_url
from tests.support.waiting import wait_until

K = AlertKind
HEARTBEAT = timedelta(seconds=10)
HOUR = timedelta(hours=1)


def raising(look: Look) -> Iterator[Finding]:
    raise ValueError("a row that nobody foresaw")


def watcher_of(store: Store, clock: ManualClock) -> Watcher:
    return Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})


def kinds(watcher: Watcher) -> set[str]:
    return {alert.kind.value for alert in watcher.run_once().firing}


@pytest.fixture
def missed(store: Store, clock: ManualClock, scope: Scope) -> None:
    """A schedule of which a fire time was missed."""
    add_schedule(scope, "گزارش", every=HOUR, misfire=Misfire.SKIP)
    clock.advance(3 * HOUR)
    actors.scan(store)


@pytest.mark.usefixtures("missed")
def test_a_judge_that_raises_resolves_nothing_and_the_others_open_and_resolve(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = watcher_of(store, clock)
    assert kinds(watcher) == {"missed", "daemon_down"}
    with monkeypatch.context() as broken:
        broken.setitem(schedules.JUDGES, K.MISSED, raising)
        (fired,) = [one for one in actors.all_executions(store) if one.state is State.PENDING]
        actors.run(store, fired.id)
        Presence(store, clock, "daemon", every=HEARTBEAT).beat()
        result = watcher.run_once()
        assert [alert.kind.value for alert in result.firing] == ["missed"], "the daemon has come, and that is seen"
        assert [(gap.place, gap.why) for gap in result.gaps] == [
            ("judge missed", "ValueError: a row that nobody foresaw")
        ]
    result = watcher.run_once()
    assert ([*result.firing], [*result.gaps]) == ([], []), "it is over, now that it can be judged"


def test_what_happened_while_a_judge_raised_is_found_when_it_judges_again(
    store: Store, clock: ManualClock, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_schedule(scope, "گزارش", every=HOUR, misfire=Misfire.SKIP)
    watcher = watcher_of(store, clock)
    with monkeypatch.context() as broken:
        broken.setitem(schedules.JUDGES, K.MISSED, raising)
        clock.advance(3 * HOUR)
        actors.scan(store)
        for _ in range(3):
            assert "missed" not in kinds(watcher)
            clock.advance(HOUR / 4)
    assert "missed" in kinds(watcher)


@pytest.mark.parametrize("place", ["unexplained", "explained"])
@pytest.mark.usefixtures("missed")
def test_an_alert_opens_although_nobody_can_say_what_failed_last(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(check, place, lambda look, *_: raising(look).__next__())
    result = watcher_of(store, clock).run_once()
    assert {alert.kind.value for alert in result.firing} == {"missed", "daemon_down"}
    assert [gap.place for gap in result.gaps] == ["say what failed last"]


@pytest.mark.usefixtures("missed")
def test_nor_does_a_failure_that_cannot_be_read_keep_it_away(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "unexplained", lambda *_: {1})
    monkeypatch.setattr(check, "last_failures", lambda tx, wanted: next(raising(Look(clock.now(), HEARTBEAT))))
    result = watcher_of(store, clock).run_once()
    assert {alert.kind.value for alert in result.firing} == {"missed", "daemon_down"}
    assert [gap.place for gap in result.gaps] == ["say what failed last"]


def test_a_store_that_is_away_is_no_gap_but_an_outage(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnreachable("no route")

    watcher = watcher_of(store, clock)
    monkeypatch.setattr(check, "unexplained", lambda *_: {1})
    monkeypatch.setattr(check, "last_failures", away)
    with pytest.raises(StoreUnreachable):
        watcher.run_once()


def test_the_daemons_look_at_watchers_has_the_same_fences(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(machine.JUDGES, K.CLOCK_JUMP, raising)
    Presence(store, clock, "watcher", every=HEARTBEAT).beat()
    clock.advance(HOUR)
    looks = WatcherCheck(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT)
    looks.run_once()
    looks.run_once()
    assert [alert.kind.value for alert in store.read(alerts.firing)] == ["watch_down"]
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert said[0].startswith("could not judge clock_jump: ValueError: a row that nobody foresaw; this daemon")


class Ear:
    """Listens to a watcher, and stops it after so many looks."""

    def __init__(self, looks: int) -> None:
        self.heard: list[str | None] = []
        self.stop = threading.Event()
        self._looks = looks
        self._begun = 0

    def begins(self) -> None:
        assert self._begun == len(self.heard), "each look begins and ends"
        self._begun += 1

    def good(self) -> None:
        self._hear(None)

    def partly(self, gaps: str) -> None:
        self._hear(gaps)

    def store_away(self, began: float, reason: str) -> None:
        raise AssertionError(reason)

    def _hear(self, gaps: str | None) -> None:
        self.heard.append(gaps)
        if len(self.heard) == self._looks:
            self.stop.set()


def test_a_watcher_whose_looks_have_gaps_lives_and_says_so_everywhere(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock.auto_advance = True
    monkeypatch.setitem(schedules.JUDGES, K.MISSED, raising)
    ear, born = Ear(looks=6), clock.now()
    watch_until(
        ear.stop, watcher_of(store, clock), Presence(store, clock, "watcher", every=HEARTBEAT), clock, None, ear
    )
    (row,) = store.read(lambda tx: instances.listing(tx, 10))
    assert row.note == "could not judge missed"
    assert row.beat_at - born >= 4 * HEARTBEAT, "it is not blind"
    assert ear.heard == ["could not judge missed"] * 6
    said = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1, "once, and with its traceback"
    assert said[0].exc_info is not None
    assert "stay as they are" in said[0].getMessage()


def test_a_look_without_gaps_ends_the_note_and_is_logged(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock.auto_advance = True
    turns = iter([raising, raising])
    monkeypatch.setitem(schedules.JUDGES, K.MISSED, lambda look: next(turns, lambda _: iter(()))(look))
    ear = Ear(looks=5)
    with caplog.at_level("INFO"):
        presence = Presence(store, clock, "watcher", every=HEARTBEAT)
        watch_until(ear.stop, watcher_of(store, clock), presence, clock, None, ear)
    assert [gaps is None for gaps in ear.heard] == [False, False, True, True, True]
    assert store.read(lambda tx: instances.listing(tx, 10))[0].note is None
    assert [record.getMessage() for record in caplog.records].count("could judge missed again") == 1


def test_a_heart_pings_a_failure_for_a_turn_with_gaps() -> None:
    pings: list[Outgoing] = []
    heart = Heart(SystemClock(), pings.append, "celsched watch", every=0.01)
    with heart.running(threading.Event()):
        heart.beat("could not judge missed")
        wait_until(lambda: len(pings) == 1, message="the turn is pinged")
        heart.beat()
        wait_until(lambda: len(pings) == 2, message="the next one too")
    assert [one.details["signal"] for one in pings] == ["fail", "success"]
    assert pings[0].body == "celsched watch is alive, but could not judge missed"


def test_watch_once_is_no_good_news_where_something_could_not_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "celsched.toml").write_text(f'database_url = "{sqlite_url(tmp_path / "s.db")}"\n')

    def call() -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        cli = CliContext(stdout=out, stderr=err, stdin=io.StringIO(), env={}, cwd=tmp_path)
        return main(["watch", "--once", "--severity", "critical"], cli=cli), out.getvalue(), err.getvalue()

    assert call()[0] == 0
    monkeypatch.setitem(schedules.JUDGES, K.MISSED, raising)
    code, _, err = call()
    assert (code, "warning: could not judge missed: ValueError: a row that nobody foresaw" in err) == (70, True)
    assert "Traceback" not in err
