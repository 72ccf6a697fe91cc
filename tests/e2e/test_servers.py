"""PostgreSQL and Redis: two daemons, a worker, a watcher; what waits, what expires, and a broker that dies."""

import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.execution import State
from tests.support.executions import execution_of
from tests.support.project import Project, all_gone, project_in
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "10s"
republish = "2s"
drain = "2s"
kill_grace = "300ms"
queues = ["default", "scheduler", "maintenance"]
"""
MANIFEST = """
version: 1
set: shop
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  counting: {task_path: jobs.counts}
  nap: {task_path: jobs.naps}
  unsteady: {task_path: jobs.unsteady, max_retries: 5, retry: {delay: 200ms, factor: 1, jitter: false}}
  elsewhere: {task_path: jobs.hello, queue_name: elsewhere}
  impatient: {task_path: jobs.hello, queue_name: nobody, start_deadline: 1s}
schedules:
  هر ثانیه: {task: greet, every: 1s, params: {name: ثانیه}}
"""
OVERLAPS = """
version: 1
tasks:
  nap two: {task_path: jobs.naps, default_params: {seconds: 1.6}, max_retries: 0}
schedules:
  o skip: {task: nap two, every: 1s, overlap: skip, params: {name: o-skip}}
  o allow: {task: nap two, every: 1s, overlap: allow, params: {name: o-allow}}
  o queue: {task: nap two, every: 1s, overlap: queue_one, params: {name: o-queue}}
  o cancel: {task: nap two, every: 1s, overlap: cancel_running, params: {name: o-cancel}}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[tuple[str, Any]]:
    redis = RedisServer(tmp_path_factory.mktemp("own-redis"))
    redis.start()
    yield postgres_server.create_database("celsched_e2e"), redis
    postgres_server.drop_database("celsched_e2e")
    redis.stop()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, servers: tuple[str, RedisServer]) -> Iterator[Project]:
    """Two daemons and a worker on one store and one broker."""
    database, redis = servers
    settings = SETTINGS.format(database=database, broker=redis.url)
    with project_in(tmp_path_factory.mktemp("fleet"), extra_settings=settings) as project:
        refused = project.run("apply", "-f", str(project.write("manifest.yaml", MANIFEST)), "--no-import")
        assert refused.code == project.run("tasks").code == project.run("run").code == 78
        assert "db upgrade" in refused.err
        assert "none ->" in project.done("db", "upgrade").out
        project.apply(MANIFEST)
        for words in (["run"], ["run"], ["worker", "-c", "4"]):
            project.start(*words)
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED)
        yield project


def test_run_now_is_followed_from_another_process(fleet: Project) -> None:
    done = fleet.run("run-now", "counting", "--param", "steps=3", "--wait", "--follow")
    assert done.code == 0
    assert [line.split("\t")[-1] for line in done.out.splitlines()] == ["step 1", "step 2", "step 3"]


def test_retries_and_status_on_a_real_broker(fleet: Project) -> None:
    one = fleet.ask("unsteady")
    assert fleet.wait_for(one, State.SUCCEEDED).attempt == 3
    seen = fleet.json("status", str(one))
    assert seen["celery_state"] == "SUCCESS"
    running = fleet.ask("nap", name="inspected", seconds=5)
    fleet.wait_for_note("inspected")
    assert "active" in fleet.json("status", str(running))["inspect"]
    fleet.call("cancel", str(running), "--force")


def test_every_second_runs_once_and_in_time(fleet: Project) -> None:
    begin = fleet.ask("greet", name="begin")  # what came before may belong to a test that killed the broker

    def in_time() -> bool:
        rows = fleet.executions("--schedule", "هر ثانیه", "--status", "succeeded")
        late = [row["lateness"] for row in rows if row["id"] > begin]
        return any(max(late[n : n + 4]) < 1 for n in range(len(late) - 3))

    # Other programs may keep a loaded machine from being in time, but not for ever; a product that is late as a habit
    # has no four fire times in a row that were in time.
    wait_until(in_time, timeout=60, message="four fire times in a row began within a second", every=0.3)
    notes = [note for note in fleet.notes("ثانیه") if note["event"] == "begin"]
    ran = [(note["execution"], note["attempt"]) for note in notes]
    assert len(ran) == len(set(ran))
    wait_until(lambda: fleet.run("watch", "--once").code == 0, timeout=60, message="no alert fires", every=1)


