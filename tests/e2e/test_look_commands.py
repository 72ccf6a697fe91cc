"""The commands that look, as real processes on one store that a daemon and a worker have filled before."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.clock import SystemClock
from celsched.domain.execution import LogLine, State
from celsched.operations import control
from celsched.store import instances, logs
from celsched.store.instances import Instance
from celsched.store.store import Store, open_store
from tests.support.actors import end, publish, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, scope_of
from tests.support.stores import sqlite_url, store_at

Run = Callable[..., "Done"]
FORMS = ("table", "json", "jsonl", "csv", "name")
HOUR = timedelta(hours=1)


def _fill(store: Store, clock: ManualClock) -> None:
    """Let two hours pass: a success, a failure, a skip, a pause, and what is to come."""
    scope = scope_of(store)
    add_task(scope, "پاکسازی", task_type="cleanup", owner="helssa", queue_name="maintenance", max_retries=0)
    add_schedule(scope, "هر ساعت", task="پاکسازی", timezone="Asia/Tehran", priority=2)
    add_schedule(scope, "nightly", task="پاکسازی", cron="0 2 * * *")
    add_schedule(scope, "paused", task="پاکسازی")
    control.pause(scope, ["paused"], reason="تعمیر")
    clock.advance(HOUR)
    scan(store)
    publish(store)
    end(store, start(store, 1), State.FAILED, error="سرور پاسخ نمی‌دهد", error_type="ValueError", traceback="Traceback")
    line = LogLine(1, 1, 0, clock.now(), 20, "stdout", "خط\tیک")
    store.write(lambda tx: logs.append(tx, [line]))
    clock.advance(HOUR)
    scan(store)
    start(store, 2)
    clock.advance(HOUR)
    scan(store)
    row = Instance("d", "daemon", "server", 1, "daemon@server", "0", (), 0, 0, clock.now(), clock.now())
    store.write(lambda tx: instances.register(tx, row))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    url = sqlite_url(folder / "celsched.db")
    (folder / "celsched.toml").write_text(f'task_modules = ["files.*"]\ndatabase_url = "{url}"\n')
    open_store(url).close()
    # The daemon is long gone: what the commands say must not depend on the hour or minute at which this test runs.
    began = SystemClock().now().replace(hour=10, minute=10, second=0, microsecond=0) - 24 * HOUR
    clock = ManualClock(began)
    with store_at(url, clock) as store:
        _fill(store, clock)
    return folder


@dataclass(frozen=True)
class Done:
    """What a call left behind."""

    stdout: str
    stderr: str


@pytest.fixture
def process(project: Path) -> Run:
    """Run a command as a process of its own, its output in a pipe."""

    def call(*words: str, code: int = 0) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "celsched", *words],
            cwd=project,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return _checked(done.returncode, Done(done.stdout, done.stderr), code)

    return call


@pytest.fixture
def run(project: Path) -> Run:
    """Run a command in this process, which spares the start of a Python for each."""

    def call(*words: str, code: int = 0) -> Done:
        out, err = io.StringIO(), io.StringIO()
        cli = CliContext(stdin=io.StringIO(), stdout=out, stderr=err, env={}, cwd=project)
        return _checked(main(words, cli=cli), Done(out.getvalue(), err.getvalue()), code)

    return call


def _checked(code: int, done: Done, expected: int) -> Done:
    assert code == expected, done.stderr
    assert "Traceback (" not in done.stderr
    return done


def rows(run: Run, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*words, "-o", "json").stdout)
    return found


@pytest.mark.parametrize("command", ["tasks", "schedules", "executions", "instances", "next"])
def test_every_list_has_every_form(run: Run, command: str) -> None:
    found = {form: run(command, "-o", form).stdout for form in FORMS}
    as_json = json.loads(found["json"])
    assert as_json
    assert [list(json.loads(line)) for line in found["jsonl"].splitlines()] == [list(one) for one in as_json]
    by_csv = list(csv.reader(io.StringIO(found["csv"])))
    assert by_csv[0] == list(as_json[0])
    assert len(by_csv) == len(as_json) + 1
    assert found["table"].splitlines()[0] == "\t".join(as_json[0])
    assert len(found["name"].splitlines()) == len(as_json)


@pytest.mark.parametrize(
    "words",
    [
        ("tasks",),
        ("schedules",),
        ("executions",),
        ("instances",),
        ("next",),
        ("show", "execution", "1"),
        ("show", "schedule", "هر ساعت"),
        ("show", "task", "پاکسازی"),
        ("why", "paused"),
    ],
)
def test_every_command_works_as_a_process_in_a_pipe(process: Run, words: tuple[str, ...]) -> None:
    done = process(*words)
    assert done.stdout
    assert "\x1b" not in done.stdout


def test_tasks(run: Run) -> None:
    (task,) = rows(run, "tasks", "--type", "cleanup", "--set", "helssa")
    assert task["name"] == "پاکسازی"
    assert task["schedules"] == 3
    assert task["queue_name"] == "maintenance"
    assert rows(run, "tasks", "--set", "nobody") == []


def test_schedules(run: Run) -> None:
    found = {one["name"]: one for one in rows(run, "schedules")}
    hourly = found["هر ساعت"]
    assert hourly["status"] == "active"
    assert hourly["last_state"] == "skipped"
    assert hourly["last_reason"] == "overlap"
    assert (hourly["failure_streak"], hourly["success_streak"], hourly["active"]) == (1, 0, 1)
    assert "Asia/Tehran" in hourly["rule"]
    assert found["nightly"]["last_state"] is None
    (paused,) = rows(run, "schedules", "--status", "paused", "--type", "cron", "--task", "پاکسازی")
    assert "(تعمیر); `celsched resume paused` ends it" in paused["remark"]


def test_executions(run: Run) -> None:
    found = rows(run, "executions")
    assert [one["id"] for one in found] == [3, 2, 1]
    assert [one["state"] for one in found] == ["skipped", "running", "failed"]
    assert (found[2]["attempt"], found[2]["max_attempts"], found[2]["error"]) == (1, 1, "ValueError: سرور پاسخ نمی‌دهد")
    first = run("executions", "-n", "2", "-o", "name")
    assert first.stdout.split() == ["3", "2"]
    assert "older ones: add --before 2" in first.stderr
    assert run("executions", "--before", "2", "-o", "name").stdout.split() == ["1"]
    assert [one["id"] for one in rows(run, "executions", "--no-skipped", "--schedule", "هر ساعت")] == [2, 1]
    assert [one["id"] for one in rows(run, "executions", "--status", "failed", "--cause", "schedule")] == [1]
    assert len(rows(run, "executions", "--since", "7d")) == 3
    assert rows(run, "executions", "--until", "2d ago") == []


def test_instances(run: Run) -> None:
    (daemon,) = rows(run, "instances", "--kind", "daemon")
    assert (daemon["status"], daemon["alive"], daemon["name"]) == ("silent", False, "daemon@server")


def test_show(run: Run) -> None:
    task = json.loads(run("show", "task", "پاکسازی", "-o", "json").stdout)
    assert task["max_retries"] == 0
    assert task["origins"]["max_retries"] == "task"
    schedule = json.loads(run("show", "schedule", "هر ساعت", "-o", "json").stdout)
    assert (schedule["priority"], schedule["origins"]["priority"]) == (2, "schedule")
    assert schedule["origins"]["misfire_after"] == "settings"
    assert len(schedule["next_fire_times"]) == 3
    execution_ = json.loads(run("show", "execution", "1", "-o", "json").stdout)
    assert execution_["fate"] == "It failed after 0 ms on attempt 1 of 1: ValueError: سرور پاسخ نمی‌دهد."
    assert execution_["attempts"][0]["traceback"] == "Traceback"
    assert execution_["log"][0]["text"] == "خط\tیک"
    assert "fate\tIt is running on server" in run("show", "execution", "2").stdout


def test_next(run: Run) -> None:
    found = rows(run, "next", "nightly", "-n", "3")
    assert len(found) == 3
    assert all("T02:00:00Z" in one["fire_time"] for one in found)
    paused = run("next", "paused")
    assert paused.stdout == ""
    assert "paused: paused since" in paused.stderr


def test_why(run: Run) -> None:
    (failed,) = rows(run, "executions", "--status", "failed")
    found = json.loads(run("why", "هر ساعت", "--at", failed["fire_time"], "-o", "json").stdout)
    assert (found["verdict"], found["execution_id"], found["fire_time"]) == ("failed", 1, failed["fire_time"])
    assert found["commands"] == ["celsched show execution 1", "celsched logs 1", "celsched retry 1"]
    latest = run("why", "paused")
    assert "No execution: the schedule is paused since" in latest.stdout
    assert len(latest.stdout.splitlines()) == 1
    never = json.loads(run("why", "nightly", "--at", "2020-01-01 02:00", "-o", "json").stdout)
    assert never["verdict"] == "before_creation"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("why", "هر ساعتت"), "did you mean `هر ساعت`?"),
        (("next", "nighly"), "did you mean `nightly`?"),
        (("show", "schedule", "nighly"), "did you mean `nightly`?"),
        (("show", "task", "پاکساز"), "did you mean `پاکسازی`?"),
        (("show", "execution", "99"), "`celsched executions` lists them"),
        (("executions", "--schedule", "nighly"), "did you mean `nightly`?"),
        (("schedules", "--task", "پاکساز"), "did you mean `پاکسازی`?"),
    ],
)
def test_an_unknown_name_ends_with_3_and_a_hint(run: Run, words: tuple[str, ...], hint: str) -> None:
    assert f"hint: {hint}" in run(*words, code=3).stderr


@pytest.mark.parametrize(
    "words", [("executions", "--since", "whenever"), ("why", "nightly", "--at", "25:00"), ("next", "-n", "0")]
)
def test_what_cannot_be_read_ends_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert "hint: " in run(*words, code=2).stderr
