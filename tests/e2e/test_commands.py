"""The commands that ask for, watch, stop and tidy up executions, against one running daemon with its own worker."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.execution import State
from tests.support.executions import execution_of
from tests.support.project import Project, lives, project_in
from tests.support.waiting import wait_until

QUICK = 'heartbeat = "500ms"\nlease = "10s"\nrepublish = "2s"\ndrain = "2s"\nkill_grace = "500ms"\n'
LONG_AGO = "2026-01-01T00:00:00Z"
MANIFEST = """
version: 1
set: shop
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello, params_schema: {type: object, properties: {name: {type: string}}}}
  both: {task_path: jobs.hello}
  nap: {task_path: jobs.naps}
  fails: {task_path: jobs.fails}
  counting: {task_path: jobs.counts}
  speaks: {task_path: jobs.speaks}
  stubborn: {task_path: jobs.stubborn}
  spins: {task_path: jobs.spins}
  retries for ever: {task_path: jobs.fails, max_retries: 9, retry: {delay: 1h, factor: 1, jitter: false}}
schedules:
  both: {task: greet, every: 7d}
  naps skip: {task: nap, every: 7d, params: {name: skip}}
  naps queue: {task: nap, every: 7d, overlap: queue_one, params: {name: queue}}
  naps cancel: {task: nap, every: 7d, overlap: cancel_running, params: {name: cancel}}
  naps allow: {task: nap, every: 7d, overlap: allow, params: {name: allow}}
  hourly: {task: nap, cron: "0 * * * *", timezone: UTC, params: {name: hourly, seconds: 0.3}}
  پاکسازی: {task: counting, every: 7d}
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with its daemon running."""
    with project_in(tmp_path_factory.mktemp("live"), extra_settings=QUICK) as project:
        project.apply(MANIFEST)
        project.start("run")
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED)
        yield project


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Project]:
    """A project without a daemon."""
    with project_in(tmp_path, extra_settings=QUICK) as project:
        project.apply(MANIFEST)
        yield project


# run-now


def test_run_now_waits_shows_the_log_and_ends_with_the_outcome(live: Project) -> None:
    done = live.run("run-now", "counting", "--param", "steps=3", "--wait", "--follow")
    assert done.code == 0
    assert [line.split("\t")[-1] for line in done.out.splitlines()] == ["step 1", "step 2", "step 3"]
    assert "of 'counting' succeeded in" in done.err
    failed = live.run("run-now", "fails", "--wait")
    assert failed.code == 10
    assert "failed" in failed.err
    assert "it does not work" in failed.err


def test_run_now_ends_with_124_when_time_is_up_and_with_11_when_it_was_cancelled(live: Project) -> None:
    late = live.run("run-now", "nap", "--param", "name=late", "--wait", "--timeout", "1s", "-o", "json")
    assert late.code == 124
    execution_id = late.json["execution"]
    waiting = live.start("run-now", "nap", "--param", "name=waited", "--wait", "-o", "json")
    live.wait_for_note("waited")
    wait_until(lambda: waiting.out.endswith("\n"), message="it has said which execution it waits for")
    waited = json.loads(waiting.out)["execution"]
    assert live.call("cancel", str(waited)).code == 0
    assert waiting.wait() == 11
    assert live.call("cancel", str(execution_id), "--force").code == 0


def test_parameters_are_checked_before_anything_is_recorded(live: Project) -> None:
    before = len(live.executions("--task", "greet"))
    for words, said in ((["name=5"], "name"), (["nam=x"], "nam"), (["nonsense"], "key=value")):
        refused = live.call("run-now", "greet", "--kind", "task", "--param", *words)
        assert refused.code == 2
        assert said in refused.err
    assert len(live.executions("--task", "greet")) == before


def test_a_name_of_both_kinds_and_a_mistyped_one(live: Project) -> None:
    ambiguous = live.call("run-now", "both")
    assert ambiguous.code == 5
    assert "--kind" in ambiguous.err
    assert live.call("run-now", "both", "--kind", "schedule", "--wait").code == 0
    mistyped = live.run("run-now", "countin")
    assert mistyped.code == 3
    assert "counting" in mistyped.err
    assert live.call("run-now", "both", "--kind", "nonsense").code == 2


def test_the_overlap_matrix(live: Project) -> None:
    first = {word: live.ask(f"naps {word}") for word in ("skip", "queue", "cancel", "allow")}
    live.wait_for_note("skip")
    refused = live.run("run-now", "naps skip")
    assert refused.code == 5
    assert "--overlap" in refused.err
    behind = live.json("run-now", "naps queue")["execution"]
    assert live.execution(behind)["waits"] is True
    assert live.call("run-now", "naps queue").code == 5
    beside = live.json("run-now", "naps skip", "--overlap", "allow")["execution"]
    assert live.execution(beside)["waits"] is False
    second = live.json("run-now", "naps cancel")["execution"]
    live.wait_for(first["cancel"], State.CANCELLED)
    live.call("cancel", str(first["queue"]), "--force")
    wait_until(lambda: not execution_of(live.store, behind).waits, message="the waiting one is let go")
    for one in (beside, behind, second, *first.values()):
        live.call("cancel", str(one), "--force")
        live.wait_for(one)


def test_without_a_daemon_run_now_warns_and_records(quiet: Project) -> None:
    asked = quiet.done("run-now", "greet", "-o", "json")
    assert "no daemon is running" in asked.err
    assert quiet.execution(asked.json["execution"])["state"] == "pending"


# retry and backfill


def test_retry_makes_a_new_execution_of_an_ended_one(live: Project) -> None:
    old = live.ask("fails", name="again")
    live.wait_for(old, State.FAILED)
    again = live.run("retry", str(old), "--wait", "-o", "json")
    assert again.code == 10
    seen = live.execution(again.json["execution"])
    assert (seen["cause"], seen["origin_id"], seen["params"]) == ("retry", old, {"name": "again"})
    going = live.ask("nap", name="going")
    live.wait_for_note("going")
    assert live.run("retry", str(going)).code == 5
    live.call("cancel", str(going))
    assert live.call("retry", "999999").code == 3


def test_a_backfill_runs_past_fire_times_one_after_the_other(live: Project) -> None:
    day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
    span = ("--from", f"{day}T00:30:00Z", "--to", f"{day}T04:00:00Z")
    dry = live.done("backfill", "hourly", *span, "--dry-run", "-o", "json")
    assert [row["fire_time"][11:16] for row in dry.json] == ["01:00", "02:00", "03:00"]
    assert "3 fire times would be run" in dry.err
    limited = live.run("backfill", "hourly", *span, "--limit", "2")
    assert limited.code == 2
    assert "--limit" in limited.err
    rows = live.done("backfill", "hourly", *span, "-o", "json").json
    for row in rows:
        live.wait_for(row["execution"], State.SUCCEEDED)
    # Not all of its runs: an hour may begin meanwhile.
    mine = {row["execution"] for row in rows}
    moments = [(note["at"], note["event"]) for note in live.notes("hourly") if note["execution"] in mine]
    assert [event for _, event in sorted(moments)] == ["begin", "end"] * 3
    again = live.done("backfill", "hourly", *span, "-o", "json")
    assert again.json == []
    assert "3 left out" in again.err
    every = live.done("backfill", "hourly", *span, "--all", "--dry-run")
    assert "3 fire times would be run" in every.err
    assert live.run("backfill", "hourly", "--from", "+1h", "--to", "+2h").code == 2


# cancel


def test_what_has_not_started_is_cancelled_at_once(quiet: Project) -> None:
    pending = quiet.ask("greet", name="never")
    done = quiet.done("cancel", str(pending))
    assert "it had not started" in done.out
    again = quiet.run("cancel", str(pending))
    assert again.code == 5
    assert "nothing to cancel" in again.err
    assert quiet.run("cancel", "12345").code == 3


def test_a_retrying_one_is_cancelled_at_once(live: Project) -> None:
    one = live.ask("retries for ever")
    live.wait_for(one, State.RETRYING)
    live.done("cancel", str(one))
    assert live.state(one) is State.CANCELLED


@pytest.mark.parametrize(("task", "force"), [("spins", False), ("stubborn", False), ("stubborn", True)])
def test_a_running_one_is_stopped_with_all_it_started(live: Project, task: str, force: bool) -> None:
    name = f"{task}-{force}"
    (live.folder / "stubborn.pid").unlink(missing_ok=True)
    one = live.ask(task, name=name)
    [note] = live.wait_for_note(name)
    pids = [note["pid"]]
    if task == "stubborn":
        path = live.folder / "stubborn.pid"
        pids.append(int(wait_until(lambda: path.exists() and path.read_text().strip(), message="sh runs") or 0))
    done = live.done("cancel", str(one), "--timeout", "15s", "--reason", "ماه اشتباه", *(["--force"] if force else []))
    assert "cancelled" in done.out
    assert live.execution(one)["fate"].endswith(" (ماه اشتباه).")
    assert not any(map(lives, pids[1:]))
    assert live.execution(one)["reason"] == "cancelled_by_user"


# logs


def test_logs_follow_until_the_end_and_begin_where_asked(live: Project) -> None:
    one = live.ask("counting", name="followed", steps=4, pause=0.3)
    followed = live.done("logs", str(one), "-f")
    assert [line.split("\t")[-1] for line in followed.out.splitlines()] == [f"step {number}" for number in range(1, 5)]
    assert "succeeded" in followed.err
    assert live.done("logs", str(one), "--tail", "1").out.count("\n") == 1


def test_logs_by_level_by_schedule_in_every_form_and_beyond_a_thousand_lines(live: Project) -> None:
    one = live.ask("speaks", lines=1500)
    live.wait_for(one, State.SUCCEEDED)
    assert len(live.json("logs", str(one))) == 1502
    warnings = live.done("logs", str(one), "--level", "warning", "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["level"] for line in warnings] == ["WARNING", "ERROR"]
    rows = list(csv.DictReader(io.StringIO(live.done("logs", str(one), "--tail", "3", "-o", "csv").out)))
    assert [row["text"] for row in rows] == ["line 1499", "a warning", "an error"]
    live.wait_for(live.ask("پاکسازی"), State.SUCCEEDED)
    assert "step 5" in live.done("logs", "پاکسازی").out
    silent = live.ask("fails", name="silent")
    live.wait_for(silent, State.FAILED)
    nothing = live.call("logs", str(silent))
    assert (nothing.out, nothing.code) == ("", 0)
    assert "no such lines" in nothing.err
    assert live.call("logs", "999999").code == 3
    assert live.call("logs", "hourlie").code == 3


# status, lists, db, watch


def test_status_tells_the_celery_word(live: Project) -> None:
    one = live.ask("greet", name="status")
    live.wait_for(one, State.SUCCEEDED)
    seen = live.json("status", str(one))
    assert (seen["state"], seen["celery_state"]) == ("succeeded", "SUCCESS")
    assert "embedded" in seen["inspect"]


LISTS = (
    ("tasks",),
    ("schedules",),
    ("executions",),
    ("instances",),
    ("next", "-n", "2"),
    ("stats", "performance"),
    ("show", "schedule", "hourly"),
    ("show", "task", "greet"),
    ("db", "current"),
    ("why", "hourly"),
)


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_every_form_of_every_list_can_be_read_by_a_program(live: Project, words: tuple[str, ...]) -> None:
    as_json: Any = live.json(*words)
    rows = as_json if isinstance(as_json, list) else [as_json]
    assert rows
    lines = live.call(*words, "-o", "jsonl").out.splitlines()
    assert [list(json.loads(line)) for line in lines] == [list(row) for row in rows]
    table = list(csv.reader(io.StringIO(live.call(*words, "-o", "csv").out)))
    assert len(table) == len(rows) + 1
    assert {len(line) for line in table} == {len(table[0])}
    assert len(live.call(*words, "-o", "name").out.splitlines()) == len(rows)
    assert "…" not in live.call(*words).out


def test_purge_removes_what_has_ended(quiet: Project) -> None:
    one = quiet.ask("greet", name="gone")
    quiet.done("cancel", str(one))
    refused = quiet.run("purge", "--days", "0")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert "removed 1 execution" in quiet.done("purge", "--days", "0", "--yes").out
    assert quiet.run("show", "execution", str(one)).code == 3


def test_watch_once_tells_a_silent_daemon_and_a_late_start(quiet: Project) -> None:
    silent = quiet.run("watch", "--once", "-o", "json")
    assert silent.code == 1
    assert [alert["kind"] for alert in silent.json] == ["daemon_down"]
    daemon = quiet.start("run")
    quiet.wait_for(quiet.ask("greet"), State.SUCCEEDED)
    assert quiet.run("watch", "--once").code == 0
    assert daemon.stop() == 0
    late = quiet.ask("greet", name="late")
    env = {"CELSCHED_ALERT_THRESHOLD_MINUTES": "0.001"}
    wait_until(
        lambda: (
            {"late_start", "daemon_down"}
            <= {alert["kind"] for alert in quiet.run("watch", "--once", "-o", "json", env=env).json}
        ),
        timeout=60,
        message=f"execution {late} is told to be late, and a daemon that was stopped is missed after a while",
    )


# unusable settings and stores


def test_a_daemon_with_unusable_settings_ends_with_78(quiet: Project) -> None:
    quiet.write("celsched.toml", 'heartbeat = "40s"\nlease = "60s"\n')
    for command in ("run", "worker", "watch"):
        refused = quiet.run(command)
        assert refused.code == 78, command
        assert "heartbeat" in refused.err
    assert quiet.run("tasks").code == 2


def test_a_store_with_a_newer_schema_is_refused(quiet: Project) -> None:
    with sqlite3.connect(quiet.folder / ".celsched" / "celsched.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for words in (["run"], ["watch", "--once"], ["tasks"], ["run-now", "greet"], ["db", "upgrade"]):
        refused = quiet.run(*words)
        assert refused.code == 78, words
        assert "newer" in refused.err


def test_db_upgrade_and_current_agree(quiet: Project) -> None:
    seen = quiet.json("db", "current")
    assert seen["store"] == seen["needed"]
    assert quiet.done("db", "upgrade").out == f"schema {seen['needed']}\n"
