"""`celsched run` over an embedded broker whose folders are filled with rubbish, closed and deleted while it runs.

It judges by what the tasks wrote down: everything asked for runs once, in the worker that ran before.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.domain.execution import State
from tests.support.project import Daemon, Project, offspring_of, project_in
from tests.support.waiting import wait_until

QUICK = 'heartbeat = "1s"\nlease = "4s"\nrepublish = "1s"\ndrain = "2s"\nkill_grace = "300ms"\n'
MANIFEST = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  nap: {task_path: jobs.naps}
schedules:
  هر ثانیه: {task: greet, every: 1s, overlap: allow, params: {name: tick}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Daemon, int]]:
    """A project, its daemon and the main process of the daemon's worker."""
    with project_in(tmp_path_factory.mktemp("embedded"), extra_settings=QUICK) as project:
        project.write("manifest.yaml", MANIFEST)
        daemon = project.start("run", "--apply", "manifest.yaml")
        project.wait_for_note("tick", timeout=40)
        yield project, daemon, worker_of(daemon)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.err


def worker_of(daemon: Daemon) -> int:
    [worker] = [pid for pid in offspring_of(daemon.pid) if daemon.pid == parent_of(pid)]
    return worker


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def spool_of(project: Project) -> Path:
    [queues] = (project.folder / ".celsched").rglob("queues")
    return queues.parent


def goes_on(running: tuple[Project, Daemon, int], name: str) -> None:
    """Assert that what is asked for now runs once, that fire times run too, and that nobody was replaced."""
    project, daemon, worker = running
    asked = [project.ask("greet", name=name) for _ in range(3)]
    ticks = len(project.notes("tick"))
    for one in asked:
        project.wait_for(one, State.SUCCEEDED)
    begun = [note["execution"] for note in project.notes(name) if note["event"] == "begin"]
    assert sorted(begun) == asked
    wait_until(lambda: len(project.notes("tick")) >= ticks + 2, timeout=20, message="the schedule goes on")
    assert worker_of(daemon) == worker
    assert "the embedded worker" not in daemon.err


def test_rubbish_in_the_queue_is_set_aside_and_all_that_is_due_runs(running: tuple[Project, Daemon, int]) -> None:
    project, daemon, _ = running
    spool = spool_of(project)
    [queue] = (spool / "queues").iterdir()
    whole = queue / ".whole.tmp"
    busy = [project.ask("nap", name="busy", seconds=60) for _ in range(len(os.sched_getaffinity(0)))]
    project.wait_for_note("busy", len(busy))

    def caught() -> bool:
        """Copy a real message that waits behind the busy children."""
        for path in queue.glob("*.msg"):
            shutil.copy(path, whole)
            return True
        return False

    wait_until(caught, timeout=30, message="a message waits")
    real = whole.read_bytes()
    rubbish = {
        "half": real[: len(real) // 2],
        "empty": b"",
        "binary": os.urandom(500),
        "foreign": b'{"job": "send_mail", "args": []}',
        "persian": "نامه\u200cای برای دیگری".encode(),
    }
    for name, content in rubbish.items():
        (queue / f"0-{name}.msg").write_bytes(content)
    (queue / "0-other-task.msg").write_bytes(real.replace(b"celsched.execute", b"celsched.elsewhere"))
    (queue / "0-twice.msg").write_bytes(real)
    (queue / "0-folder.msg").mkdir()
    os.mkfifo(queue / "0-pipe.msg")
    (queue / "0-link.msg").symlink_to("nowhere")
    for one in busy:
        project.call("cancel", str(one), "--force")
        project.wait_for(one, State.CANCELLED)
    goes_on(running, "after rubbish")
    wait_until(
        lambda: len(list((spool / "quarantine").iterdir())) >= len(rubbish), timeout=30, message="rubbish is set aside"
    )
    kept = " ".join(path.name for path in (spool / "quarantine").iterdir())
    assert [name for name in rubbish if f"0-{name}.msg" not in kept] == []
    begun = [note["execution"] for note in project.notes("tick") if note["event"] == "begin"]
    assert len(begun) == len(set(begun))
    for name in ("folder", "pipe", "link"):
        assert daemon.err.count(f"0-{name}.msg") == 1


@pytest.mark.parametrize("part", ["queue", "queues", "spool"])
def test_a_folder_that_is_deleted_comes_again_and_nothing_due_is_lost(
    running: tuple[Project, Daemon, int], part: str
) -> None:
    project, _, _ = running
    spool = spool_of(project)
    [queue] = (spool / "queues").iterdir()
    asked = [project.ask("greet", name=f"lost with {part}") for _ in range(3)]
    shutil.rmtree({"queue": queue, "queues": spool / "queues", "spool": spool}[part], ignore_errors=True)
    for one in asked:
        project.wait_for(one, State.SUCCEEDED)
    assert len([note for note in project.notes(f"lost with {part}") if note["event"] == "begin"]) == 3
    goes_on(running, f"after {part}")


def test_a_file_in_place_of_the_spool_stops_nothing_but_the_sending(running: tuple[Project, Daemon, int]) -> None:
    project, daemon, _ = running
    spool, said = spool_of(project), len(daemon.err)
    aside = spool.with_name("aside")
    spool.rename(aside)
    try:
        spool.write_text("من یک پرونده‌ام")
        one = project.ask("greet", name="in the way")
        wait_until(lambda: "for it" in daemon.err[said:], timeout=30, message="the daemon says that it cannot send")
        assert project.state(one) is State.PENDING
    finally:
        spool.unlink(missing_ok=True)
        aside.rename(spool)
    project.wait_for(one, State.SUCCEEDED)
    goes_on(running, "after the file")
