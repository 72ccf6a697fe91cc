"""PostgreSQL away for longer than a lease, and a host that sleeps that long: healthy bodies are not given up.

It judges by what the bodies wrote down and by the ledger; that the store was away long enough is measured by beats.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from celsched.domain.execution import State
from tests.scenarios.fire_times import PATIENCE, all_live, begun, each_ran_once, rows_of
from tests.support.executions import attempts_of
from tests.support.project import TASKS, Project, lives, project_in
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

LEASE = 4.0
SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "4s"
republish = "2s"
drain = "2s"
kill_grace = "300ms"
"""
RETRY = "retry: {delay: 0s, factor: 1, jitter: false}"
MANIFEST = f"""
version: 1
defaults: {{max_retries: 0, queue_name: default}}
tasks:
  greet: {{task_path: jobs.hello}}
  carries on: {{task_path: jobs.until, on_store_outage: continue, retry_on_lost: 1, {RETRY}}}
  left alone: {{task_path: jobs.until}}
  given up: {{task_path: jobs.until, on_store_outage: kill}}
  made again: {{task_path: jobs.until, retry_on_lost: 1, {RETRY}}}
schedules:
  each second: {{task: greet, every: 1s, overlap: allow, params: {{name: each-second}}}}
"""
# A body says every 50 ms that it lives and ends once there is a file: so a test, not a time, says when.
UNTIL = """

def until(name: str) -> str:
    me = celsched.current()
    note("begin", name)
    while not (HERE / f"{name}.may-end").exists():
        (HERE / f"{name}.{me.attempt}.alive").touch()
        time.sleep(0.05)
    note("end", name)
    return name
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("own-postgres"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, redis_server: RedisServer
) -> Iterator[Project]:
    """A daemon and a worker on a PostgreSQL of their own."""
    settings = SETTINGS.format(database=postgres.create_database("outage"), broker=redis_server.url)
    with project_in(tmp_path_factory.mktemp("outage"), extra_settings=settings) as project:
        project.write("jobs.py", TASKS.read_text() + UNTIL)
        project.upgrade()
        project.apply(MANIFEST)
        project.start("run")
        project.start("worker", "-c", "5")
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED, timeout=PATIENCE)
        yield project


def last_alive(project: Project, name: str, attempt: int = 1) -> float:
    """Return when this attempt's body last said that it lives."""
    return (project.folder / f"{name}.{attempt}.alive").stat().st_mtime


def test_a_store_away_for_longer_than_a_lease(fleet: Project, postgres: PostgresServer) -> None:
    asked = {name: fleet.ask(name, name=name) for name in ("carries on", "left alone", "given up", "made again")}
    pids = {name: fleet.wait_for_note(name, timeout=PATIENCE)[0]["pid"] for name in asked}
    postgres.stop("immediate")
    began = time.time()
    for name in ("given up", "made again"):
        wait_until(lambda name=name: not lives(pids[name]), timeout=PATIENCE, message=f"{name!r} is killed")  # type: ignore[misc]
        # 0.75 of the lease since the last beat heard, which was at most one heartbeat before the outage.
        assert last_alive(fleet, name) - began > 0.75 * LEASE - 0.5 - 0.5
    wait_until(
        lambda: time.time() > began + LEASE + 1.5, timeout=PATIENCE, message="it is away for longer than a lease"
    )
    for name in ("carries on", "left alone"):
        assert lives(pids[name]), name
        assert begun(fleet, name) == [1]
    (fleet.folder / "left alone.may-end").touch()
    fleet.wait_for_note("left alone", event="end", timeout=PATIENCE)
    postgres.start()
    ended = fleet.wait_for(asked["left alone"], State.SUCCEEDED, timeout=PATIENCE)
    assert (ended.attempt, begun(fleet, "left alone")) == (1, [1])
    (fleet.folder / "carries on.may-end").touch()
    ended = fleet.wait_for(asked["carries on"], State.SUCCEEDED, timeout=PATIENCE)
    assert (ended.attempt, begun(fleet, "carries on")) == (1, [1])
    lost = fleet.wait_for(asked["given up"], State.LOST, timeout=PATIENCE)
    assert (lost.reason, begun(fleet, "given up")) == ("store_outage", [1])
    second = fleet.wait_for_note("made again", 2, timeout=PATIENCE)[1]
    assert last_alive(fleet, "made again") < second["at"]
    (fleet.folder / "made again.may-end").touch()
    fleet.wait_for(asked["made again"], State.SUCCEEDED, timeout=PATIENCE)
    states = [one.state for one in attempts_of(fleet.store, asked["made again"])]
    assert states == [State.LOST, State.SUCCEEDED]
    each_ran_once(fleet, "each second", name="each-second")
    all_live(fleet)


def test_a_host_that_slept_for_longer_than_a_lease(fleet: Project) -> None:
    """The daemon wakes first and looks at a ledger without beats; the worker a moment later finds its silence."""
    asked = {name: fleet.ask(name, name=f"{name} slept") for name in ("left alone", "given up", "made again")}
    for name in asked:
        fleet.wait_for_note(f"{name} slept", timeout=PATIENCE)
    daemon, worker = fleet.daemons
    family = [worker.pid, *worker.children()]
    for pid in (daemon.pid, *family):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    wait_until(
        lambda: time.monotonic() > began + 1.5 * LEASE, timeout=PATIENCE, message="longer than a lease has passed"
    )
    last = max(row.id for row in rows_of(fleet, "each second"))
    os.kill(daemon.pid, signal.SIGCONT)
    wait_until(
        lambda: rows_of(fleet, "each second")[-1].id > last + 1,
        timeout=PATIENCE,
        message="the daemon has scanned again",
    )
    for pid in reversed(family):
        os.kill(pid, signal.SIGCONT)
    for name, execution_id in asked.items():
        (fleet.folder / f"{name} slept.may-end").touch()
        ended = fleet.wait_for(execution_id, State.SUCCEEDED, timeout=PATIENCE)
        assert (ended.attempt, begun(fleet, f"{name} slept")) == (1, [1]), name
    each_ran_once(fleet, "each second", name="each-second")
    all_live(fleet)
