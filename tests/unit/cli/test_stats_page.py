"""The page of `stats report`: a table that is cut says so, and a chart has a scale, a unit and dates."""

from datetime import UTC, datetime, timedelta

import pytest

from celsched.cli.stats_chart import runs_per_day, spark, ticks
from celsched.cli.stats_page import page
from celsched.domain.report import DayCount, Outcomes, before, cut
from celsched.operations.breakdown import Subject
from celsched.operations.stats import Live, Overview

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def drawn(tasks: int, queues: int) -> str:
    window = cut(NOW - timedelta(days=1), NOW, "Asia/Tehran")
    ran = Outcomes(succeeded=3)
    overview = Overview(
        window=window, outcomes=ran, previous_window=before(window), previous=Outcomes(), causes={}, skipped={},
        per_day=(), tasks=tuple((Subject("task", f"وظیفه {number}"), ran) for number in range(tasks)),
        queues=tuple((f"queue {number}", ran) for number in range(queues)), failing=(), slowest=(), skipping=(),
        slots=(), live=Live(0, 0, 0, 0, 0), due=0, coming=(),
    )  # fmt: skip
    return page(overview, (), NOW)


@pytest.mark.parametrize(("rows", "said"), [(2, ""), (10, ""), (11, " (the first 10 of 11)")])
def test_a_table_that_is_cut_says_so(rows: int, said: str) -> None:
    text = drawn(rows, rows)
    assert f"<h2>By task{said}</h2>" in text
    assert f"<h2>By queue{said}</h2>" in text
    assert text.count("وظیفه ") == min(rows, 10)


@pytest.mark.parametrize(
    ("largest", "scale"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (3, [0, 1, 2, 3]),
        (7, [0, 2, 4, 6, 8]),
        (10, [0, 2, 4, 6, 8, 10]),
        (131, [0, 50, 100, 150]),
        (999_999, [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]),
    ],
)
def test_a_scale_has_few_round_numbers_and_reaches_the_largest(largest: int, scale: list[int]) -> None:
    assert ticks(largest) == scale


def chart(days: int, runs: int = 7) -> str:
    window = cut(NOW - timedelta(days=days), NOW, "Asia/Tehran")
    return runs_per_day([DayCount(day.date, runs, 1) for day in window.days], window)


def test_a_chart_tells_its_unit_its_dates_and_which_days_are_not_whole() -> None:
    text = chart(3)
    assert "runs that ended on the day" in text
    assert "days of Asia/Tehran, 11-25 only from 15:30 and 11-28 only until 15:30" in text
    assert text.count("<b>8</b>") == 4
    assert 'aria-label="32 runs, 4 failed; most on 2026-11-25: 8"' in text
    assert "only" not in runs_per_day(
        [DayCount(NOW.date(), 1)], cut(NOW.replace(hour=0), NOW.replace(day=29, hour=0), "UTC")
    )


def test_dates_leave_each_other_room_and_name_their_year_where_there_are_two() -> None:
    month, years = chart(31), chart(700, runs=1_234_567)
    assert 0 < month.count("<span>1") + month.count("second") <= 12
    assert "<b>" not in month
    assert "2025-" in years
    assert 0 < years.count("<span>20") + years.count("second") <= 8
    assert "<span>1,500,000</span>" in years


def test_nothing_to_draw_is_said_and_a_small_chart_says_what_it_shows() -> None:
    assert chart(3, runs=-1) == '<p class="none">Nothing ran.</p>'
    assert 'title="no runs"' in spark([DayCount(NOW.date())])
    assert 'title="9 runs, 2 failed; most on 2026-11-28: 9"' in spark([DayCount(NOW.date(), 7, 2)])
