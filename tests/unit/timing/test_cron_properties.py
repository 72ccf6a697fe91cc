"""Cron against two judges over random expressions around clock changes: a walk over real minutes, and cronsim."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from celsched.errors import InvalidRule
from celsched.timing.cron import Cron
from celsched.timing.rule import upcoming
from tests.unit.timing import judge

HALF = timedelta(days=2)
# Noon UTC on the days of clock changes; all of them are the same in every release of the tz data since 2023d.
CHANGES = [
    ("Australia/Lord_Howe", "2024-04-06"),
    ("Australia/Lord_Howe", "2024-10-05"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Tehran", "2022-03-21"),
    ("Asia/Tehran", "2022-09-21"),
    ("Africa/Casablanca", "2023-03-19"),
    ("Africa/Casablanca", "2023-04-23"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Asuncion", "2023-03-26"),
    ("America/Asuncion", "2023-10-01"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2024-11-03"),
    ("Antarctica/Troll", "2024-03-31"),
    ("Antarctica/Troll", "2023-10-29"),
    ("Asia/Kathmandu", "2024-03-10"),
]
# Whole-hour changes away from midnight, where cronsim is right about rules that follow real time too.
PLAIN_CHANGES = [change for change in CHANGES if change[0] in ("America/New_York", "Africa/Casablanca")]
RING = settings(derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def items(low: int, high: int) -> st.SearchStrategy[str]:
    """Return items of one field; never a-a/n, which cronsim widens."""
    value = st.integers(low, high)
    pair = st.tuples(value, value).filter(lambda ends: ends[0] < ends[1])
    step = st.integers(1, high + 2)
    return st.one_of(
        value.map(str),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(pair, step).map(lambda part: f"{part[0][0]}-{part[0][1]}/{part[1]}"),
        st.tuples(st.integers(low, high - 1), step).map(lambda part: f"{part[0]}/{part[1]}"),
        step.map(lambda n: f"*/{n}"),
    )


def field(low: int, high: int, *more: str) -> st.SearchStrategy[str]:
    item = st.one_of(items(low, high), st.sampled_from(more)) if more else items(low, high)
    return st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join))


NTH = [f"{day}#{k}" for day in range(8) for k in range(1, 6)]
EXPRESSIONS = st.tuples(
    field(0, 59),
    st.one_of(field(0, 23), st.sampled_from(["0", "1", "2", "1-2", "0,23", "*/2"])),
    st.one_of(st.just("*"), field(1, 31, "L")),
    st.just("*"),
    st.one_of(st.just("*"), field(0, 7, *NTH)),
).map(" ".join)
SECONDS = st.integers(0, 2 * HALF // timedelta(seconds=1))


def build(expression: str, zone: str) -> Cron:
    try:
        return Cron(expression, zone)
    except InvalidRule as error:
        assume("no date ever" not in error.message)
        raise


def window(change: tuple[str, str]) -> tuple[str, datetime, datetime]:
    zone, day = change
    middle = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return zone, middle - HALF, middle + HALF


@settings(RING, max_examples=250)
@given(EXPRESSIONS, st.sampled_from(CHANGES), st.lists(SECONDS, min_size=2, max_size=6), st.integers(1, 9))
def test_agrees_with_a_walk_over_real_minutes(
    expression: str, change: tuple[str, str], offsets: list[int], limit: int
) -> None:
    zone, start, end = window(change)
    rule, expected = build(expression, zone), judge.fire_times(expression, zone, start, end)
    for seconds in offsets:
        instant = start + timedelta(seconds=seconds)
        place = bisect_right(expected, instant)
        found = rule.next_after(instant)
        assert found is not None
        assert found > instant
        if place < len(expected):
            assert found == expected[place]
        else:
            assert found > end
    low, high = (start + timedelta(seconds=seconds) for seconds in sorted(offsets[:2]))
    inside = expected[bisect_right(expected, low) : bisect_right(expected, high)]
    assert rule.count(low, high) == len(inside)
    assert rule.latest(high, low, limit) == inside[-limit:]


@settings(RING, max_examples=40)
@given(EXPRESSIONS, st.sampled_from(CHANGES), SECONDS)
def test_a_walk_can_be_taken_up_anywhere(expression: str, change: tuple[str, str], seconds: int) -> None:
    zone, start, _ = window(change)
    rule, begin = build(expression, zone), start + timedelta(seconds=seconds)
    walked = list(upcoming(rule, begin, 12))
    assert walked == sorted(set(walked))
    assert list(upcoming(Cron(expression, zone), walked[4], 7)) == walked[5:]
    assert rule.count(begin, walked[-1]) == 12
    assert rule.latest(walked[-1], begin, 12) == walked


@settings(RING, max_examples=150)
@given(EXPRESSIONS, st.sampled_from(CHANGES), st.sampled_from(PLAIN_CHANGES), SECONDS)
def test_agrees_with_cronsim(expression: str, change: tuple[str, str], plain: tuple[str, str], seconds: int) -> None:
    minute, hour, *_ = expression.split(" ")
    zone, start, _ = window(plain if minute[0] == "*" or hour[0] == "*" else change)
    local = (start + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone))
    assume(not local.fold)  # asked from inside a second pass, cronsim answers with an earlier instant
    rule = build(expression, zone)
    assert rule.next_after(local) == next(CronSim(expression, local)).astimezone(UTC)


@pytest.mark.parametrize("expression", ["* * * * *", "0-59 0-23 * * *"])
@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
def test_every_minute_of_the_densest_rules(expression: str, change: tuple[str, str]) -> None:
    zone, start, end = window(change)
    rule, expected = Cron(expression, zone), judge.fire_times(expression, zone, start, end)
    assert rule.count(start, end) == len(expected)
    for hours in range(0, 96, 5):
        instant = start + timedelta(hours=hours, seconds=hours)
        assert rule.count(instant, end) == len(expected) - bisect_right(expected, instant)
        assert rule.next_after(instant) == expected[bisect_right(expected, instant)]