def test_an_execution_starts_at_once_when_asked_for(fleet: Project) -> None:
    waits: list[float] = []

    def quick() -> bool:
        ended = fleet.wait_for(fleet.ask("greet", name=f"quick-{len(waits)}"), State.SUCCEEDED)
        assert ended.started_at is not None
        waits.append((ended.started_at - ended.created_at).total_seconds())
        return len(waits) >= 5 and sorted(waits[-5:])[2] < 0.3

    wait_until(quick, timeout=60, message="of five in a row the one in the middle began within 0.3 s")


def test_messages_for_another_queue_wait_for_a_worker_that_serves_it(fleet: Project) -> None:
    one = fleet.ask("elsewhere", name="elsewhere")
    fleet.wait_for(one, State.QUEUED)
    worker = fleet.start("worker", "-c", "1", "-Q", "elsewhere", "-n", "second")
    fleet.wait_for(one, State.SUCCEEDED)
    family = worker.children()
    assert worker.stop() == 0
    wait_until(all_gone(family), message="its children are gone")


def test_what_nobody_starts_before_its_deadline_expires(fleet: Project) -> None:
    ended = fleet.wait_for(fleet.ask("impatient", name="impatient"), State.EXPIRED, timeout=30)
    assert ended.started_at is None
    done = fleet.run("run-now", "impatient", "--wait", "--timeout", "10s")
    assert done.code == 11
    assert "expired" in done.err
    assert fleet.notes("impatient") == []


def test_overlap_policies_by_what_the_tasks_wrote_down(fleet: Project) -> None:
    fleet.apply(OVERLAPS, "overlaps.yaml")
    fleet.wait_for_note("o-skip", 2, "end", timeout=40)
    fleet.wait_for_note("o-queue", 2, "end", timeout=40)
    fleet.wait_for_note("o-cancel", 2, timeout=40)
    fleet.done("delete", "task", "nap two", "--cascade", "--yes")
    for name in ("o-skip", "o-queue", "o-cancel"):
        assert _most_at_once(fleet, name) == 1, name
    assert _most_at_once(fleet, "o-allow") > 1
    states = {
        name: {row["state"] for row in fleet.executions("--schedule", name)}
        for name in ("o skip", "o allow", "o cancel")
    }
    assert "skipped" in states["o skip"]
    assert "skipped" not in states["o allow"]
    assert "cancelled" in states["o cancel"]


def _most_at_once(project: Project, name: str) -> int:
    """Return how many bodies of this name ran at the same moment; one that was stopped counts up to its record."""
    moments: list[tuple[float, int]] = []
    begun = {note["execution"]: note["at"] for note in project.notes(name) if note["event"] == "begin"}
    for execution_id, at in begun.items():
        ended: datetime | None = execution_of(project.store, execution_id).finished_at
        moments.append((at, 1))
        if ended is not None:
            moments.append((ended.timestamp(), -1))
    now = most = 0
    for _, step in sorted(moments):
        now += step
        most = max(most, now)
    return most


def test_a_broker_that_restarts_empty_loses_nothing(fleet: Project, servers: tuple[str, RedisServer]) -> None:
    _, redis = servers
    redis.kill()
    asked = [fleet.ask("greet", name=f"outage-{number}") for number in range(5)]
    wait_until(lambda: "wait" in fleet.daemons[0].err + fleet.daemons[1].err, message="a daemon says that it waits")
    redis.start()
    for one in asked:
        fleet.wait_for(one, State.SUCCEEDED, timeout=30)
    for number in range(5):
        assert len([note for note in fleet.notes(f"outage-{number}") if note["event"] == "begin"]) == 1
    assert all(daemon.process.poll() is None for daemon in fleet.daemons[:3])
    for daemon in fleet.daemons[:3]:
        assert "Traceback" not in daemon.err


def test_each_process_stops_cleanly(tmp_path: Path, fleet: Project) -> None:
    project = Project(fleet.folder)
    daemon, watcher = project.start("run"), project.start("watch")
    wait_until(lambda: "stop it with Ctrl-C" in daemon.err and "stop it with" in watcher.err, message="both run")
    assert daemon.stop(signal.SIGINT) == 0
    assert watcher.stop() == 0
