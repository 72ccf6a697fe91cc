"""The folder of captured output and the daemon's own log cannot be written: tasks run and finish all the same.

It judges by what the bodies wrote down, on another disk, and by what was stored of their output.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from celsched.domain.execution import State
from tests.scenarios.at_work import TASKS, at_work
from tests.scenarios.fire_times import PATIENCE, all_live, begun
from tests.scenarios.small_disk import SmallDisk, small_disk
from tests.support.executions import texts_of
from tests.support.project import Daemon, Project
from tests.support.waiting import wait_until

MORE_TASKS = """\
  speak: {task_path: jobs.speaks}
  speak later: {task_path: jobs.speaks, default_params: {waits: true}}
"""
SPEAKS = """

def speaks(name: str, waits: bool = False) -> None:
    note("begin", name)
    while waits and not (HERE / f"{name}.go").exists():
        time.sleep(0.05)
    print(f"printed by {name}", "p" * 5000)
    log.info("logged by %s", name)
    sys.stdout.buffer.write(b"bytes\\n")
    os.write(1, b"raw\\n")
    subprocess.run(["sh", "-c", f"echo 'echoed by {name}'; echo error >&2"], check=True)
    note("end", name)
"""


@dataclass
class Place:
    project: Project
    daemon: Daemon
    temporary: SmallDisk
    logs: SmallDisk

    def runs(self, name: str) -> str:
        """Run a task that speaks in every way; return what was kept of it."""
        asked = self.project.ask("speak", name=name)
        self.project.wait_for(asked, State.SUCCEEDED, timeout=PATIENCE)
        assert begun(self.project, name) == [1]
        return spoken(self.project, asked)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A daemon with its embedded worker; temporary files and its own log are on a small disk each."""
    folder = tmp_path_factory.mktemp("logs")
    with small_disk(folder / "temporary", 1) as temporary, small_disk(folder / "log", 1) as logs:
        (folder / "daemon-0.err").symlink_to(logs.folder / "daemon.err")
        words = {"TMPDIR": str(temporary.folder)}
        with at_work(folder, TASKS + MORE_TASKS, bodies=SPEAKS, env=words) as project:
            (daemon,) = project.daemons
            made = Place(project, daemon, temporary, logs)
            assert_all_kept(made.runs("first"), "first")
            yield made


def spoken(project: Project, execution_id: int) -> str:
    return "\n".join(text for _, text in texts_of(project.store, execution_id))


def assert_all_kept(said: str, name: str) -> None:
    for text in (f"printed by {name}", f"logged by {name}", "bytes", "raw", f"echoed by {name}", "error"):
        assert text in said


def test_a_disk_that_is_full_already(place: Place) -> None:
    (folder,) = place.temporary.folder.glob("celsched-worker-*")
    for path in folder.glob("slot-*"):
        path.unlink()  # the room that they reserved would do
    place.temporary.fill()
    try:
        assert place.runs("full") == "", "it was not full"
    finally:
        place.temporary.make_room()
    wait_until(lambda: "is not kept: [Errno 28]" in place.daemon.err, timeout=PATIENCE, message="the worker says so")
    # What cannot be kept is nobody's: it may hold secrets, and must not get to the worker's own output.
    assert "by full" not in place.daemon.err + place.daemon.out
    assert_all_kept(place.runs("room again"), "room again")
    all_live(place.project)


def test_a_disk_that_fills_up_while_a_program_has_yet_to_write(place: Place) -> None:
    asked = place.project.ask("speak later", name="later")
    place.project.wait_for_note("later", timeout=PATIENCE)
    place.temporary.fill()
    try:
        (place.project.folder / "later.go").touch()
        place.project.wait_for(asked, State.SUCCEEDED, timeout=PATIENCE)
    finally:
        place.temporary.make_room()
    assert "echoed by later" in spoken(place.project, asked), "room was reserved for it"
    all_live(place.project)


def test_a_folder_that_becomes_read_only_keeps_nothing_of_the_body_before(place: Place) -> None:
    assert_all_kept(place.runs("the one before"), "the one before")
    with read_only(place.temporary.folder):
        assert place.runs("read-only") == ""
    assert "by read-only" not in place.daemon.err + place.daemon.out
    assert_all_kept(place.runs("writable again"), "writable again")
    all_live(place.project)


def test_a_folder_that_was_cleaned_away_is_made_again(place: Place) -> None:
    (folder,) = place.temporary.folder.glob("celsched-worker-*")
    shutil.rmtree(folder)
    assert_all_kept(place.runs("cleaned away"), "cleaned away")
    assert folder.stat().st_mode & 0o077 == 0
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    try:
        assert place.runs("a file") == ""
    finally:
        folder.unlink()
    assert_all_kept(place.runs("and gone"), "and gone")
    all_live(place.project)


def test_the_daemons_own_log_on_a_full_disk(place: Place) -> None:
    place.logs.fill()
    try:
        for number in range(3):
            assert_all_kept(place.runs(f"unlogged {number}"), f"unlogged {number}")
    finally:
        place.logs.make_room()
    place.runs("logged again")
    wait_until(lambda: "execution" in place.daemon.err, timeout=PATIENCE, message="the log goes on")
    all_live(place.project)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Lay a read-only view over a folder; who has a file open there goes on writing to it."""
    for words in (("--bind", folder, folder), ("-o", "remount,bind,ro", folder)):
        subprocess.run(["mount", *words], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
