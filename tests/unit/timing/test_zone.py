"""Zones: which keys are taken, and what a wall time means where the clock is changed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from celsched.errors import InvalidRule
from celsched.timing.walltime import change_around
from celsched.timing.zone import local_instant, zone
from tests.unit.timing.judge import utc


@pytest.mark.parametrize("key", ["UTC", "Asia/Tehran", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_iana_keys(key: str) -> None:
    assert zone(key).key == key


@pytest.mark.parametrize(
    "key",
    [
        "localtime", "posixrules", "Factory", "right/UTC", "posix/UTC", "", "/etc/localtime", "../UTC", "Asia/../UTC",
        "zone.tab", "tzdata.zi", "Asia", "America/Argentina", "Asia//Tehran", "Asia/Tehran\0", "x" * 5000, "تهران",
        "asia/tehran", "UTC ", "+03:30",
    ],
)  # fmt: skip
def test_keys_that_are_refused(key: str) -> None:
    with pytest.raises(InvalidRule, match="unknown time zone") as caught:
        zone(key)
    assert caught.value.field == "timezone"
    assert caught.value.hint
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("Asia/Teheran", "Asia/Tehran"),
        ("asia/tehran", "Asia/Tehran"),
        ("Tehran", "Asia/Tehran"),
        ("Europe/Berln", "Europe/Berlin"),
        ("utc", "UTC"),
        ("xyzzy", "IANA name"),
    ],
)
def test_hint_names_a_near_zone(key: str, near: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        zone(key)
    assert near in (caught.value.hint or "")


def test_a_zone_is_text() -> None:
    with pytest.raises(InvalidRule):
        zone(5)


def test_an_ordinary_wall_time() -> None:
    found = local_instant(datetime(2026, 12, 1, 9), "Asia/Tehran")  # noqa: DTZ001
    assert (found, found.tzinfo) == (utc("2026-12-01T05:30Z"), UTC)


@pytest.mark.parametrize(
    ("wall", "key", "words"),
    [
        (
            "2024-03-10T02:30",
            "America/New_York",
            "2024-03-10 02:30:00 does not exist in America/New_York: the clock goes from 02:00 to 03:00; "
            "it could mean 2024-03-10T01:30:00-05:00 or 2024-03-10T03:30:00-04:00",
        ),
        (
            "2024-11-03T01:30",
            "America/New_York",
            "2024-11-03 01:30:00 comes twice in America/New_York: the clock goes from 02:00 to 01:00; "
            "it could mean 2024-11-03T01:30:00-04:00 or 2024-11-03T01:30:00-05:00",
        ),
        (
            "2011-12-30T12:00",
            "Pacific/Apia",
            "2011-12-30 12:00:00 does not exist in Pacific/Apia: the clock goes from 00:00 to 2011-12-31 00:00; "
            "it could mean 2011-12-29T12:00:00-10:00 or 2011-12-31T12:00:00+14:00",
        ),
        (
            "2024-10-06T02:15",
            "Australia/Lord_Howe",
            "2024-10-06 02:15:00 does not exist in Australia/Lord_Howe: the clock goes from 02:00 to 02:30; "
            "it could mean 2024-10-06T01:45:00+10:30 or 2024-10-06T02:45:00+11:00",
        ),
    ],
)
def test_a_skipped_or_repeated_wall_time_names_both_instants(wall: str, key: str, words: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        local_instant(datetime.fromisoformat(wall), key)
    assert caught.value.message == words
    assert "offset" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("wall", "key", "instant"),
    [
        ("2024-03-10T02:00", "America/New_York", "2024-03-10T07:00Z"),
        ("2024-03-10T02:59:59.999999", "America/New_York", "2024-03-10T07:00Z"),
        ("2024-11-03T01:00", "America/New_York", "2024-11-03T06:00Z"),
        ("2024-11-03T01:59:59.999999", "America/New_York", "2024-11-03T06:00Z"),
        ("2011-12-30T00:00", "Pacific/Apia", "2011-12-30T10:00Z"),
        ("1901-01-01T00:00", "Asia/Tokyo", None),
    ],
)
def test_the_change_is_found_to_the_second(wall: str, key: str, instant: str | None) -> None:
    tz = ZoneInfo(key)
    if instant is None:
        with pytest.raises(ValueError, match="ordinary"):
            change_around(datetime.fromisoformat(wall), tz)
    else:
        assert change_around(datetime.fromisoformat(wall), tz).instant == utc(instant)
