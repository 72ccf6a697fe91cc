"""Instants as people write them, in a zone, and as we write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.errors import InvalidRule
from celsched.timing.instant import format_instant, parse_instant
from tests.unit.timing.judge import utc

NOW = utc("2026-11-24T12:34:56.000007Z")
TEHRAN = "Asia/Tehran"
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00:00+03:30", "2026-12-01T05:30Z"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00Z"),
        ("2026-12-01t09:00:00z", "2026-12-01T09:00Z"),
        ("2026-12-01 09:00 -0500", "2026-12-01T14:00Z"),
        ("2026-12-01T09:00:00.1234567Z", "2026-12-01T09:00:00.123456Z"),
        ("2026-12-01T09:00:00.5Z", "2026-12-01T09:00:00.500000Z"),
        ("2026-12-01 09:00", "2026-12-01T05:30Z"),
        ("2026-12-01 9:00", "2026-12-01T05:30Z"),
        ("2026-12-01 09:00:30", "2026-12-01T05:30:30Z"),
        (" 2026-12-01T09:00 ", "2026-12-01T05:30Z"),
        ("2026-12-01", "2026-11-30T20:30Z"),
        ("now", "2026-11-24T12:34:56.000007Z"),
        ("NOW", "2026-11-24T12:34:56.000007Z"),
        ("today", "2026-11-23T20:30Z"),
        ("yesterday", "2026-11-22T20:30Z"),
        ("+5s", "2026-11-24T12:35:01.000007Z"),
        ("+5", "2026-11-24T12:35:01.000007Z"),
        ("+ 5s", "2026-11-24T12:35:01.000007Z"),
        ("-2h", "2026-11-24T10:34:56.000007Z"),
        ("2h ago", "2026-11-24T10:34:56.000007Z"),
        ("1h30m ago", "2026-11-24T11:04:56.000007Z"),
        ("02:00", "2026-11-23T22:30Z"),
        ("16:04", "2026-11-24T12:34Z"),
        ("16:05", "2026-11-23T12:35Z"),
        ("16:04:56.000007", "2026-11-24T12:34:56.000007Z"),
    ],
)
def test_reads(text: str, expected: str) -> None:
    found = parse_instant(text, TEHRAN, NOW)
    assert found == utc(expected)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not an instant"),
        ("tomorrow", "is not an instant"),
        ("ago", "is not an instant"),
        ("2026-W10-1", "is not an instant"),
        ("20261201", "is not an instant"),
        ("1764579600", "is not an instant"),
        ("۲۰۲۶-۱۲-۰۱", "is not an instant"),
        ("2026-12-01T", "is not an instant"),
        ("2026-12-01 09:00 Asia/Tehran", "is not an instant"),
        ("2026-02-30", "2026-02-30 is not a date"),
        ("2026-13-01T00:00Z", "2026-13-01 is not a date"),
        ("0000-01-01", "not a date"),
        ("2026-12-01 24:00", "24:00 is not a time of day"),
        ("2026-12-01 09:60", "not a time of day"),
        ("2026-12-01T09:00:60Z", "not a time of day"),
        ("25:00", "not a time of day"),
        ("2026-12-01 09:00+24:00", "not a UTC offset"),
        ("2026-12-01 09:00+03:75", "not a UTC offset"),
        ("+x", "is not a duration"),
        ("five ago", "is not a duration"),
        ("--5s", "is not a duration"),
        ("0001-01-01T00:00+10:00", "outside the years"),
        ("9999-12-31T23:59-10:00", "outside the years"),
        ("99y ago", "is not a duration"),
    ],
)
def test_refuses(text: str, words: str) -> None:
    with pytest.raises(InvalidRule, match=words) as caught:
        parse_instant(text, TEHRAN, NOW)
    assert caught.value.hint


def test_a_naive_now_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        parse_instant("now", "UTC", datetime(2026, 1, 1))  # noqa: DTZ001


def test_skipped_and_repeated_wall_times_are_refused_unless_an_offset_is_given() -> None:
    for text in ("2024-03-10 02:30", "2024-11-03 01:30"):
        with pytest.raises(InvalidRule, match=NEW_YORK):
            parse_instant(text, NEW_YORK, NOW)
    assert parse_instant("2024-11-03 01:30-05:00", NEW_YORK, NOW) == utc("2024-11-03T06:30Z")
    assert parse_instant("2024-03-10 02:30-05:00", NEW_YORK, NOW) == utc("2024-03-10T07:30Z")


@pytest.mark.parametrize(
    ("text", "zone", "now", "expected"),
    [
        ("02:30", NEW_YORK, "2024-03-10T12:00-04:00", "2024-03-09T02:30-05:00"),
        ("01:30", NEW_YORK, "2024-11-03T12:00-05:00", "2024-11-03T01:30-05:00"),
        ("01:30", NEW_YORK, "2024-11-03T01:10-05:00", "2024-11-03T01:30-04:00"),
        ("01:30", NEW_YORK, "2024-11-03T01:10-04:00", "2024-11-02T01:30-04:00"),
        ("12:00", "Pacific/Apia", "2011-12-31T11:00+14:00", "2011-12-29T12:00-10:00"),
        ("today", TEHRAN, "2022-03-22T12:00+04:30", "2022-03-22T01:00+04:30"),
        ("yesterday", TEHRAN, "2022-03-23T12:00+04:30", "2022-03-22T01:00+04:30"),
        ("today", "America/Sao_Paulo", "2018-11-04T12:00-02:00", "2018-11-04T01:00-02:00"),
    ],
)
def test_near_a_clock_change(text: str, zone: str, now: str, expected: str) -> None:
    assert parse_instant(text, zone, utc(now)) == utc(expected)


@pytest.mark.parametrize(
    ("instant", "zone", "text"),
    [
        ("2026-12-01T05:30Z", None, "2026-12-01T05:30:00Z"),
        ("2026-12-01T09:00+03:30", None, "2026-12-01T05:30:00Z"),
        ("2026-12-01T05:30Z", TEHRAN, "2026-12-01T09:00:00+03:30"),
        ("2026-12-01T05:30Z", "UTC", "2026-12-01T05:30:00+00:00"),
        ("2026-12-01T05:30:00.000100Z", None, "2026-12-01T05:30:00.000100Z"),
        ("2026-12-01T05:30:00.000100Z", TEHRAN, "2026-12-01T09:00:00.000100+03:30"),
    ],
)
def test_writes(instant: str, zone: str | None, text: str) -> None:
    assert format_instant(utc(instant), zone) == text


def test_a_naive_instant_is_not_written() -> None:
    with pytest.raises(ValueError, match="naive"):
        format_instant(datetime(2026, 1, 1))  # noqa: DTZ001


@settings(derandomize=True, database=None)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))),  # noqa: DTZ001
    st.sampled_from([None, TEHRAN, NEW_YORK, "Australia/Lord_Howe"]),
)
def test_what_is_written_reads_back(instant: datetime, zone: str | None) -> None:
    assert parse_instant(format_instant(instant, zone), "UTC", NOW) == instant
