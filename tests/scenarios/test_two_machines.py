"""Daemons, workers and a person on machines that share nothing but store and broker; some are cut off for a while.

It judges by what bodies wrote down on each machine and by the ledger.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.domain.execution import State
from tests.scenarios.cut_off import begun_on, each_fire_time_once, goes_on
from tests.scenarios.machines import HUB, SETTINGS, Fleet, Lan
from tests.support.executions import attempts_of
from tests.support.project import lives
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

HOSTS = ("daemon-1", "daemon-2", "worker-1", "worker-2", "desk")
MANIFEST = """
version: 1
defaults: {max_retries: 0, queue_name: default, retry: {delay: 0s, factor: 1, jitter: false}}
tasks:
  greet: {task_path: jobs.hello}
  first greets: {task_path: jobs.hello, queue_name: first}
  moves on: {task_path: jobs.until, queue_name: both, retry_on_lost: 1}
  left alone: {task_path: jobs.until, queue_name: first, on_store_outage: continue}
schedules:
  هر ثانیه: {task: greet, every: 1s, overlap: allow, params: {name: each-second}}
"""
EACH_SECOND = "هر ثانیه"
WAIT = 90.0


@pytest.fixture
def lan() -> Iterator[Lan | None]:
    """The cables between the machines; None where the kernel lets us make none, and they are but folders."""
    if not Lan.permitted():
        yield None
        return
    made = Lan()
    try:
        made.build(HOSTS)
        with made.inside("desk"):
            yield made
    finally:
        made.close()


@pytest.fixture
def fleet(lan: Lan | None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two daemons, a worker each for two queues, and a desk at which nothing runs but commands."""
    if lan is None:
        database, broker = request.getfixturevalue("postgres_url"), request.getfixturevalue("redis_url")
        yield from _started(Fleet(tmp_path, None, HOSTS, SETTINGS.format(database=database, broker=broker)))
        return
    postgres, redis = PostgresServer(_made(tmp_path / "pg"), host=HUB), RedisServer(_made(tmp_path / "r"), host=HUB)
    with lan.inside("hub"):
        postgres.start()
        redis.start()
    try:
        settings = SETTINGS.format(database=postgres.create_database("fleet"), broker=redis.url)
        yield from _started(Fleet(tmp_path, lan, HOSTS, settings))
    finally:
        redis.stop()
        postgres.stop("immediate")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _started(fleet: Fleet) -> Iterator[Fleet]:
    try:
        fleet["desk"].upgrade()
        fleet["desk"].apply(MANIFEST)
        fleet["daemon-1"].start("run")
        fleet["daemon-2"].start("run")
        fleet["worker-1"].start("worker", "-c", "4", "-Q", "default,first,both")
        fleet["worker-2"].start("worker", "-c", "4", "-Q", "default,second")
        yield fleet
    finally:
        fleet.close()


def test_machines_that_share_nothing_but_store_and_broker(fleet: Fleet, lan: Lan | None) -> None:
    desk = fleet["desk"]
    goes_on(fleet, EACH_SECOND)
    done = desk.run("run-now", "first greets", "--param", "name=سلام", "--wait", timeout=2 * WAIT)
    assert done.code == 0, done.err
    assert [note["on"] for note in fleet.notes("سلام")] == ["worker-1", "worker-1"]
    if lan is not None:
        hosts = {(one["kind"], one["host"]) for one in desk.json("instances")}
        assert hosts == {(host.partition("-")[0], host) for host in HOSTS[:4]}
        _a_daemon_and_a_worker_are_cut_off(fleet, lan)
    each_fire_time_once(fleet, EACH_SECOND, "each-second", lambda row: row.host == "worker-1")


def _a_daemon_and_a_worker_are_cut_off(fleet: Fleet, lan: Lan) -> None:
    desk, first = fleet["desk"], fleet["worker-1"]
    asked = {name: desk.ask(name, name=name) for name in ("moves on", "left alone")}
    pids = {name: begun_on(fleet, name)[0]["pid"] for name in asked}
    # Only now, so that the first attempt is where the cable will be pulled.
    fleet["worker-2"].start("worker", "-c", "2", "-Q", "both", "-n", "second")
    for host in ("worker-1", "daemon-1"):
        lan.cut(host)
    second = begun_on(fleet, "moves on", 2)[1]
    assert (second["on"], second["attempt"]) == ("worker-2", 2)
    assert not lives(pids["moves on"]), "a body of which a second copy may start was killed first"
    assert (first.folder / "moves on.1.alive").stat().st_mtime < second["at"], "I4"
    desk.wait_for(asked["left alone"], State.LOST, timeout=WAIT)
    assert lives(pids["left alone"])
    (first.folder / "left alone.may-end").touch()
    wait_until(lambda: len(fleet.notes("left alone")) == 2, timeout=WAIT, message="it ends unheard")
    goes_on(fleet, EACH_SECOND)

    for host in ("worker-1", "daemon-1"):
        lan.heal(host)
    assert fleet["daemon-2"].daemons[0].stop() == 0
    goes_on(fleet, EACH_SECOND)
    again = desk.ask("first greets", name="again")
    desk.wait_for(again, State.SUCCEEDED, timeout=90)
    (fleet["worker-2"].folder / "moves on.may-end").touch()
    desk.wait_for(asked["moves on"], State.SUCCEEDED, timeout=WAIT)
    assert desk.state(asked["left alone"]) is State.LOST, "its end came too late, and changed nothing"
    tries = {name: [one.state for one in attempts_of(desk.store, asked[name])] for name in asked}
    assert tries == {"moves on": [State.LOST, State.SUCCEEDED], "left alone": [State.LOST]}
    assert [note["event"] for note in fleet.notes("moves on")] == ["begin", "begin", "end"]
    for host in ("worker-1", "daemon-1"):
        assert fleet[host].daemons[0].process.poll() is None
