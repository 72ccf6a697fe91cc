"""`celsched run` without any server: from a manifest to a ledger, its signals, and the deaths of its processes."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.execution import State
from tests.support.project import Daemon, Project, all_gone, lives, project_in
from tests.support.waiting import wait_until

QUICK = 'heartbeat = "1s"\nlease = "3s"\nrepublish = "2s"\ndrain = "2s"\nkill_grace = "300ms"\n'
SECRETS = (b"hunter2secret", b"abc123def456", b"pa55phrase9", b"verysecretkey77")
MANIFEST = """
version: 1
set: shop
defaults: {retry: {delay: 200ms, factor: 1, jitter: false}}
tasks:
  greet: {task_path: jobs.hello}
  پاکسازی فایل‌های موقت: {task_path: jobs.hello, default_params: {name: تهران}}
  unsteady: {task_path: jobs.unsteady}
  broken: {task_path: jobs.fails, max_retries: 1}
  counting: {task_path: jobs.counts}
  leaking: {task_path: jobs.leaks}
  leaking failure: {task_path: jobs.leaks_and_fails, max_retries: 0}
schedules:
  every second: {task: greet, every: 1s, params: {name: tick}}
  پاکسازی هر سه ثانیه: {task: پاکسازی فایل‌های موقت, every: 3s}
  unsteady once: {task: unsteady, every: 1h, start_at: "%(soon)s"}
  broken once: {task: broken, every: 1h, start_at: "%(soon)s"}
  counting once: {task: counting, every: 1h, start_at: "%(soon)s"}
  leaking once: {task: leaking, every: 1h, start_at: "%(soon)s"}
  leaking failure once: {task: leaking failure, every: 1h, start_at: "%(soon)s"}
  far ahead: {task: greet, at: 2100-01-01T00:00:00+03:30}
"""
SLEEPERS = """
version: 1
tasks:
  greet: {task_path: jobs.hello}
  nap: {task_path: jobs.naps, max_retries: 0}
  nap again: {task_path: jobs.naps, max_retries: 0, retry_on_lost: 1, retry: {delay: 0s, factor: 1, jitter: false}}
