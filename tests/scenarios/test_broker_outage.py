"""Redis in every kind of trouble under one daemon and one worker, which were started while it was down.

It judges by what the tasks wrote down and by the ledger: fire times are recorded on time, and all that may start does.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

import pytest

from celsched.domain.execution import Execution, State
from tests.support.executions import execution_of
from tests.support.project import Daemon, Project, project_in
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "3s"
republish = "1s"
drain = "2s"
kill_grace = "300ms"
queues = ["default"]
"""
MANIFEST = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  nap: {task_path: jobs.naps}
  impatient: {task_path: jobs.hello, start_deadline: 1s}
  short nap: {task_path: jobs.naps, default_params: {seconds: 0.2}}
schedules:
  tick: {task: greet, every: 1s, overlap: allow, params: {name: tick}}
  skip: {task: short nap, every: 2s, overlap: skip, params: {name: skip}}
  queue: {task: short nap, every: 2s, overlap: queue_one, params: {name: queue}}
"""
DOWN = timedelta(seconds=5)
"""Longer than lease and republish together."""


@dataclass
class Fleet:
    """What runs, and when its broker was away at first."""

    project: Project
    redis: RedisServer
    daemon: Daemon
    worker: Daemon
    down: tuple[datetime, datetime]
    impatient: int

    def now(self) -> datetime:
        """Return the store's time."""
        return self.project.store.clock.now()

    def fires(self, schedule: str, begin: datetime, end: datetime) -> list[Any]:
        """Return the executions of a schedule whose fire time lies within these times, in order of it."""
        rows = self.project.executions("--schedule", schedule)
        found = [row | {"fire_time": datetime.fromisoformat(row["fire_time"])} for row in rows]
        return sorted((row for row in found if begin <= row["fire_time"] < end), key=lambda row: row["fire_time"])

    def ended_fires(self, schedule: str, begin: datetime, end: datetime) -> list[Any]:
        """Return the same once none of them is alive."""
        alive = {"pending", "queued", "running", "retrying"}

        def ended() -> list[Any] | None:
            rows = self.fires(schedule, begin, end)
            return None if alive & {row["state"] for row in rows} else rows

        return wait_until(ended, timeout=60, message=f"what fell due of {schedule} has ended") or []

    def recorded(self, begin: datetime, end: datetime) -> list[Execution]:
        """Return the executions of `tick` that fell due and were recorded between the two, without a gap."""
        rows = self.fires("tick", begin, end)
        found = [execution_of(self.project.store, row["id"]) for row in rows]
        assert {b["fire_time"] - a["fire_time"] for a, b in pairwise(rows)} <= {timedelta(seconds=1)}
        return [one for one in found if one.created_at < end]

    def runs(self, name: str, count: int = 1) -> None:
        """Assert that so many executions asked for now are run once each, by the processes that ran before."""
        asked = [self.project.ask("greet", name=name) for _ in range(count)]
        for one in asked:
            self.project.wait_for(one, State.SUCCEEDED, timeout=60)
        begun = [note["execution"] for note in self.project.notes(name) if note["event"] == "begin"]
        assert sorted(begun) == sorted(asked)
        assert self.worker.process.poll() is None
        assert self.daemon.process.poll() is None
        assert "Traceback" not in self.daemon.err + self.worker.err

    def cancels(self, execution_id: int) -> None:
        """Assert that a running execution can be cancelled."""
        self.project.call("cancel", str(execution_id))
        self.project.wait_for(execution_id, State.CANCELLED)

    def says_down(self, since: int) -> None:
        """Wait until the daemon has said, after so many characters, that the broker does not take messages."""
        wait_until(lambda: "for it" in self.daemon.err[since:], timeout=60, message=f"it says so:\n{self.daemon.err}")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Fleet]:
    """A daemon and a worker that were started while Redis was down, and Redis that came seconds later."""
    redis = RedisServer(tmp_path_factory.mktemp("own-redis"))
    database = postgres_server.create_database("scenario_outage")
    settings = SETTINGS.format(database=database, broker=redis.url)
    with project_in(tmp_path_factory.mktemp("outage"), extra_settings=settings) as project:
        project.upgrade()
        project.apply(MANIFEST)
        daemon, worker = project.start("run"), project.start("worker", "-c", "1")
        wait_until(lambda: "for it" in daemon.err, timeout=60, message="the daemon says that its broker is away")
        begin = project.store.clock.now()
        impatient = project.ask("impatient", name="impatient")
        wait_until(lambda: project.store.clock.now() - begin > DOWN, timeout=20, message="an outage passes")
        end = project.store.clock.now()
        redis.start()
        project.wait_for(project.ask("greet", name="first"), State.SUCCEEDED, timeout=60)
        yield Fleet(project, redis, daemon, worker, (begin, end), impatient)
    redis.stop()
    postgres_server.drop_database("scenario_outage")


