"""How single values read."""

from datetime import UTC, datetime, timedelta

import pytest

from celsched.cli import format as human

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "now"),
        (0.4, "now"),
        (-0.4, "now"),
        (1, "in 1 s"),
        (-59, "59 s ago"),
        (61, "in 1 min"),
        (3 * 3600 + 1, "in 3 h"),
        (2 * 3600 - 1, "in 2 h"),
        (3 * 86_400 - 1, "in 3 d"),
        (-89, "1 min ago"),
        (-91, "2 min ago"),
        (3599, "in 1 h"),
        (59.6, "in 1 min"),
        (86_399, "in 1 d"),
        (-26 * 3600, "1 d ago"),
        (86_400 * 61, "2027-01-24"),
        (-86_400 * 400, "2025-10-20"),
    ],
)
def test_relative(seconds: float, shown: str) -> None:
    assert human.relative(NOW + timedelta(seconds=seconds), NOW) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.0342, "34 ms"),
        (0.9999, "1 s"),
        (1.24, "1.2 s"),
        (59.97, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (86_400 * 3 + 3600 * 4 + 5, "3 d 4 h"),
        (-2, "-2 s"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert human.duration(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0 %"), (1, "100 %"), (0.975, "97.5 %"), (0.99999, "99.9 %"), (0.00001, "<0.1 %"), (0.5, "50 %")],
)
def test_percent_never_rounds_to_all_or_none(share: float, shown: str) -> None:
    assert human.percent(share) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (13_000_000, "12.4 MiB"), (1024**6, "1024 PiB")],
)
def test_size(amount: int, shown: str) -> None:
    assert human.size(amount) == shown


def test_sparkline_scales_to_the_largest_and_leaves_gaps() -> None:
    assert human.sparkline([0, 1, None, 4, 8]) == "▁▂ ▅█"
    assert human.sparkline([0, 0]) == "▁▁"
    assert human.sparkline([]) == ""


def test_wall_time_is_told_in_the_zone() -> None:
    assert human.wall(NOW, "Asia/Tehran") == "2026-11-24 15:30:00 +0330"


def test_stored_text_cannot_steer_a_terminal_and_persian_is_kept() -> None:
    assert human.printable("ok\x1b[2J\r") == "ok\\x1b[2J\\r"
    assert human.printable("پاکسازی فایل‌های موقت\n\tx") == "پاکسازی فایل‌های موقت\n\tx"
    assert human.one_line("a\tb\nc\\d") == "a\\tb\\nc\\\\d"
