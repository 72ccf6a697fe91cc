"""How the columns of a table share the width of a terminal."""

import io
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from celsched.cli.column_widths import GAP, Need, widths
from celsched.cli.output import Face, Table, write_table
from celsched.cli.schedules import _EYES

NAME, STATUS, RULE = Need(0, 16, 28), Need(0, 6, 6, breaks=False), Need(2, 24, 64)
TASK, QUEUE = Need(5, 16, 25), Need(6, 12, 17)
SCHEDULES = (NAME, STATUS, RULE, TASK, QUEUE)


@pytest.mark.parametrize(
    ("width", "shared"),
    [
        (20, [12, 6]),
        (40, [28, 6]),
        (60, [26, 6, 24]),
        (88, [28, 6, 50]),
        (103, [28, 6, 64]),
        (104, [28, 6, 48, 16]),
        (200, [28, 6, 64, 25, 17]),
    ],
)
def test_a_lower_rank_gets_its_room_first_and_extras_only_what_the_others_do_not_need(
    width: int, shared: list[int]
) -> None:
    found = widths(SCHEDULES, width)
    assert found == dict(enumerate(shared))


_NEEDS = st.builds(
    lambda rank, least, more, breaks: Need(rank, least, least + more * breaks, breaks=breaks),
    st.integers(0, 8),
    st.integers(1, 40),
    st.integers(0, 200),
    st.booleans(),
)


@given(st.lists(_NEEDS, min_size=1, max_size=12), st.integers(20, 250))
def test_it_fits_where_it_can_and_wastes_no_cell(needs: list[Need], width: int) -> None:
    found = widths(needs, width)
    taken = sum(found.values()) + GAP * (len(found) - 1)
    fixed = [need for need in needs if need.rank == 0]
    assert {place for place, need in enumerate(needs) if need.rank == 0} <= set(found)
    if sum(need.least + GAP for need in fixed) - GAP <= width:
        assert taken <= width
        assert all(needs[place].least <= cells <= needs[place].whole for place, cells in found.items())
        assert taken == width or all(cells == needs[place].whole for place, cells in found.items())
    else:
        assert set(found) == {place for place, need in enumerate(needs) if need.rank == 0}


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_no_letter_of_a_list_of_schedules_is_cropped(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    row: dict[str, str] = {column.key: "x" for column in _EYES} | {
        "name": "هر شب ساعت دو بامداد پاکسازی",
        "rule_text": "cron */15 8-18 1-7,15-21 jan,mar,may,jul mon-fri America/New_York",
        "task": "nightly-report-generation",
        "queue_name": "reporting-eu-west",
        "set": "گزارش‌ها",
        "in_words": "on a cron schedule, America/New_York",
    }
    stream = io.StringIO()
    face = Face(stream, True, lambda: datetime(2026, 11, 24, tzinfo=UTC), lambda: "UTC")
    write_table(Table(_EYES, [row]), None, face)
    heading, *lines = stream.getvalue().splitlines()
    assert max(cell_len(line) for line in [heading, *lines]) <= width
    shown = [row[column.key] for column in _EYES if column.heading in heading]
    assert row["rule_text"] in shown
    assert Counter("".join("".join(lines).split())) == Counter("".join("".join(shown).split()))
    assert ("*/15 8-18 1-7,15-21 jan,mar,may,jul mon-fri" in lines[0]) == (width >= 140)