def test_what_fell_due_while_the_broker_was_down_is_recorded_and_starts_in_order_by_its_rules(fleet: Fleet) -> None:
    begin, end = fleet.down
    project = fleet.project
    recorded = fleet.recorded(begin, end)
    assert len(recorded) >= 3
    ended = [project.wait_for(one.id, State.SUCCEEDED) for one in recorded]
    begun = [note["execution"] for note in project.notes("tick") if note["event"] == "begin"]
    mine = [one.id for one in sorted(recorded, key=lambda one: one.dispatch_at)]
    assert [one for one in begun if one in mine] == mine
    assert all(one.started_at is not None and one.started_at > end for one in ended)
    assert project.wait_for(fleet.impatient, State.EXPIRED).started_at is None
    assert project.notes("impatient") == []
    for schedule in ("skip", "queue"):
        rows = fleet.ended_fires(schedule, begin, end)
        # The first one waits for the broker, and only `queue` lets one more wait for that one.
        assert {row["state"] for row in rows} <= {"succeeded", "skipped"}
        assert [row["state"] for row in rows].count("succeeded") <= 2 - (schedule == "skip")
        assert {row["reason"] for row in rows if row["state"] == "skipped"} == {"overlap"}
        assert _most_at_once(project.notes(schedule)) == 1
    assert "Traceback" not in fleet.daemon.err + fleet.worker.err


def _most_at_once(notes: list[Any]) -> int:
    steps = [1 if note["event"] == "begin" else -1 for note in notes]
    return max(accumulate(steps))


def test_a_broker_that_hangs_delays_no_fire_time_and_holds_the_sender_for_seconds_only(fleet: Fleet) -> None:
    said, begin = len(fleet.daemon.err), fleet.now()
    fleet.redis.sigstop()
    try:
        fleet.says_down(said)
        assert len(fleet.recorded(begin, fleet.now())) >= 2
    finally:
        fleet.redis.sigcont()
    fleet.runs("after hanging")


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_broker_that_refuses_writes_delays_no_fire_time(fleet: Fleet, setting: tuple[str, str]) -> None:
    said, begin = len(fleet.daemon.err), fleet.now()
    with closing(fleet.redis.client()) as client:
        client.config_set(*setting)
        try:
            fleet.says_down(said)
            one = fleet.project.ask("greet", name="while refusing")
            wait_until(
                lambda: len(fleet.recorded(begin, fleet.now())) >= 2, timeout=30, message="fire times are recorded"
            )
            assert fleet.project.state(one) is State.PENDING
        finally:
            client.config_set(setting[0], "0")
    fleet.project.wait_for(one, State.SUCCEEDED, timeout=60)
    fleet.runs(f"after {setting[0]}")


def test_queues_that_vanish_with_their_messages_are_filled_again(fleet: Fleet) -> None:
    busy = fleet.project.ask("nap", name="busy", seconds=60)
    fleet.project.wait_for_note("busy")
    asked = [fleet.project.ask("greet", name="vanished") for _ in range(3)]
    for one in asked:
        fleet.project.wait_for(one, State.QUEUED)
    with closing(fleet.redis.client()) as client:
        keys = list(client.scan_iter("*"))
        assert any(client.type(key) == b"list" for key in keys)
        client.delete(*keys)
    fleet.cancels(busy)
    for one in asked:
        fleet.project.wait_for(one, State.SUCCEEDED, timeout=60)
    assert len([note for note in fleet.project.notes("vanished") if note["event"] == "begin"]) == 3
    fleet.runs("after vanishing")


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
def test_dropped_connections_are_made_again_and_cancel_works_without_them(fleet: Fleet, kind: str) -> None:
    running = fleet.project.ask("nap", name=f"running {kind}", seconds=60)
    fleet.project.wait_for_note(f"running {kind}")
    with closing(fleet.redis.client()) as client:
        killed = client.client_kill_filter(_type=kind)
        assert killed >= 1
    fleet.cancels(running)
    fleet.runs(f"after {kind}")


def test_a_broker_that_restarts_empty_again_and_again_keeps_its_worker(fleet: Fleet) -> None:
    for number in range(2):
        fleet.redis.restart()
        fleet.runs(f"restart {number}", 2)
