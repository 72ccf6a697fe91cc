"""An outage of the store as its watcher tells it: after its hold, again while it lasts, and once it is surely over."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.rules import Rule, Tuning
from celsched.domain.health.watched import RuleBook
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.errors import StoreUnreachable
from celsched.monitor.outage import Outage, Straight
from celsched.notify import Outgoing
from tests.support.clock import ManualClock
from tests.support.stores import START

LOOK = timedelta(seconds=10)
FIRING, STILL, OVER = (f'{title} "store"' for title in (
    "[critical] store_down:", "[critical] still store_down:", "[resolved] store_down:"))  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def rule_with(tuning: Tuning | None = None) -> Rule:
    return RuleBook({AlertKind.STORE_DOWN: tuning or Tuning()}).rules()[AlertKind.STORE_DOWN]


@dataclass
class Site:
    """A watcher that looks every ten seconds, two channels, and a third that wants nothing of this."""

    clock: ManualClock
    rule: Rule = field(default_factory=rule_with)
    times: NoticeTimes = field(default_factory=NoticeTimes)
    away: bool = False
    recorded: list[Alert] = field(default_factory=list)
    stored: list[Alert] = field(default_factory=list)
    mail: Straight = field(default_factory=Straight)
    push: Straight = field(default_factory=Straight)

    def __post_init__(self) -> None:
        boxes = [
            (Channel("mail"), self.mail),
            (Channel("am", pushes=True), self.push),
            (Channel("x", labels={"a": "b"}), Straight()),
        ]
        self.outage = Outage(self.clock, boxes, ZoneInfo("UTC"), rule=self.rule, record=self._record, times=self.times)

    def _record(self, alert: Alert, now: datetime) -> None:
        if self.away:
            raise StoreUnreachable("it went away while it was written")
        assert now == self.clock.now()
        (self.stored if alert.open else self.recorded).append(alert)

    def silent(self, length: timedelta) -> None:
        """It does not answer for so long, as each look finds."""
        for _ in range(length // LOOK):
            self.outage.failed(self.clock.monotonic(), "no route")
            self.clock.advance(LOOK)

    def answers(self, length: timedelta) -> None:
        """It answers for so long, as each look finds."""
        for _ in range(length // LOOK):
            self.outage.begins()
            self.outage.answers()
            self.clock.advance(LOOK)


def taken(box: Straight) -> list[Outgoing]:
    found = []
    while (first := box.first()) is not None:
        found.append(first)
        box.done(first)
    return found


def titles(box: Straight) -> list[str]:
    return [message.title for message in taken(box)]


def test_it_is_told_after_its_hold(clock: ManualClock) -> None:
    site = Site(clock)
    site.outage.failed(clock.monotonic(), "no route")
    clock.advance(timedelta(seconds=14))
    site.outage.failed(clock.monotonic(), "no route")
    assert titles(site.mail) == []
    clock.advance(timedelta(seconds=2))
    site.outage.failed(clock.monotonic(), "no route")
    site.outage.failed(clock.monotonic(), "no route")
    assert titles(site.mail) == [FIRING]
    assert titles(site.push) == [FIRING]


def test_it_is_told_again_at_the_interval_of_its_severity_while_it_lasts(clock: ManualClock) -> None:
    site = Site(clock)
    site.silent(timedelta(hours=4))
    assert titles(site.mail) == [FIRING]
    site.silent(timedelta(minutes=1))
    (again,) = taken(site.mail)
    assert (again.title, again.details["reason"]) == (STILL, "repeat")
    site.silent(timedelta(hours=3, minutes=59))
    assert taken(site.mail) == []
    site.silent(timedelta(minutes=1))
    (third,) = taken(site.mail)
    assert third.title == STILL
    assert third.incident != again.incident, "who drops what he has seen must not drop it"


def test_the_interval_goes_by_the_severity_in_force(clock: ManualClock) -> None:
    site = Site(clock, rule_with(Tuning(severity=Severity.WARNING)), NoticeTimes(repeat_warning=timedelta(minutes=5)))
    site.silent(timedelta(minutes=6))
    assert titles(site.mail) == ['[warning] still store_down: "store"'], "what nobody took gave way to it"
    quiet = Site(clock, rule_with(Tuning(severity=Severity.INFO)))
    quiet.silent(timedelta(days=2))
    assert titles(quiet.mail) == ['[info] store_down: "store"']


def test_a_channel_that_forgets_is_told_every_minute_also_while_its_end_is_awaited(clock: ManualClock) -> None:
    site = Site(clock)
    site.silent(timedelta(seconds=30))
    taken(site.push)
    site.silent(timedelta(seconds=30))
    assert taken(site.push) == []
    site.answers(timedelta(seconds=30))
    (pushed,) = taken(site.push)
    assert pushed.details["reason"] == "push"


def test_it_is_over_only_once_the_store_has_answered_for_a_while(clock: ManualClock) -> None:
    site = Site(clock)
    began = clock.now()
    site.silent(timedelta(minutes=1))
    site.answers(timedelta(seconds=30))
    site.silent(timedelta(seconds=10))
    assert titles(site.mail) == [FIRING], "an answer or three are not its end, and what comes after is not another one"
    site.answers(timedelta(seconds=30))
    assert (titles(site.mail), site.recorded) == ([], [])
    site.outage.answers()
    ended = clock.now()
    site.answers(timedelta(minutes=1))
    assert titles(site.mail) == [OVER]
    (alert,) = site.recorded
    assert (alert.since, alert.opened_at, alert.resolved_at) == (began, began + 2 * LOOK, ended)
    assert alert.fingerprint.startswith("store_down:host:")


def test_its_row_opens_before_the_first_look_that_the_store_answers_and_again_after_each_relapse(
    clock: ManualClock,
) -> None:
    site = Site(clock)
    site.outage.begins()
    site.silent(timedelta(seconds=10))
    site.outage.begins()
    assert site.stored == [], "it has not lasted for its hold"
    site.silent(timedelta(seconds=20))
    site.away = True
    with pytest.raises(StoreUnreachable):
        site.outage.begins()
    site.away = False
    site.outage.begins()
    (alert,) = site.stored
    assert (alert.open, alert.resolved_at) == (True, None)
    assert alert.summary.startswith("the store could not be reached from ")
    site.answers(timedelta(seconds=20))
    assert len(site.stored) == 1
    site.silent(LOOK)
    site.answers(timedelta(seconds=20))
    assert len(site.stored) == 2
    site.answers(timedelta(minutes=1))
    assert (len(site.stored), len(site.recorded)) == (2, 1)


def test_a_clock_that_jumps_ends_no_outage(clock: ManualClock) -> None:
    site = Site(clock)
    site.silent(timedelta(minutes=1))
    site.outage.answers()
    clock.set(clock.now() + timedelta(hours=1))
    site.outage.answers()
    assert titles(site.mail) == [FIRING]


def test_a_store_that_does_not_take_the_row_is_not_back(clock: ManualClock) -> None:
    site = Site(clock)
    site.silent(timedelta(minutes=1))
    site.answers(timedelta(seconds=30))
    site.away = True
    with pytest.raises(StoreUnreachable):
        site.outage.answers()
    site.silent(timedelta(seconds=10))
    assert titles(site.mail) == [FIRING]
    site.away = False
    site.answers(timedelta(seconds=40))
    assert (titles(site.mail), len(site.recorded)) == ([OVER], 1)


def test_a_short_outage_and_one_switched_off_are_neither_told_nor_stored(clock: ManualClock) -> None:
    for rule, length in ((rule_with(), 1), (replace(rule_with(), enabled=False), 90)):
        site = Site(clock, rule)
        site.silent(length * LOOK)
        site.answers(timedelta(minutes=2))
        assert (titles(site.mail), site.recorded) == ([], [])


def test_two_short_ones_do_not_make_a_long_one(clock: ManualClock) -> None:
    site = Site(clock)
    for _ in range(3):
        site.silent(LOOK)
        site.answers(LOOK)
    assert titles(site.mail) == []
