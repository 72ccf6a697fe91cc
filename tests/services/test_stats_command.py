"""`celsched stats` on a real SQLite store: its forms, its page, and what it refuses."""

import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.store.store import Store, open_store
from celsched.store.tables import executions
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, scope_of
from tests.support.stores import START, sqlite_url

NASTY = "<script>alert('x')</script> & گزارش شبانه"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with nine successes, one failure and a skipped range of one schedule."""
    store = open_store(sqlite_url(tmp_path / "store.db"))
    _fill(store)
    store.close()
    return sqlite_url(tmp_path / "store.db")


def _fill(store: Store) -> None:
    schedule = add_schedule(scope_of(store), NASTY)
    ended = START - timedelta(hours=2)
    rows = [
        {
            "state": state, "cause": "manual", "task_id": schedule.task.id, "task": "task", "schedule_id": schedule.id,
            "schedule": NASTY, "revision": 1, "count": 30 if state == "skipped" else 1, "due_at": ended,
            "dispatch_at": ended, "publish_after": ended, "created_at": ended, "started_at": ended,
            "queue_name": None if state == "skipped" else "default",
            "reason": "overlap" if state == "skipped" else None,
            "attempt_started_at": ended, "finished_at": ended + timedelta(seconds=n + 1),
        }
        for n, state in enumerate([*["succeeded"] * 9, "failed", "skipped"])
    ]  # fmt: skip
    store.write(lambda tx: tx.execute(insert(executions), rows))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _run(url: str, tmp_path: Path, *words: str, terminal: bool = False) -> tuple[int, str, str]:
    out, err = _Terminal() if terminal else io.StringIO(), io.StringIO()
    cli = CliContext(stdout=out, stderr=err, env={}, cwd=tmp_path, clock=ManualClock(START))
    code = main(["--database-url", url, "stats", "--since", "2026-02-28", "--until", "2026-03-02", *words], cli=cli)
    return int(code), out.getvalue(), err.getvalue()


def _json(url: str, tmp_path: Path, *words: str) -> Any:
    code, out, err = _run(url, tmp_path, *words, "-o", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_overview_as_json_is_a_contract(url: str, tmp_path: Path) -> None:
    found = _json(url, tmp_path)
    assert (found["runs"], found["success_rate"], found["skipped"]) == (10, 0.9, 30)
    assert found["skipped_reasons"] == {"overlap": 30}
    assert found["causes"] == {"schedule": 0, "manual": 10, "backfill": 0, "retry": 0}
    assert found["per_day"] == [
        {"date": "2026-02-28", "succeeded": 0, "failed": 0, "skipped": 0, "success_rate": None},
        {"date": "2026-03-01", "succeeded": 9, "failed": 1, "skipped": 30, "success_rate": 0.9},
    ]
    assert found["live"] == {"running": 0, "queued": 0, "pending": 0, "retrying": 0, "waiting": 0}
    assert found["slowest"][0]["mean"] == 5.5
    assert found["next"][0]["schedule"] == NASTY
    assert found["due"] == 0
    assert found["previous"].items() >= {"until": found["since"], "runs": 0, "success_rate": None}.items()
    assert found["shares"].items() >= {"succeeded": 9 / 40, "failed": 1 / 40, "skipped": 30 / 40}.items()
    assert [(one["name"], one["runs"], one["failures"]) for one in found["tasks"]] == [("task", 10, 1)]
    assert [(one["queue_name"], one["runs"], one["failures"]) for one in found["queues"]] == [("default", 10, 1)]
    (skipped,) = found["most_skipped"]
    assert (skipped["name"], skipped["skipped"], skipped["reasons"]) == (NASTY, 30, {"overlap": 30})
    assert found["slots"] == []


def test_slots_tell_the_busiest_minutes(url: str, tmp_path: Path) -> None:
    (slot,) = _json(url, tmp_path, "--slots", "3")["slots"]
    at = START - timedelta(hours=2)
    assert slot == {
        "minute": f"{at:%H:%M}", "executions": 10, "days": 1, "most": 10, "most_at": f"{at:%Y-%m-%dT%H:%M:00Z}",
        "lateness_mean": 0, "lateness_max": 0,
    }  # fmt: skip
    assert "Busiest minutes of the day" in _run(url, tmp_path, "report", "--html", "-", "--slots", "3")[1]


def test_performance_has_seconds_and_nulls(url: str, tmp_path: Path) -> None:
    (found,) = _json(url, tmp_path, "performance")
    assert (found["kind"], found["name"], found["deleted"]) == ("schedule", NASTY, False)
    assert [found[f"duration_{rank}"] for rank in ("p50", "p95", "p99", "max")] == [5, 10, 10, 10]
    assert (found["lateness_p50"], found["attempts_per_run"], found["attempts"]) == (0, 1.0, 0)
    assert (found["cpu_seconds"], found["peak_memory_bytes"]) == (None, None)


def test_performance_prints_names_and_rows(url: str, tmp_path: Path) -> None:
    assert _run(url, tmp_path, "performance", "-o", "name")[1] == f"{NASTY}\n"
    assert _run(url, tmp_path, "performance", "--by", "task", "-o", "name")[1] == "task\n"
    assert _run(url, tmp_path, "performance")[1].split("\t")[:4] == ["schedule", NASTY, "false", "10"]


def test_the_page_is_whole_harmless_and_needs_nothing_else(url: str, tmp_path: Path) -> None:
    code, out, err = _run(url, tmp_path, "report", "--html", "page.html")
    assert (code, out, err) == (0, "", "wrote page.html\n")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert "<script" not in page
    assert "گزارش شبانه</bdi>" in page
    assert "90 %" in page
    assert not re.search(r"https?:|src=|href=|url\(", page)
    assert sorted(path.name for path in tmp_path.iterdir() if "page" in path.name) == ["page.html"]


def test_the_page_goes_to_standard_output_too(url: str, tmp_path: Path) -> None:
    code, out, err = _run(url, tmp_path, "report", "--html", "-")
    assert (code, err) == (0, "")
    assert out.startswith("<!doctype html>")


def test_a_person_reads_what_the_numbers_and_bars_are_of(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    text = _run(url, tmp_path, terminal=True)[1]
    assert re.search(r"^runs per day +▁█  02-28 to 03-01, at most 10 a day$", text.replace(" \n", "\n"), re.MULTILINE)
    assert "failures per day" in text
    assert " TOOK P50 " in _run(url, tmp_path, "performance", terminal=True)[1]
    nothing = _run(sqlite_url(tmp_path / "empty.db"), tmp_path, terminal=True)[1]
    assert "per day" not in nothing


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    code, out, _ = _run(sqlite_url(tmp_path / "empty.db"), tmp_path, "report", "--html", "-")
    assert code == 0
    assert "Nothing ran." in out
    assert "No schedule." in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("report",), 2, "--html"),
        (("--html", "x.html"), 2, "`stats report`"),
        (("-o", "name"), 2, "no names"),
        (("--until", "2020-01-01"), 2, "window is empty"),
        (("performance", "--slots", "3"), 2, "overview"),
        (("--since", "0001-01-05", "--until", "0001-02-01"), 2, "calendar"),
        (("--since", "nonsense"), 2, "--since"),
        (("--schedule", "گزارش"), 3, "there is no schedule"),
        (("report", "--html", "no/such/folder/x.html"), 2, "cannot be written"),
    ],
)
def test_mistakes_are_explained(url: str, tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = _run(url, tmp_path, *words)
    assert (found, out) == (code, "")
    assert said in err
    assert "hint:" in err or "window" in err
