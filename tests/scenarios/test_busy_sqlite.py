"""One SQLite file under two daemons, their workers, people and a long reader; and a daemon frozen in a transaction.

It judges by what the bodies wrote down, by what people and logs were told, and by the size of the file's log.
"""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from celsched.domain.execution import State
from celsched.store.engine import WAL_BYTES
from tests.scenarios.at_work import EACH_SECOND, TASKS, at_work
from tests.scenarios.fire_times import PATIENCE, all_live, begun, each_ran_once, rows_of
from tests.support.project import Project, is_stopped
from tests.support.waiting import wait_until

TOO = """\
  each second too: {task: greet, every: 1s, overlap: allow, params: {name: each-second-too}}
"""
LOOKS = (
    ("executions", "--limit", "50"),
    ("stats",),
    ("schedules",),
    ("pause", "each second"),
    ("resume", "each second"),
    ("define", "another", "--task-path", "jobs.hello", "--no-import"),
)


@dataclass
class Place:
    project: Project
    file: Path

    def wal(self) -> int:
        """Return the bytes of the write-ahead log."""
        return Path(f"{self.file}-wal").stat().st_size


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two daemons on one file, each with its embedded worker."""
    folder = tmp_path_factory.mktemp("busy")
    with at_work(folder, TASKS + EACH_SECOND + TOO, lease="30s", daemons=2) as project:
        (file,) = (project.folder / ".celsched").glob("*.db")
        yield Place(project, file)


def _nobody_met_a_lock(project: Project) -> None:
    for daemon in project.daemons:
        assert "locked" not in daemon.err, daemon.err[-3000:]


def _people_work(project: Project, turn: int) -> None:
    for words in LOOKS:
        ended = project.call(*words)
        assert (ended.code, "locked" in ended.err) == (0, False), f"{words}: {ended.err}"
    if turn % 4 == 0:
        project.done("run-now", "greet", "--param", "name=asked by a process", timeout=PATIENCE)
        project.ask("flood", name="flood", lines=2000)


def test_a_snapshot_held_under_load_locks_nobody_out_and_the_log_shrinks_afterwards(place: Place) -> None:
    project = place.project
    turns = count()
    with closing(sqlite3.connect(place.file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT count(*) FROM executions").fetchone()
        before = len(rows_of(project, "each second too"))

        def long_enough() -> bool:
            _people_work(project, next(turns))
            return len(rows_of(project, "each second too")) >= before + 6 and place.wal() > 2 * WAL_BYTES

        wait_until(long_enough, timeout=PATIENCE, message="six fire times, and a log that has grown")
        assert reader.execute("SELECT count(*) FROM executions").fetchone() == seen
        reader.execute("ROLLBACK")
    wait_until(lambda: place.wal() <= WAL_BYTES, timeout=PATIENCE, message="the log shrinks")
    each_ran_once(project, "each second too", name="each-second-too")
    for row in project.executions("--task", "flood"):
        assert project.wait_for(row["id"], State.SUCCEEDED, timeout=PATIENCE).attempt == 1
    notes = [note["execution"] for note in project.notes() if note["event"] == "begin"]
    assert len(notes) == len(set(notes))
    _nobody_met_a_lock(project)
    all_live(project)


def test_a_daemon_frozen_in_its_transaction_holds_all_until_its_service_manager_ends_it(place: Place) -> None:
    project = place.project
    frozen = project.start("run", env={"CELSCHED_FAULT": "fires.recorded:1:stop"})
    wait_until(lambda: is_stopped(frozen.pid), timeout=PATIENCE, message="a daemon is frozen inside its transaction")
    since = project.store.clock.now()
    asking = project.start("run-now", "greet", "--param", "name=asked in the frost")
    recorded = rows_of(project, "each second too")
    wait_until(lambda: _now(project) > since + timedelta(seconds=3), timeout=PATIENCE, message="fire times are held up")
    assert rows_of(project, "each second too") == recorded, "it holds the only writer's place"
    assert project.call("executions").code == 0, "people can look meanwhile"
    assert asking.process.poll() is None

    # The children first, which hold nothing: so that none begins a body between the two signals.
    for pid in frozen.children():
        os.kill(pid, signal.SIGKILL)
    assert frozen.stop(signal.SIGKILL) == -signal.SIGKILL
    project.daemons.remove(frozen)
    project.start("run")
    assert asking.wait(PATIENCE) == 0, asking.err
    project.daemons.remove(asking)
    later = _now(project) + timedelta(seconds=1)
    wait_until(lambda: rows_of(project, "each second too")[-1].due_at > later, timeout=PATIENCE, message="it goes on")
    rows = each_ran_once(project, "each second too", name="each-second-too")
    assert {row.attempt for row in rows} == {1}
    wait_until(lambda: begun(project, "asked in the frost") == [1], timeout=PATIENCE, message="the request runs, once")
    all_live(project)


def _now(project: Project) -> datetime:
    return project.store.clock.now()
