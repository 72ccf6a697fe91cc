"""`celsched doctor` as a process: its forms, its exit code, and a store that is away."""

import csv
import io
import socket
from pathlib import Path

import pytest

from tests.e2e.cli_project import CliProject

MANIFEST = "version: 1\nset: a\ntasks: {سلام: {task_path: jobs.greet}}\nschedules: {often: {task: سلام, every: 1h}}\n"


@pytest.fixture
def project(tmp_path: Path) -> CliProject:
    made = CliProject(tmp_path)
    made.write("good.yaml", MANIFEST)
    made.done("apply", "-f", "good.yaml")
    return made


def test_a_project_that_nobody_runs_fails_with_the_commands_to_type(project: CliProject) -> None:
    ended = project.run("doctor", "-o", "json")
    rows = {row["code"]: row for row in ended.json}
    assert ended.code == 1
    assert [row["number"] for row in ended.json] == list(range(1, len(rows) + 1))
    assert {code for code, row in rows.items() if row["status"] == "fail"} == {
        "queues.consumed", "daemon.alive", "watcher.alive"
    }  # fmt: skip
    assert rows["daemon.alive"]["fix"] == "celsched run"
    assert rows["tasks.resolvable"]["status"] == "pass"
    table = list(csv.DictReader(io.StringIO(project.run("doctor", "--no-import", "-o", "csv").out)))
    assert [row["code"] for row in table] == list(rows)
    assert next(row for row in table if row["code"] == "tasks.resolvable")["status"] == "skip"


def test_a_store_that_is_away_is_one_finding_among_others(project: CliProject) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody:geheim@127.0.0.1:{free.getsockname()[1]}/none"
    ended = project.run("--database-url", url, "doctor", "-o", "json")
    rows = {row["code"]: row for row in ended.json}
    assert (ended.code, rows["store.reachable"]["status"], rows["daemon.alive"]["status"]) == (1, "fail", "skip")
    assert rows["store.reachable"]["fix"] == "celsched config database_url", "what can be typed"
    assert rows["zones.data"]["status"] == "pass"
    assert "geheim" not in ended.out + ended.err
