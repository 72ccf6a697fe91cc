"""Durations: what people write, what is refused, and that what we write reads back."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.errors import InvalidRule
from celsched.timing.duration import LONGEST, format_duration, parse_duration, parse_period, spell_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("6h", timedelta(hours=6)),
        ("1d", timedelta(days=1)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        (" 1h 30m ", timedelta(minutes=90)),
        ("6 h", timedelta(hours=6)),
        ("500ms", timedelta(milliseconds=500)),
        ("1m500ms", timedelta(minutes=1, milliseconds=500)),
        ("7us", timedelta(microseconds=7)),
        ("1.5h", timedelta(minutes=90)),
        ("90", timedelta(seconds=90)),
        ("0.25", timedelta(milliseconds=250)),
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        (21600, timedelta(hours=6)),
        (0.1, timedelta(milliseconds=100)),
        (0.0000019, timedelta(microseconds=1)),
        (1e-9, timedelta(0)),
        ("36525d", LONGEST),
    ],
)
def test_reads(text: str | int | float, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "h", "6 hours", "6H", "30m1h", "1h1h", "1h30", "-5m", "+5m", "5m-", "1,5h", "1e3", "PT1H", "1:30",
        "nan", "inf", "None", "۵m", "5 m s", "36526d", "9999999999999w", "1" * 400, "1" * 15,
        True, False, None, [], -1, -0.5, float("nan"), float("inf"), float("-inf"), 10**30, 1e300, timedelta(1),
    ],
)  # fmt: skip
def test_refuses(text: object) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_duration(text)  # type: ignore[arg-type]
    assert caught.value.field == "duration"
    assert "1h30m" in (caught.value.hint or "")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(hours=6), "6h"),
        (timedelta(days=1), "1d"),
        (timedelta(days=7), "1w"),
        (timedelta(days=8), "8d"),
        (timedelta(days=1, seconds=1), "1d1s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=1, microseconds=1500), "1s1ms500us"),
        (timedelta(seconds=-90), "-1m30s"),
    ],
)
def test_writes(length: timedelta, text: str) -> None:
    assert format_duration(length) == text


@settings(derandomize=True, database=None)
@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_what_is_written_reads_back(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "second"),
        (30, "30 seconds"),
        (3600, "hour"),
        (86400, "day"),
        (5400, "1 hour 30 minutes"),
        (604800, "7 days"),
    ],
)
def test_spells(seconds: int, words: str) -> None:
    assert spell_duration(timedelta(seconds=seconds)) == words


def test_a_period_is_whole_seconds_and_at_least_one() -> None:
    assert parse_period("1s") == timedelta(seconds=1)
    for text in ("0s", "999ms", "1.5s", 0, 0.5):
        with pytest.raises(InvalidRule, match="a period is"):
            parse_period(text)
