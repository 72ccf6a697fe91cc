"""Cron as a value: fire times in plain calendars, equality, description, periods, threads."""

import pickle
import threading
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from celsched.errors import InvalidRule
from celsched.timing.cron import Cron, cron
from celsched.timing.rule import upcoming
from tests.unit.timing.judge import utc

YEAR = (utc("2024-01-01T00:00Z"), utc("2025-01-01T00:00Z"))


# expression, start, fire times (UTC, without seconds)
CALENDAR = [
    ("0 12 * * *", "2024-05-01T11:59:59.999999+00:00", ["2024-05-01T12:00"]),
    ("0 12 * * *", "2024-05-01T12:00:00+00:00", ["2024-05-02T12:00"]),
    ("0 12 * * *", "2024-05-01T12:00:00.000001+00:00", ["2024-05-02T12:00"]),
    ("0 0 29 2 *", "2096-03-01T00:00+00:00", ["2104-02-29T00:00"]),
    ("0 0 29 2 */7", "2088-03-01T00:00+00:00", ["2128-02-29T00:00"]),
    ("0 0 13 * FRI", "2024-09-01T00:00+00:00", ["2024-09-06T00:00", "2024-09-13T00:00", "2024-09-20T00:00"]),
    ("0 0 */2 * MON", "2024-07-01T00:00+00:00", ["2024-07-15T00:00", "2024-07-29T00:00", "2024-08-05T00:00"]),
    ("0 0 1-7 * */7", "2024-09-01T00:00+00:00", ["2024-10-06T00:00", "2024-11-03T00:00"]),
    ("0 0 1-31 * MON", "2024-09-01T00:00+00:00", ["2024-09-02T00:00", "2024-09-03T00:00"]),
    ("0 0 L * *", "2024-02-01T00:00+00:00", ["2024-02-29T00:00", "2024-03-31T00:00", "2024-04-30T00:00"]),
    ("0 0 1,L 2 *", "2023-02-01T00:00+00:00", ["2023-02-28T00:00", "2024-02-01T00:00", "2024-02-29T00:00"]),
    ("0 0 L * MON", "2024-09-25T00:00+00:00", ["2024-09-30T00:00", "2024-10-07T00:00"]),
    ("0 0 * * FRI#2", "2024-09-01T00:00+00:00", ["2024-09-13T00:00", "2024-10-11T00:00"]),
    ("0 0 13 * FRI#2", "2024-10-01T00:00+00:00", ["2024-10-11T00:00", "2024-10-13T00:00", "2024-11-08T00:00"]),
    ("0 2 10 * fri#5", "2024-09-01T00:00+00:00", ["2024-09-10T02:00", "2024-10-10T02:00", "2024-11-10T02:00"]),
    ("0 9 * * 2,MON#1", "2024-09-01T00:00+00:00", ["2024-09-02T09:00", "2024-09-03T09:00", "2024-09-10T09:00"]),
    ("0 0 */2 * MON#1,TUE", "2024-09-01T00:00+00:00", ["2024-09-03T00:00", "2024-09-17T00:00", "2024-10-01T00:00"]),
    ("0 9 * * 1/2", "2024-09-06T10:00+00:00", ["2024-09-08T09:00", "2024-09-09T09:00"]),
    ("0 0 31 2 MON", "2024-01-20T00:00+00:00", ["2024-02-05T00:00", "2024-02-12T00:00"]),
    ("0 0 * * MON#5", "2024-08-01T00:00+00:00", ["2024-09-30T00:00", "2024-12-30T00:00"]),
    ("0 9 * * 3-3", "2024-09-01T00:00+00:00", ["2024-09-04T09:00", "2024-09-11T09:00"]),
    ("*/90 * * * *", "2024-09-01T00:00+00:00", ["2024-09-01T01:00", "2024-09-01T02:00"]),
    ("0 0 1 1 *", "1969-06-01T00:00+00:00", ["1970-01-01T00:00", "1971-01-01T00:00"]),
]


@pytest.mark.parametrize(("expression", "start", "expected"), CALENDAR)
def test_fire_times(expression: str, start: str, expected: list[str]) -> None:
    rule = Cron(expression)
    found = list(upcoming(rule, utc(start), len(expected)))
    assert [time.isoformat() for time in found] == [f"{time}:00+00:00" for time in expected]
    assert rule.count(utc(start), found[-1]) == len(found)
    assert rule.latest(found[-1], utc(start), 9) == found


def test_the_end_of_the_calendar() -> None:
    rule = Cron("0 0 1 1 *")
    assert rule.next_after(utc("9998-06-01T00:00Z")) == datetime(9999, 1, 1, tzinfo=UTC)
    assert rule.next_after(utc("9999-06-01T00:00Z")) is None
    assert list(upcoming(rule, utc("9998-06-01T00:00Z"), 5)) == [datetime(9999, 1, 1, tzinfo=UTC)]
    assert Cron("0 0 1 1 *", "America/New_York").next_after(utc("9999-06-01T00:00Z")) is None


def test_far_starts_keep_their_microseconds() -> None:
    assert Cron("0 12 * * *").next_after(utc("9000-01-01T11:59:59.999999Z")) == utc("9000-01-01T12:00Z")