"""


def soon(seconds: int = 6) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with project_in(tmp_path, extra_settings=QUICK) as made:
        yield made


@pytest.fixture
def sleepers(project: Project) -> Project:
    project.apply(SLEEPERS)
    return project


def running(project: Project, *words: str) -> Daemon:
    """Start a daemon and wait until its worker has run something."""
    daemon = project.start("run", *words)
    project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED)
    return daemon


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Daemon]]:
    """A project whose manifest was applied and run for ten seconds; for longer where a machine is too busy for that."""
    for seconds in (10, 20, 40):
        with project_in(tmp_path_factory.mktemp("finished"), extra_settings=QUICK) as project:
            project.write("manifest.yaml", MANIFEST % {"soon": soon(seconds * 6 // 10)})
            daemon = project.start("run", "--apply", "manifest.yaml", "--for", f"{seconds}s")
            assert daemon.wait(seconds + 30) == 0, daemon.err
            if seconds == 40 or not missed(project):
                yield project, daemon
                return


def missed(project: Project) -> bool:
    """Return whether something that was to happen once had not ended when time was up."""
    ended = {row["schedule"] for row in project.executions() if row["state"] in ("succeeded", "failed")}
    return not ended >= set(re.findall(r"^  (\w.* once):", MANIFEST, re.M))


def rows_of(project: Project, schedule: str) -> list[Any]:
    return project.executions("--schedule", schedule)


def test_a_run_for_some_seconds_applies_works_and_sums_up(finished: tuple[Project, Daemon]) -> None:
    project, daemon = finished
    assert "applied: 15 created" in daemon.out
    summary = {line.split("\t")[0]: line.split("\t")[1:] for line in daemon.out.splitlines() if "\t" in line}
    assert summary["unsteady once"][:4] == ["1", "0", "2", "0"]
    assert summary["broken once"][:4] == ["0", "1", "1", "0"]
    assert summary["far ahead"][-1].startswith("2099-12-31T20:30:00")
    ticks = [row for row in rows_of(project, "every second") if row["state"] == "succeeded"]
    assert int(summary["every second"][0]) == len(ticks) >= 6
    assert "Traceback" not in daemon.err


def test_fire_times_are_a_grid_without_gaps_and_each_ran_once(finished: tuple[Project, Daemon]) -> None:
    project, _ = finished
    rows = rows_of(project, "every second")
    seconds = [int(row["fire_time"][17:19]) for row in rows]
    assert seconds == [(seconds[0] + number) % 60 for number in range(len(seconds))]
    ran = [note["execution"] for note in project.notes("tick") if note["event"] == "begin"]
    assert sorted(ran) == [row["id"] for row in rows if row["started_at"]]
    assert max(row["lateness"] for row in rows[1:] if row["lateness"] is not None) < 2


def test_retries_are_kept_in_the_ledger(finished: tuple[Project, Daemon]) -> None:
    project, _ = finished
    [unsteady] = rows_of(project, "unsteady once")
    seen = project.execution(unsteady["id"])
    assert [attempt["state"] for attempt in seen["attempts"]] == ["failed", "failed", "succeeded"]
    assert seen["attempts"][0]["error"] == "سرویس پاسخ نداد"
    assert seen["result"] == 3
    [broken] = rows_of(project, "broken once")
    assert (broken["state"], broken["attempt"], broken["error"]) == ("failed", 2, "ValueError: it does not work")


def test_persian_names_and_text_come_out_as_they_went_in(finished: tuple[Project, Daemon]) -> None:
    project, daemon = finished
    rows = rows_of(project, "پاکسازی هر سه ثانیه")
    assert {row["task"] for row in rows} == {"پاکسازی فایل‌های موقت"}
    assert project.execution(rows[0]["id"])["result"] == {"greeted": "تهران"}
    lines = [line["text"] for line in project.json("logs", str(rows[0]["id"]))]
    assert lines == ["hello, تهران", "سلام تهران"]
    assert "پاکسازی هر سه ثانیه" in daemon.err


def test_progress_is_kept(finished: tuple[Project, Daemon]) -> None:
    project, _ = finished
    [row] = rows_of(project, "counting once")
    seen = project.execution(row["id"])
    assert (seen["progress_done"], seen["progress_total"], seen["progress_message"]) == (5, 5, "گام 5")


def test_secrets_are_nowhere_but_in_the_users_code(finished: tuple[Project, Daemon]) -> None:
    project, daemon = finished
    [row] = rows_of(project, "leaking once")
    lines = [line["text"] for line in project.json("logs", str(row["id"]))]
    assert len(lines) >= 4
    assert any("calling https://" in line for line in lines)
    files = [path for path in project.folder.rglob("*") if path.is_file() and path.name != "jobs.py"]
    assert any(path.name == "celsched.db" for path in files)
    found = [
        (path.name, secret)
        for path in files
        if path.suffix != ".pyc"
        for secret in SECRETS
        if secret in path.read_bytes()
    ]
    assert found == []
    assert "leaking failure once" in daemon.err


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_daemon_stops_at_once_and_leaves_nobody(sleepers: Project, how: signal.Signals) -> None:
    daemon = running(sleepers)
    family = daemon.children()
    assert len(family) >= 2
    begin = time.monotonic()
    assert daemon.stop(how) == 0
    assert time.monotonic() - begin < 3
    wait_until(all_gone(family), message="the embedded worker and its children are gone")
    assert "Traceback" not in daemon.err


def test_a_busy_daemon_lets_tasks_end_or_records_them_as_lost(sleepers: Project) -> None:
    daemon = running(sleepers)
    short = sleepers.ask("nap", name="short", seconds=1)
    sleepers.wait_for_note("short")
    long = sleepers.ask("nap", name="long")
    sleepers.wait_for_note("long")
    family = daemon.children()
    assert daemon.stop() == 0
    wait_until(all_gone(family), message="nobody is left")
    assert sleepers.state(short) is State.SUCCEEDED
    ended = sleepers.wait_for(long, State.LOST)
    assert ended.reason == "worker_shutdown"


def test_two_daemons_share_one_file_without_doubles(project: Project) -> None:
    schedules = "".join(
        f"  s{number}: {{task: greet, every: 1s, params: {{name: n{number}}}}}\n" for number in range(8)
    )
    project.write("manifest.yaml", f"version: 1\ntasks:\n  greet: {{task_path: jobs.hello}}\nschedules:\n{schedules}")
    first = project.start("run", "--apply", "manifest.yaml", "--for", "8s")
    second = project.start("run", "--for", "8s")
    assert (first.wait(), second.wait()) == (0, 0)
    begun = [(note["execution"], note["attempt"]) for note in project.notes() if note["event"] == "begin"]
    assert len(begun) == len(set(begun)) >= 16, project.said()
    rows = project.executions()
    fires = [(row["schedule"], row["fire_time"]) for row in rows]
    assert len(fires) == len(set(fires))
    assert {row["state"] for row in rows} <= {"succeeded", "pending", "queued", "skipped"}, project.said()
    assert {one for one, _ in begun} == {row["id"] for row in rows if row["state"] == "succeeded"}
    for daemon in (first, second):
        assert "dispatched" in daemon.err
        assert "locked" not in daemon.err


def test_after_kill_9_of_the_daemon_its_worker_stops_and_the_next_one_goes_on(sleepers: Project) -> None:
    daemon = running(sleepers)
    family = daemon.children()
    daemon.process.kill()
    daemon.process.wait()
    left = sleepers.ask("greet", name="left")
    wait_until(all_gone(family), timeout=15, message="the embedded worker stops by itself")
    second = sleepers.start("run")
    sleepers.wait_for(left, State.SUCCEEDED)
    assert len(sleepers.wait_for_note("left")) == 1
    assert second.stop() == 0


def test_a_killed_embedded_worker_comes_again_and_its_execution_follows_its_policy(sleepers: Project) -> None:
    daemon = running(sleepers)
    once = sleepers.ask("nap", name="once")
    sleepers.wait_for_note("once")
    twice = sleepers.ask("nap again", name="twice", seconds=1.5)
    sleepers.wait_for_note("twice")
    [worker] = [pid for pid in daemon.children() if parent_of(pid) == daemon.pid]
    bodies = [note["pid"] for note in sleepers.notes() if note["name"] in ("once", "twice")]
    os.kill(worker, signal.SIGKILL)
    wait_until(all_gone(bodies), message="the bodies die with their worker")
    assert sleepers.wait_for(once, State.LOST).reason == "no_heartbeat"
    assert sleepers.wait_for(twice, State.SUCCEEDED).attempt == 2
    assert "the embedded worker" in daemon.err
    assert lives(daemon.pid)
    assert daemon.stop() == 0


@pytest.mark.parametrize("words", [("run",), ("run", "--for", "1m")])
def test_a_worker_that_cannot_start_with_these_settings_ends_the_daemon_with_78(
    project: Project, words: tuple[str, ...]
) -> None:
    with (project.folder / "celsched.toml").open("a") as settings:
        settings.write('preload = ["nosuch"]\n')
    ended = project.run(*words)
    assert ended.code == 78
    assert "celsched: `preload`: `nosuch` cannot be imported: ModuleNotFoundError" in ended.err
    assert "celsched: the embedded worker cannot start with these settings or this store" in ended.err
    assert "starting it again" not in ended.err


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
