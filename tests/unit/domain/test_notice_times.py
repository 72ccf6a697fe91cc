"""Other lengths of time than the defaults move the messages, each its own and no other. Nothing is sent."""

from datetime import timedelta

import pytest

from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.health.kinds import Severity
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Reason
from tests.unit.domain.messages import NOON, Planner, at, make_alert


def test_the_defaults_are_those_of_alertmanager() -> None:
    times = NoticeTimes()
    assert (times.group_wait, times.group_interval) == (timedelta(seconds=30), timedelta(minutes=5))
    assert times.repeat(Severity.CRITICAL) == timedelta(hours=4)
    assert times.repeat(Severity.WARNING) == timedelta(hours=24)
    assert times.repeat(Severity.INFO) is None


@pytest.mark.parametrize("seconds", [0, 5, 90])
def test_the_first_message_waits_as_long_as_is_set(seconds: int) -> None:
    planner = Planner(times=NoticeTimes(group_wait=timedelta(seconds=seconds)))
    if seconds:
        assert planner.look(at(seconds=seconds - 1), make_alert()) is None
    assert planner.look(at(seconds=seconds), make_alert())


def test_news_and_the_end_wait_for_the_interval_that_is_set() -> None:
    planner = Planner(times=NoticeTimes(group_interval=timedelta(minutes=1)))
    first, second = make_alert(1), make_alert(2, opened_at=at(seconds=40))
    assert planner.look(at(seconds=30), first)
    assert planner.look(at(seconds=89), first, second) is None
    assert planner.look(at(seconds=90), first, second)
    over = [make_alert(number, resolved_at=at(seconds=100)) for number in (1, 2)]
    assert planner.look(at(seconds=149), *over) is None
    notice = planner.look(at(seconds=150), *over)
    assert notice is not None
    assert notice.reason is Reason.RESOLVED


@pytest.mark.parametrize(("severity", "minutes"), [(Severity.CRITICAL, 10), (Severity.WARNING, 45)])
def test_each_severity_is_repeated_after_its_own_time(severity: Severity, minutes: int) -> None:
    times = NoticeTimes(repeat_critical=timedelta(minutes=10), repeat_warning=timedelta(minutes=45))
    planner, alert = Planner(times=times), make_alert(severity=severity)
    assert planner.look(at(seconds=30), alert)
    assert planner.look(at(minutes=minutes), alert) is None
    notice = planner.look(at(minutes=minutes, seconds=30), alert)
    assert notice is not None
    assert notice.reason is Reason.REPEAT


def test_the_most_frequent_of_a_group_decides_unless_it_is_acknowledged() -> None:
    times = NoticeTimes(repeat_critical=timedelta(hours=9), repeat_warning=timedelta(hours=1))
    planner = Planner(times=times)
    grave, mild = make_alert(1), make_alert(2, severity=Severity.WARNING)
    assert planner.look(at(seconds=30), grave, mild)
    assert planner.look(at(hours=2), grave, mild)
    known = make_alert(2, severity=Severity.WARNING, acknowledged=True)
    assert planner.look(at(hours=4), grave, known) is None
    assert planner.look(at(hours=11), grave, known)


def test_information_is_never_repeated_and_a_channel_that_forgets_has_its_own_pace() -> None:
    hasty = NoticeTimes(*[timedelta(seconds=1)] * 4)
    planner = Planner(times=hasty)
    assert planner.look(at(seconds=1), make_alert(1, K.ENDING_SOON))
    assert planner.look(at(days=1), make_alert(1, K.ENDING_SOON)) is None
    pushed = Planner(Channel("am", pushes=True), times=hasty)
    assert pushed.look(NOON, make_alert())
    assert pushed.look(at(seconds=59), make_alert()) is None
