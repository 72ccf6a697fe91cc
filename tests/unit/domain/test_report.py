"""Reports are exact: percentiles against a judge, days against the calendar of the zone, rates of nothing."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celsched.domain.execution import State
from celsched.domain.report import NO_VALUES, Cell, Outcomes, cut, nearest_rank, outcomes, per_day, percentiles, rate
from celsched.errors import UsageError

ZONES = ("UTC", "Asia/Tehran", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia")


@given(st.lists(st.integers(0, 10**12), min_size=1), st.sampled_from((50, 95, 99, 100)))
def test_nearest_rank_is_the_least_value_that_enough_values_do_not_exceed(values: list[int], percent: int) -> None:
    enough = [value for value in values if Fraction(sum(v <= value for v in values) * 100, len(values)) >= percent]
    assert nearest_rank(sorted(values), percent) == min(enough)


@given(st.lists(st.integers(-5, 10**12)))
def test_percentiles_are_values_in_order(values: list[int]) -> None:
    found = percentiles(values)
    assert found.count == len(values)
    if not values:
        assert found == NO_VALUES
        return
    given_lengths = {timedelta(microseconds=max(value, 0)) for value in values}
    ranks = [found.p50, found.p95, found.p99, found.max]
    assert set(ranks) <= given_lengths
    assert ranks == sorted(rank for rank in ranks if rank is not None)
    assert found.max == max(given_lengths)


def test_known_percentiles() -> None:
    found = percentiles(second * 1_000_000 for second in range(100, 0, -1))
    assert (found.p50, found.p95, found.p99, found.max) == tuple(timedelta(seconds=s) for s in (50, 95, 99, 100))


def test_a_rate_of_nothing_is_nothing() -> None:
    assert rate(0, 0) is None
    assert (rate(0, 3), rate(3, 3), rate(1, 4)) == (0.0, 1.0, 0.25)
    assert (Outcomes().success_rate, Outcomes().attempts_per_run, Outcomes().runs) == (None, None, 0)


def test_skipped_cancelled_and_expired_say_nothing_about_success() -> None:
    cells = [
        Cell(0, State.SUCCEEDED, 6, 6, 2),
        Cell(0, State.FAILED, 1, 1, 3),
        Cell(0, State.TIMED_OUT, 1, 1, 0),
        Cell(0, State.LOST, 2, 2, 0),
        Cell(0, State.SKIPPED, 2, 500, 0),
        Cell(0, State.CANCELLED, 4, 4, 9),
        Cell(0, State.EXPIRED, 5, 5, 0),
    ]
    found = outcomes(cells)
    assert (found.runs, found.failures, found.success_rate) == (10, 4, 0.6)
    assert (found.skipped, found.cancelled, found.expired) == (500, 4, 5)
    assert (found.retries, found.attempts_per_run) == (5, 1.5)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Asuncion", date(2023, 10, 1), 23),  # its midnight does not exist
        ("Asia/Tehran", date(2026, 3, 22), 24),  # clocks changed there until 2022
        ("Asia/Tehran", date(2022, 3, 22), 23),  # its midnight did not exist
    ],
)
def test_days_where_clocks_change_have_their_length(zone: str, day: date, hours: float) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    window = cut(noon - timedelta(days=3), noon + timedelta(days=3), zone)
    (found,) = [one for one in window.days if one.date == day]
    assert found.end - found.start == timedelta(hours=hours)


def test_a_day_that_a_zone_left_out_is_left_out() -> None:
    window = cut(datetime(2011, 12, 28, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC), "Pacific/Apia")
    assert date(2011, 12, 29) in {day.date for day in window.days}
    assert date(2011, 12, 30) not in {day.date for day in window.days}


instants = st.integers(946_684_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(instants, st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), st.sampled_from(ZONES), st.data())
def test_days_cover_the_window_and_agree_with_the_calendar(
    since: datetime, length: timedelta, zone: str, data: st.DataObject
) -> None:
    window = cut(since, since + length, zone)
    edges = [window.days[0].start, *(day.end for day in window.days)]
    assert (edges[0], edges[-1]) == (since, since + length)
    assert [day.start for day in window.days] == edges[:-1]
    assert edges == sorted(set(edges))
    instant = since + data.draw(st.timedeltas(timedelta(0), length - timedelta(microseconds=1)))
    (found,) = [day for day in window.days if day.start <= instant < day.end]
    assert found.date == instant.astimezone(ZoneInfo(zone)).date()


def test_empty_and_endless_windows_are_refused() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for until in (at, at - timedelta(seconds=1), at + timedelta(days=5000)):
        with pytest.raises(UsageError):
            cut(at, until, "UTC")


def test_days_without_anything_count_zero() -> None:
    window = cut(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC), "UTC")
    counted = per_day(window, [Cell(1, State.FAILED, 2, 2, 0), Cell(1, State.SUCCEEDED, 3, 3, 0)])
    assert [(day.succeeded, day.failed, day.skipped) for day in counted] == [(0, 0, 0), (3, 2, 0), (0, 0, 0)]
    assert Counter(day.date.month for day in counted) == {1: 3}