def test_counts_of_a_year() -> None:
    assert Cron("* * * * *", "America/New_York").count(*YEAR) == 366 * 1440
    assert Cron("*/5 * * * *", "Asia/Tehran").count(*YEAR) == 366 * 288
    assert Cron("0-59 * * * *", "UTC").count(*YEAR) == 366 * 1440
    assert Cron("0-59 0-23 * * *", "America/New_York").count(*YEAR) == 366 * 1440 - 60
    assert Cron("0 0 29 2 *").count(utc("1996-01-01T00:00Z"), utc("2105-01-01T00:00Z")) == 27


def test_empty_spans() -> None:
    rule, now = Cron("* * * * *"), YEAR[0]
    assert rule.count(now, now) == 0
    assert rule.count(now, now - timedelta(days=1)) == 0
    assert rule.latest(now, now, 5) == []
    assert rule.latest(now, now - timedelta(hours=1), 0) == []
    assert rule.count(now - timedelta(microseconds=1), now) == 1


def test_latest_reaches_back_as_far_as_it_must() -> None:
    leap_days = Cron("0 0 29 2 *").latest(utc("2026-01-01T00:00Z"), utc("1900-01-01T00:00Z"), 3)
    assert [time.year for time in leap_days] == [2016, 2020, 2024]
    assert len(Cron("0 0 29 2 *").latest(utc("2026-01-01T00:00Z"), utc("2015-01-01T00:00Z"), 99)) == 3


@pytest.mark.parametrize("method", ["next_after", "clock_note"])
def test_naive_instants_are_refused(method: str) -> None:
    with pytest.raises(ValueError, match="naive"):
        getattr(Cron("* * * * *"), method)(datetime(2024, 1, 1))  # noqa: DTZ001


def test_naive_spans_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        Cron("* * * * *").count(datetime(2024, 1, 1), YEAR[1])  # noqa: DTZ001
    with pytest.raises(ValueError, match="naive"):
        Cron("* * * * *").latest(datetime(2024, 1, 1), YEAR[0], 5)  # noqa: DTZ001


def test_a_rule_is_a_value() -> None:
    rule = Cron("0 2 * * *", "Asia/Tehran")
    assert rule == Cron("0 2 * * *", zone="Asia/Tehran")
    assert hash(rule) == hash(Cron("0 2 * * *", "Asia/Tehran"))
    assert rule != Cron("0 2 * * *")
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert cron("0 2 * * *", "Asia/Tehran") is cron("0 2 * * *", "Asia/Tehran")
    with pytest.raises(AttributeError):
        rule.expression = "0 3 * * *"  # type: ignore[misc]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InvalidRule) as caught:
        Cron("0 2 * * *", "Asia/Teheran")
    assert caught.value.field == "timezone"
    assert "Asia/Tehran" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("expression", "phrase"),
    [
        ("0 2 * * *", "at 02:00 every day"),
        ("0 2,14 * * *", "at 02:00 and 14:00 every day"),
        ("* * * * *", "every minute every day"),
        ("*/5 * * * *", "every 5 minutes every day"),
        ("@hourly", "every hour every day"),
        ("20 * * * *", "every hour at minute 20 every day"),
        ("0 */2 * * *", "every 2 hours every day"),
        ("30 8 * * MON-WED", "at 08:30 every Monday, Tuesday and Wednesday"),
        ("0 0 1,L 1 *", "at 00:00 on day 1 and the last of the month in January"),
        ("0 0 * 6 *", "at 00:00 every day in June"),
        ("0 0 13 * FRI", "on a cron schedule"),
        ("*/7 * * * *", "on a cron schedule"),
        ("0-9 2 * * *", "on a cron schedule"),
    ],
)
def test_description_has_phrase_zone_and_expression(expression: str, phrase: str) -> None:
    assert Cron(expression, "Asia/Tehran").describe() == f"{phrase}, Asia/Tehran ({expression})"


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [
        ("* * * * *", 1),
        ("*/15 * * * *", 15),
        ("*/7 * * * *", 4),
        ("0 2 * * *", 1440),
        ("0 0,23 * * *", 60),
        ("0 9,17 * * *", 480),
        ("59 23 1 * *", 1440),
    ],
)
def test_shortest_period(expression: str, minutes: int) -> None:
    assert Cron(expression).shortest_period() == timedelta(minutes=minutes)


@pytest.mark.parametrize("expression", ["*/7 * * * *", "0,20 */5 1 * MON", "50 23,0 * * *", "0 2 L * MON#2"])
def test_no_two_fire_times_are_closer_than_the_shortest_period(expression: str) -> None:
    rule = Cron(expression)
    walked = list(upcoming(rule, YEAR[0], 200))
    assert min(b - a for a, b in pairwise(walked)) >= rule.shortest_period()


def test_an_after_in_the_deep_past_costs_nothing() -> None:
    rule, past = Cron("0 2 * * *", "Asia/Tehran"), datetime.min.replace(tzinfo=UTC)
    assert len(rule.latest(YEAR[1], past, 100)) == 100
    # From 3 January of year 1 on, at 03:25 local mean time, to 1 January 2024, 03:30: one run for each later date.
    assert rule.count(past + timedelta(days=2), YEAR[0]) == date(2024, 1, 1).toordinal() - date(1, 1, 3).toordinal()


def test_threads_share_one_rule() -> None:
    rule, starts = Cron("*/7 3,4 * * *", "Asia/Tehran"), [YEAR[0] + timedelta(hours=h) for h in range(150)]
    expected = [rule.next_after(start) for start in starts]
    results: list[list[datetime | None]] = []

    def ask() -> None:
        results.append([rule.next_after(start) for start in starts])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4
