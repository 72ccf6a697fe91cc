"""The forms of lists and sheets, on terminals and in pipes."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from celsched.cli.output import Column, Face, Kind, OutputMode, Sheet, Table, write_sheet, write_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Light(StrEnum):
    RED = "red"


COLUMNS = [
    Column("id", kind=Kind.WORD),
    Column("name"),
    Column("next_fire_time", kind=Kind.TIME),
    Column("took", kind=Kind.DURATION, rank=2),
    Column("state", kind=Kind.WORD),
    Column("params", rank=1),
]
ROWS: list[dict[str, Any]] = [
    {
        "id": 7,
        "name": "پاکسازی فایل‌های موقت",
        "next_fire_time": NOW + timedelta(hours=3),
        "took": timedelta(seconds=90),
        "state": Light.RED,
        "params": {"hours": 24},
    },
    {
        "id": 8,
        "name": 'tab\there, "quote"\nline',
        "next_fire_time": None,
        "took": timedelta(milliseconds=1500),
        "state": Light.RED,
        "params": {},
    },
]


def _write(
    mode: OutputMode | None,
    *,
    terminal: bool = False,
    rows: list[dict[str, Any]] = ROWS,
    columns: list[Column] = COLUMNS,
) -> tuple[str, list[str]]:
    stream, said = io.StringIO(), list[str]()
    face = Face(stream, terminal, lambda: NOW, lambda: "Asia/Tehran", said.append)
    write_table(Table(columns, rows, empty="nothing here"), mode, face)
    return stream.getvalue(), said


def test_pipe_gets_whole_tab_separated_rows_without_header() -> None:
    text, _ = _write(None)
    assert text.split("\n") == [
        '7\tپاکسازی فایل‌های موقت\t2026-11-24T15:00:00Z\t90\tred\t{"hours": 24}',
        '8\ttab\\there, "quote"\\nline\t\t1.5\tred\t{}',
        "",
    ]


def test_table_asked_for_in_a_pipe_has_a_header() -> None:
    text, _ = _write(OutputMode.TABLE)
    assert text.split("\n")[0] == "id\tname\tnext_fire_time\ttook\tstate\tparams"


def test_json_is_an_array_with_nulls_utc_times_and_seconds() -> None:
    text, _ = _write(OutputMode.JSON)
    assert "فایل‌های" in text
    assert json.loads(text)[0] == {
        "id": 7,
        "name": "پاکسازی فایل‌های موقت",
        "next_fire_time": "2026-11-24T15:00:00Z",
        "took": 90,
        "state": "red",
        "params": {"hours": 24},
    }
    assert json.loads(text)[1]["next_fire_time"] is None


def test_jsonl_holds_the_same_objects() -> None:
    array, _ = _write(OutputMode.JSON)
    lines, _ = _write(OutputMode.JSONL)
    assert [json.loads(line) for line in lines.splitlines()] == json.loads(array)


def test_csv_reads_back() -> None:
    text, _ = _write(OutputMode.CSV)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[1]["name"] == 'tab\there, "quote"\nline'
    assert rows[0]["params"] == '{"hours": 24}'
    assert rows[1]["next_fire_time"] == ""


def test_name_is_one_a_line() -> None:
    text, _ = _write(OutputMode.NAME)
    assert text.splitlines()[0] == "پاکسازی فایل‌های موقت"
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [
        (None, "", ["nothing here"]),
        (OutputMode.JSON, "[]\n", []),
        (OutputMode.NAME, "", ["nothing here"]),
    ],
)
def test_no_rows(mode: OutputMode | None, text: str, said: list[str]) -> None:
    assert _write(mode, rows=[]) == (text, said)
    assert _write(None, rows=[], terminal=True) == ("", ["nothing here"])


@pytest.mark.parametrize("width", [200, 80, 60, 44])
def test_terminal_table_fits_and_crops_no_name(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text, _ = _write(None, terminal=True)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "in 3 h" in text
    assert "ID" in text.splitlines()[0]
    assert ("TOOK" in text.splitlines()[0]) == (width >= 80), "the highest rank goes first"


def test_a_long_remark_has_only_its_lines_on_a_terminal_and_is_whole_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    error = "ConnectionError: HTTPSConnectionPool(host='bank.example'): retries exceeded: گزارش پیدا نشد " * 3
    rows, columns = [{"id": 1, "error": error}], [Column("id", kind=Kind.WORD), Column("error", most_lines=2)]
    lines = _write(None, terminal=True, rows=rows, columns=columns)[0].splitlines()
    assert len(lines) == 3
    assert lines[1].rstrip().endswith("ConnectionError:")
    assert lines[2].rstrip().endswith("…")
    assert error in _write(None, rows=rows, columns=columns)[0]
    short = [{"id": 1, "error": "failed"}]
    assert "…" not in _write(None, terminal=True, rows=short, columns=columns)[0]


def test_what_should_have_come_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [{"next": NOW - timedelta(minutes=24)}, {"next": NOW + timedelta(minutes=24)}, {"next": NOW}]
    lines = _write(None, terminal=True, rows=rows, columns=[Column("next", kind=Kind.DUE)])[0].splitlines()
    assert [line.strip() for line in lines[1:]] == ["due 24 min ago", "in 24 min", "now"]


def test_terminal_columns_line_up_for_persian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    rows = [{"name": "فایل‌ها", "id": 1}, {"name": "日本", "id": 2}, {"name": "abc", "id": 3}]
    text, _ = _write(None, terminal=True, rows=rows, columns=[Column("name"), Column("id", kind=Kind.WORD)])
    ends = {cell_len(line.rstrip()) for line in text.splitlines()[1:]}
    assert len(ends) == 1


def test_terminal_never_gets_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text, _ = _write(None, terminal=True, rows=[{"name": "x\x1b]0;evil\x07"}], columns=[Column("name")])
    assert "\x1b" not in text
    assert "\\x1b]0;evil\\x07" in text


@pytest.mark.parametrize(
    ("ago", "shown"),
    [(41, "2026-11-24 15:29:19 +0330 (41 s ago)"), (61 * 86_400, "2026-09-24 15:30:00 +0330")],
)
def test_an_instant_told_both_ways(ago: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = io.StringIO()
    sheet = Sheet([(Column("since", kind=Kind.BOTH), NOW - timedelta(seconds=ago))])
    write_sheet(sheet, None, Face(stream, True, lambda: NOW, lambda: "Asia/Tehran"))
    assert stream.getvalue().split(maxsplit=1)[1].strip() == shown


def _sheet(mode: OutputMode | None, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    sheet = Sheet(
        [
            (Column("name"), "الف"),
            (Column("at", kind=Kind.WALL), NOW),
            (Column("home"), Path("/x")),
            (Column("n"), None),
        ],
        remarks={"n": "built in"},
    )
    write_sheet(sheet, mode, Face(stream, terminal, lambda: NOW, lambda: "Asia/Tehran"))
    return stream.getvalue()


def test_sheet_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert _sheet(None) == "name\tالف\nat\t2026-11-24T12:00:00Z\nhome\t/x\nn\t\n"
    whole = {"name": "الف", "at": "2026-11-24T12:00:00Z", "home": "/x", "n": None}
    assert json.loads(_sheet(OutputMode.JSON)) == whole
    assert json.loads(_sheet(OutputMode.JSONL)) == whole
    assert _sheet(OutputMode.NAME) == "الف\n"
    terminal = _sheet(None, terminal=True)
    assert "2026-11-24 15:30:00 +0330" in terminal
    assert "-  built in" in terminal
