"""SIGTERM and SIGINT to daemon, worker and watcher: once, twice, to everything at once, with the broker and without.

It never judges what bodies do about their own signals.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from celsched.domain.execution import State
from celsched.store.tables import executions
from tests.scenarios.hard_project import hard_project, pids_of, serves
from tests.support.project import Daemon, Project, all_gone
from tests.support.services import RedisServer
from tests.support.waiting import wait_until

BOUND = 60.0
"""Seconds: with a drain of ten minutes nobody may wait for it. Generous, because machines are loaded."""
TASKS = "  nap again: {task_path: jobs.naps, retry_on_lost: 1, retry: {delay: 1h, factor: 1, jitter: false}}\n"


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("own-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Project]:
    settings = f'broker_url = "{redis.url}"\nqueues = ["default"]\n'
    with hard_project(tmp_path_factory.mktemp("signals"), settings=settings, drain="10m", tasks=TASKS) as made:
        yield made


def everything(daemon: Daemon) -> list[int]:
    """Return a daemon's processes, as `KillMode=control-group` would reach them: with whatever its bodies started."""
    return [daemon.pid, *daemon.children()]


def signal_all(pids: list[int], how: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # one that a look at the process table started and ended
            os.kill(pid, how)


def test_a_signal_to_every_process_ends_all_and_records_interrupted_bodies_at_once(project: Project) -> None:
    crew = [project.start(*words) for words in (["run"], ["worker", "-c", "3"], ["watch"])]
    serves(project)
    wait_until(lambda: "celsched watches" in crew[2].err, timeout=BOUND, message="the watcher runs")
    nap, pipeline, again = (project.ask(task, name=task) for task in ("nap", "pipeline", "nap again"))
    for name in ("nap", "nap again"):
        project.wait_for_note(name, timeout=BOUND)
    pids_of(project, "pipeline")
    pids = [pid for daemon in crew for pid in everything(daemon)]
    signal_all(pids, signal.SIGTERM)
    assert [daemon.wait(BOUND) for daemon in crew] == [0, 0, 0]
    assert all_gone(pids)()
    for one in (nap, pipeline):
        ended = project.wait_for(one, State.LOST)
        assert ended.reason == "worker_shutdown"
    assert project.wait_for(again, State.RETRYING).reason == "worker_shutdown"
    assert not [daemon.err for daemon in crew if "Traceback" in daemon.err]
    assert [row["kind"] for row in project.json("instances") if row["stopped_at"] is None] == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait_for_bodies(project: Project, how: signal.Signals) -> None:
    crew = [project.start(*words) for words in (["run"], ["worker", "-c", "2"])]
    frozen, pipeline = project.ask("frozen", name="frozen"), project.ask("pipeline", name="pipeline")
    [note] = project.wait_for_note("frozen", timeout=BOUND)
    pids = [note["pid"], *pids_of(project, "pipeline")]
    worker = crew[1]
    worker.process.send_signal(how)
    wait_until(lambda: "this worker stops" in worker.err, timeout=BOUND, message="the first signal arrived")
    assert project.state(frozen) is State.RUNNING
    assert worker.stop(how, BOUND) == 0
    assert all_gone(pids)()
    for one in (frozen, pipeline):
        assert project.wait_for(one, State.LOST).reason == "worker_shutdown"
    assert crew[0].stop(how, BOUND) == 0
    assert "Traceback" not in worker.err + crew[0].err


def test_a_second_signal_hurries_the_embedded_worker_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    with hard_project(tmp_path_factory.mktemp("embedded"), drain="10m") as project:
        daemon = project.start("run")
        once, pipeline = project.ask("nap", name="nap"), project.ask("pipeline", name="pipeline")
        project.wait_for_note("nap", timeout=BOUND)
        pids = [*pids_of(project, "pipeline"), *daemon.children()]
        daemon.process.send_signal(signal.SIGINT)
        wait_until(lambda: "this worker stops" in daemon.err, timeout=BOUND, message="the first signal arrived")
        assert project.state(once) is State.RUNNING
        assert daemon.stop(signal.SIGINT, BOUND) == 0
        assert all_gone(pids)()
        for one in (once, pipeline):
            assert project.wait_for(one, State.LOST).reason == "worker_shutdown"
        assert "Traceback" not in daemon.err


def test_a_daemon_gives_back_what_it_could_not_send_and_all_stop_without_the_broker(
    project: Project, redis: RedisServer
) -> None:
    crew = [project.start(*words) for words in (["run"], ["worker", "-c", "1"])]
    serves(project)
    redis.sigstop()
    waiting = [project.ask("hello", name=f"later {number}") for number in range(3)]
    leased = select(executions.c.id, executions.c.publish_after).where(
        executions.c.id.in_(waiting), executions.c.publishes > 0
    )
    wait_until(
        lambda: project.store.read(lambda tx: tx.execute(leased).all()), timeout=BOUND, message="a lease is taken"
    )
    assert crew[0].stop(timeout=BOUND) == 0
    redis.kill()
    assert crew[1].stop(timeout=BOUND) == 0
    soon = datetime.now(UTC) + timedelta(seconds=1)
    rows = project.store.read(lambda tx: tx.execute(leased).all())
    assert rows
    assert [row.id for row in rows if row.publish_after > soon] == []
    assert {project.state(one) for one in waiting} == {State.PENDING}
    redis.start()
    for words in (["run"], ["worker", "-c", "1"]):
        project.start(*words)
    for one in waiting:
        project.wait_for(one, State.SUCCEEDED, timeout=BOUND)
    assert not [daemon.err for daemon in project.daemons if "Traceback" in daemon.err]
