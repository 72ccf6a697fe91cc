"""A full disk below the store, and below the worker's own files; then there is room again.

It judges by what the bodies wrote down, on another disk, and by the ledger.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from celsched.domain.execution import State
from tests.scenarios.at_work import at_work, goes_on, nothing_began_unclaimed, under_way
from tests.scenarios.fire_times import PATIENCE, begun, rows_of
from tests.scenarios.small_disk import SmallDisk, small_disk
from tests.support.executions import texts_of
from tests.support.project import Daemon, Project
from tests.support.waiting import wait_until


@dataclass
class Place:
    project: Project
    daemon: Daemon
    data: SmallDisk
    temporary: SmallDisk


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A daemon with its embedded worker, whose data folder and temporary folder are small disks of their own."""
    folder = tmp_path_factory.mktemp("full")
    with (
        small_disk(folder / ".celsched", 8) as data,
        small_disk(folder / "temporary", 1) as temporary,
        at_work(folder, env={"TMPDIR": str(folder / "temporary")}) as project,
    ):
        (daemon,) = project.daemons
        yield Place(project, daemon, data, temporary)


def test_a_store_on_a_full_disk_starts_nothing_and_catches_up(place: Place) -> None:
    project = place.project
    before = under_way(project, asked=3)
    place.data.fill()
    full_since = time.monotonic()
    wait_until(lambda: "is full" in place.daemon.err, timeout=PATIENCE, message="the daemon says that the disk is full")
    refused = project.run("run-now", "greet", "--param", "name=refused")
    assert refused.code == 6
    assert "the disk of the store" in refused.err
    assert "is full" in refused.err
    wait_until(lambda: time.monotonic() > full_since + 6, timeout=PATIENCE, message="it is full for two leases")
    nothing_began_unclaimed(project)
    fires = len(rows_of(project, "each second"))
    place.data.make_room()
    wait_until(lambda: len(rows_of(project, "each second")) > fires + 4, timeout=PATIENCE, message="it goes on")
    before.ends_well()
    assert begun(project, "refused") == []
    said = [line for line in place.daemon.err.splitlines() if " info " not in line]
    # One line for each thing that stopped, and one for each message that could not be claimed; not one for each try.
    assert len(said) < 40, "\n".join(said)


def test_bodies_run_while_the_workers_own_disk_is_full_or_its_folder_gone(place: Place) -> None:
    project = place.project
    place.temporary.fill()
    without = project.ask("flood", name="no room")
    project.wait_for(without, State.SUCCEEDED, timeout=PATIENCE)
    assert begun(project, "no room") == [1]
    assert len(texts_of(project.store, without)) < 1000, "it was not full"
    place.temporary.make_room()
    captured = project.ask("flood", name="room")
    project.wait_for(captured, State.SUCCEEDED, timeout=PATIENCE)
    assert len(texts_of(project.store, captured)) == 1000
    (folder,) = place.temporary.folder.glob("celsched-worker-*")
    shutil.rmtree(folder)
    project.wait_for(project.ask("greet", name="no folder"), State.SUCCEEDED, timeout=PATIENCE)
    assert begun(project, "no folder") == [1]
    goes_on(project)
