"""Bodies that crash, freeze and multiply, and the death of whoever watches them: what is recorded, and who survives.

It never judges limits and cancels.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.domain.execution import State
from tests.scenarios.hard_project import daemon_of, hard_project, pids_of, serves
from tests.support.executions import attempts_of, execution_of
from tests.support.project import Daemon, Project, all_gone
from tests.support.waiting import wait_until

LEASE = 4.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with hard_project(tmp_path_factory.mktemp("bodies"), lease=f"{LEASE:g}s") as made:
        yield made


def begins(project: Project, name: str) -> list[tuple[int, int]]:
    """Return execution and try of every body of this name that began."""
    return [(note["execution"], note["attempt"]) for note in project.notes(name) if note["event"] == "begin"]


def worker_of(daemon: Daemon) -> int:
    """Return the main process of the embedded worker: the daemon's only child."""
    [pid] = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    return int(pid)


def test_crashes_are_found_at_once_while_another_body_holds_the_interpreter_for_two_leases(project: Project) -> None:
    daemon = daemon_of(project)
    frozen = project.ask("frozen again", name="for two leases", seconds=2 * LEASE + 1)
    project.wait_for_note("for two leases")
    for name in ("segfaults", "exits", "over its limit"):
        one = project.ask(name)
        ended = project.wait_for(one, State.LOST, timeout=60)
        # The lease would have found it too, but said so.
        assert ended.reason == "worker_died", name
        assert begins(project, name) == [(one, 1)]
        serves(project)
    project.wait_for(frozen, State.SUCCEEDED, timeout=60)
    assert execution_of(project.store, frozen).attempt == 1
    assert begins(project, "for two leases") == [(frozen, 1)]
    assert "Traceback" not in daemon.err


def test_a_body_that_kills_its_process_each_time_comes_to_an_end(project: Project) -> None:
    daemon = daemon_of(project)
    poison = project.ask("poison")
    ended = project.wait_for(poison, State.LOST, timeout=60)
    assert (ended.attempt, ended.reason) == (3, "worker_died")
    assert [one.state for one in attempts_of(project.store, poison)] == [State.LOST] * 3
    serves(project)
    assert begins(project, "poison") == [(poison, attempt) for attempt in (1, 2, 3)]
    assert daemon.process.poll() is None


def test_nothing_of_a_pipeline_outlives_whoever_watches_it_and_the_next_try_meets_none(project: Project) -> None:
    one = project.ask("pipeline thrice", name="watched")
    first, second, third = ("watched", 1), ("watched", 2), ("watched", 3)

    daemon = daemon_of(project)
    pids = pids_of(project, *first)
    os.kill(worker_of(daemon), signal.SIGKILL)
    daemon.process.kill()
    daemon.process.wait()
    wait_until(all_gone(pids), message="nothing survives when daemon and worker are killed")

    daemon = daemon_of(project)
    pids = pids_of(project, *second)
    os.kill(worker_of(daemon), signal.SIGKILL)
    wait_until(all_gone(pids), message="nothing survives when the worker is killed")

    pids = pids_of(project, *third)
    family = daemon.children()
    daemon.process.kill()
    daemon.process.wait()
    # The orphaned worker gives bodies their time, ends them, records that, and leaves: no lease has to pass.
    ended = project.wait_for(one, State.LOST, timeout=60)
    assert (ended.attempt, ended.reason) == (3, "worker_shutdown")
    assert all_gone(pids)()
    wait_until(all_gone(family), timeout=15, message="the orphaned worker is gone")
    assert [note["event"] for note in project.notes("watched")] == ["begin"] * 3
