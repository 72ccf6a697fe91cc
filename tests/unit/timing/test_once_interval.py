"""Once and Interval: R21-R23, arithmetic on a grid that never drifts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.errors import InvalidRule
from celsched.timing import Interval, Once
from celsched.timing.rule import Rule, upcoming
from celsched.timing.zone import dst_note
from tests.unit.timing.judge import utc

BASE = utc("2024-03-09T07:30:00.000001Z")
TICK = timedelta(microseconds=1)
RING = settings(derandomize=True, database=None, max_examples=150)


def test_once_fires_once() -> None:
    rule = Once(utc("2026-12-01T09:00+03:30"))
    assert rule.at.tzinfo is UTC
    assert rule.next_after(rule.at - TICK) == rule.at
    assert rule.next_after(rule.at) is None
    assert rule.count(rule.at - TICK, rule.at) == 1
    assert rule.count(rule.at, rule.at + TICK) == 0
    assert rule.latest(rule.at, rule.at - TICK, 5) == [rule.at]
    assert rule.latest(rule.at, rule.at - TICK, 0) == []
    assert rule.describe() == "once at 2026-12-01T05:30:00Z"
    unlimited: Rule = rule
    assert unlimited.shortest_period() is None
    assert dst_note(rule, rule.at) is None


def test_rules_are_values_whatever_the_zone_of_their_instants() -> None:
    tehran = datetime(2026, 12, 1, 9, tzinfo=ZoneInfo("Asia/Tehran"))
    assert Once(tehran) == Once(at=utc("2026-12-01T05:30Z"))
    assert hash(Once(tehran)) == hash(Once(utc("2026-12-01T05:30Z")))
    hour = timedelta(hours=1)
    assert len({Interval(hour, tehran), Interval(every=hour, base=utc("2026-12-01T05:30Z"))}) == 1


def test_first_fire_time_is_the_base() -> None:
    rule = Interval(timedelta(hours=6), BASE)
    assert rule.next_after(BASE - timedelta(days=400)) == BASE
    assert rule.next_after(BASE - TICK) == BASE
    assert rule.next_after(BASE) == BASE + timedelta(hours=6)
    assert rule.next_after(BASE + timedelta(hours=6) - TICK) == BASE + timedelta(hours=6)
    assert rule.describe() == "every 6 hours"
    assert rule.shortest_period() == timedelta(hours=6)
    assert dst_note(rule, BASE) is None


def test_an_interval_counts_elapsed_time_not_the_wall_clock() -> None:
    new_york = ZoneInfo("America/New_York")
    rule = Interval(timedelta(days=1), datetime(2024, 3, 8, 2, 30, tzinfo=new_york))
    times = [time.astimezone(new_york) for time in upcoming(rule, rule.base, 3)]
    assert [f"{time:%d %H:%M}" for time in times] == ["09 02:30", "10 03:30", "11 03:30"]


def test_a_year_of_seconds_is_counted_at_once() -> None:
    rule = Interval(timedelta(seconds=1), BASE)
    until = BASE + timedelta(days=365)
    assert rule.count(BASE, until) == 365 * 86_400
    assert rule.latest(until, BASE, 3) == [until - timedelta(seconds=2), until - timedelta(seconds=1), until]
    assert rule.count(until, BASE) == 0
    assert rule.latest(BASE, until, 3) == []
    assert rule.latest(until, BASE, 0) == []


def test_the_end_of_the_calendar() -> None:
    rule = Interval(timedelta(days=36_525), datetime(9990, 1, 1, tzinfo=UTC))
    assert rule.next_after(rule.base) is None


@pytest.mark.parametrize(
    ("every", "words"),
    [
        (timedelta(0), "at least 1 second"),
        (timedelta(seconds=-5), "at least 1 second"),
        (timedelta(milliseconds=500), "at least 1 second"),
        (timedelta(seconds=1.5), "whole seconds"),
        (timedelta(days=40_000), "100 years"),
    ],
)
def test_periods_that_are_refused(every: timedelta, words: str) -> None:
    with pytest.raises(InvalidRule, match=words) as caught:
        Interval(every, BASE)
    assert caught.value.field == "every"


def test_naive_instants_are_refused() -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001
    for build in (lambda: Once(naive), lambda: Interval(timedelta(hours=1), naive)):
        with pytest.raises(ValueError, match="naive"):
            build()
    for rule in (Once(BASE), Interval(timedelta(hours=1), BASE)):
        with pytest.raises(ValueError, match="naive"):
            rule.next_after(naive)
        with pytest.raises(ValueError, match="naive"):
            rule.count(naive, BASE)
        with pytest.raises(ValueError, match="naive"):
            rule.latest(naive, BASE, 1)


SECONDS = st.integers(1, 10_000_000)
INSTANTS = st.integers(-(10**13), 10**15).map(lambda us: BASE + timedelta(microseconds=us))


@RING
@given(SECONDS, INSTANTS)
def test_no_drift(seconds: int, instant: datetime) -> None:
    every = timedelta(seconds=seconds)
    found = Interval(every, BASE).next_after(instant)
    assert found is not None
    assert found > instant
    assert (found - BASE) % every == timedelta(0)
    assert found == BASE or found - every <= instant


@RING
@given(SECONDS, INSTANTS, st.integers(0, 40), st.integers(1, 50))
def test_count_and_latest_equal_a_walk(seconds: int, start: datetime, steps: int, limit: int) -> None:
    rule = Interval(timedelta(seconds=seconds), BASE)
    end = max(start, BASE) + steps * rule.every
    walked = list(upcoming(rule, start, 100, end))
    assert rule.count(start, end) == len(walked)
    assert rule.latest(end, start, limit) == walked[-limit:]


def test_upcoming_stops_at_limit_at_until_and_at_the_end() -> None:
    rule = Interval(timedelta(hours=1), BASE)
    assert list(upcoming(rule, BASE, 0)) == []
    assert list(upcoming(rule, BASE, 9, BASE + timedelta(hours=2))) == [BASE + timedelta(hours=n) for n in (1, 2)]
    assert list(upcoming(Once(BASE), BASE - TICK, 9)) == [BASE]
    with pytest.raises(ValueError, match="naive"):
        next(upcoming(rule, BASE, 1, datetime(2024, 1, 1)))  # noqa: DTZ001
