"""Jitter: the same delay for the same schedule and fire time, for ever."""

import unicodedata
from datetime import timedelta
from zoneinfo import ZoneInfo

from celsched.timing.jitter import jitter_delay
from tests.unit.timing.judge import utc

FIRE_TIME = utc("2026-12-01T05:30Z")
MINUTE = timedelta(minutes=1)


def test_the_delay_is_fixed_for_ever() -> None:
    # A literal: were it to change, a restart during an upgrade would move fire times already announced.
    assert jitter_delay("nightly", FIRE_TIME, MINUTE) == timedelta(seconds=25, microseconds=808970)
    assert jitter_delay("nightly", FIRE_TIME.astimezone(ZoneInfo("Asia/Tehran")), MINUTE) == jitter_delay(
        "nightly", FIRE_TIME, MINUTE
    )


def test_no_jitter_no_delay() -> None:
    assert jitter_delay("nightly", FIRE_TIME, timedelta(0)) == timedelta(0)


def test_one_name_in_two_unicode_forms_is_one_name() -> None:
    composed = "café پاکسازی آ"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert jitter_delay(composed, FIRE_TIME, MINUTE) == jitter_delay(decomposed, FIRE_TIME, MINUTE)


def test_delays_spread_over_the_whole_span_and_stay_inside() -> None:
    delays = [jitter_delay(f"برنامه {n}", FIRE_TIME, MINUTE) for n in range(1000)]
    assert all(timedelta(0) <= delay < MINUTE for delay in delays)
    sixths = [sum(delay // timedelta(seconds=10) == n for delay in delays) for n in range(6)]
    assert min(sixths) > 120
    assert len({jitter_delay("one", FIRE_TIME + n * MINUTE, MINUTE) for n in range(100)}) == 100


def test_the_smallest_jitter() -> None:
    assert jitter_delay("one", FIRE_TIME, timedelta(microseconds=1)) == timedelta(0)
