"""The worked examples of the rules R14-R18: what a cron rule does when the clock is changed."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from celsched.timing.cron import Cron
from celsched.timing.rule import upcoming
from celsched.timing.zone import dst_note
from tests.unit.timing.judge import utc

NEW_YORK = "America/New_York"
APIA = "Pacific/Apia"

# expression, zone, start, fire times as local RFC 3339
WORKED = [
    ("30 2 * * *", NEW_YORK, "2024-03-09T00:00-05:00", ["09T02:30-05", "10T03:00-04", "11T02:30-04"]),
    ("0,30 2-3 * * *", NEW_YORK, "2024-03-10T00:00-05:00", ["10T03:00-04", "10T03:30-04", "11T02:00-04"]),
    ("*/15 2 * * *", NEW_YORK, "2024-03-09T02:30-05:00", ["09T02:45-05", "11T02:00-04", "11T02:15-04"]),
    ("0 */2 * * *", NEW_YORK, "2024-03-09T23:00-05:00", ["10T00:00-05", "10T04:00-04", "10T06:00-04"]),
    ("0-59 2 * * *", NEW_YORK, "2024-03-09T02:58-05:00", ["09T02:59-05", "10T03:00-04", "11T02:00-04"]),
    ("0 0-23 * * *", NEW_YORK, "2024-03-10T01:00-05:00", ["10T03:00-04", "10T04:00-04"]),
    ("26 0-23 * * *", NEW_YORK, "2024-03-10T01:26-05:00", ["10T03:00-04", "10T03:26-04"]),
    ("0/15 2 * * *", NEW_YORK, "2024-03-10T00:00-05:00", ["10T03:00-04", "11T02:00-04"]),
    ("30 1 * * *", NEW_YORK, "2024-11-03T00:00-04:00", ["03T01:30-04", "04T01:30-05"]),
    ("30 1 * * *", NEW_YORK, "2024-11-03T01:10-05:00", ["04T01:30-05", "05T01:30-05"]),
    ("*/30 1 * * *", NEW_YORK, "2024-11-03T00:00-04:00", ["03T01:00-04", "03T01:30-04", "03T01:00-05", "03T01:30-05"]),
    ("*/15 * * * *", NEW_YORK, "2024-11-03T01:59-04:00", ["03T01:00-05", "03T01:15-05"]),
    (
        "0 */3 * * *",
        "Europe/Riga",
        "2021-10-30T23:00+03:00",
        ["31T00:00+03", "31T03:00+03", "31T03:00+02", "31T06:00+02"],
    ),
    ("30 0 * * *", "Asia/Tehran", "2022-03-21T00:00+03:30", ["21T00:30+0330", "22T01:00+0430", "23T00:30+0430"]),
    ("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00+10:30", ["05T02:15+1030", "06T02:30+11", "07T02:15+11"]),
    ("* 4 * * *", "Australia/Lord_Howe", "2015-10-04T03:00+11:00", ["04T04:00+11", "04T04:01+11"]),
    ("0 12 * * *", APIA, "2011-12-29T00:00-10:00", ["29T12:00-10", "31T00:00+14", "31T12:00+14"]),
    ("0 */6 * * *", APIA, "2011-12-29T13:00-10:00", ["29T18:00-10", "31T00:00+14", "31T06:00+14"]),
    ("30 1 * * *", "Antarctica/Troll", "2024-03-30T20:00+00:00", ["31T03:00+02"]),
    ("0 0 * * *", "America/Havana", "2024-03-09T12:00-05:00", ["10T01:00-04", "11T00:00-04"]),
    ("30 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00-03:00", ["04T01:00-02", "05T00:30-02"]),
    ("30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00-02:00", ["17T23:30-02", "18T23:30-03"]),
]
IDS = [f"{expression} {zone} {start}" for expression, zone, start, _ in WORKED]


@pytest.mark.parametrize(("expression", "zone", "start", "expected"), WORKED, ids=IDS)
def test_worked_example(expression: str, zone: str, start: str, expected: list[str]) -> None:
    rule = Cron(expression, zone)
    found = list(upcoming(rule, utc(start), len(expected)))
    assert [_local(time.astimezone(ZoneInfo(zone)).isoformat()) for time in found] == expected
    assert rule.count(utc(start), found[-1]) == len(expected)
    assert rule.latest(found[-1], utc(start), 100) == found
    assert rule.latest(found[-1], utc(start), 1) == found[-1:]


def _local(text: str) -> str:
    """Shorten 2024-03-09T02:30:00-05:00 to 09T02:30-05."""
    offset = text[19:].replace(":", "")
    return text[8:16] + (offset.removesuffix("00") if offset != "+0000" else "+00")


def test_a_shifted_run_belongs_to_the_date_that_the_rule_named() -> None:
    rule = Cron("30 0 25 4 *", "Africa/Cairo")
    # Cairo skips 00:00-01:00 on 25 April 2025 (a Friday: the last of the month).
    assert rule.next_after(utc("2025-01-01T00:00+02:00")) == utc("2025-04-25T01:00+03:00")


@pytest.mark.parametrize("zone", [NEW_YORK, "Asia/Tehran", APIA, "UTC"])
def test_the_zone_in_which_the_start_is_written_plays_no_part(zone: str) -> None:
    rule = Cron("*/30 1 * * *", NEW_YORK)
    start = utc("2024-11-03T01:15-04:00")
    first = rule.next_after(start.astimezone(ZoneInfo(zone)))
    assert first == utc("2024-11-03T01:30-04:00")
    assert first is not None
    assert first.utcoffset() == timedelta(0)


NOTES = [
    ("30 2 * * *", NEW_YORK, "2024-03-10T03:00-04:00", "moved from 02:30 (gap)"),
    ("0,30 2-3 * * *", NEW_YORK, "2024-03-10T03:00-04:00", "stands also for 02:00 and 1 more (gap)"),
    ("*/15 * * * *", NEW_YORK, "2024-03-10T03:00-04:00", None),
    ("30 2 * * *", NEW_YORK, "2024-03-11T02:30-04:00", None),
    ("0 3 * * *", NEW_YORK, "2024-03-10T03:00-04:00", None),
    ("30 1 * * *", NEW_YORK, "2024-11-03T01:30-04:00", "first of two 01:30; it runs once"),
    ("*/30 1 * * *", NEW_YORK, "2024-11-03T01:30-04:00", "first of two 01:30"),
    ("*/30 1 * * *", NEW_YORK, "2024-11-03T01:30-05:00", "second of two 01:30"),
    ("0 12 * * *", APIA, "2011-12-31T00:00+14:00", "moved from 2011-12-30 12:00 (gap)"),
]


@pytest.mark.parametrize(("expression", "zone", "fire_time", "note"), NOTES)
def test_note_on_a_clock_change(expression: str, zone: str, fire_time: str, note: str | None) -> None:
    assert dst_note(Cron(expression, zone), utc(fire_time)) == note
