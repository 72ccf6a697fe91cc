"""The page of `stats report`: a table that is cut says so."""

from datetime import UTC, datetime, timedelta

import pytest

from celsched.cli.stats_page import page
from celsched.domain.report import Outcomes, before, cut
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
