"""Daemons, workers and a person on machines that share nothing but store and broker; some are cut off for a while.

It judges by what bodies wrote down on each machine and by the ledger.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.execution import TERMINAL, State
from tests.scenarios.fire_times import covered, rows_of
from tests.scenarios.machines import HUB, Fleet, Lan
from tests.support.executions import attempts_of
from tests.support.project import lives
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

HOSTS = ("daemon-1", "daemon-2", "worker-1", "worker-2", "desk")
SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "4s"
republish = "1s"
drain = "1s"
kill_grace = "300ms"
"""
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
    _goes_on(fleet)
    done = desk.run("run-now", "first greets", "--param", "name=سلام", "--wait", timeout=2 * WAIT)
    assert done.code == 0, done.err
    assert [note["on"] for note in fleet.notes("سلام")] == ["worker-1", "worker-1"]
    if lan is not None:
        hosts = {(one["kind"], one["host"]) for one in desk.json("instances")}
        assert hosts == {(host.partition("-")[0], host) for host in HOSTS[:4]}
        _a_daemon_and_a_worker_are_cut_off(fleet, lan)
    _each_fire_time_once(fleet)


def _a_daemon_and_a_worker_are_cut_off(fleet: Fleet, lan: Lan) -> None:
    desk, first = fleet["desk"], fleet["worker-1"]
    asked = {name: desk.ask(name, name=name) for name in ("moves on", "left alone")}
    pids = {name: _begun(fleet, name)[0]["pid"] for name in asked}
    # Only now, so that the first attempt is where the cable will be pulled.
    fleet["worker-2"].start("worker", "-c", "2", "-Q", "both", "-n", "second")
    for host in ("worker-1", "daemon-1"):
        lan.cut(host)
    second = _begun(fleet, "moves on", 2)[1]
    assert (second["on"], second["attempt"]) == ("worker-2", 2)
    assert not lives(pids["moves on"]), "a body of which a second copy may start was killed first"
    assert (first.folder / "moves on.1.alive").stat().st_mtime < second["at"], "I4"
    desk.wait_for(asked["left alone"], State.LOST, timeout=WAIT)
    assert lives(pids["left alone"])
    (first.folder / "left alone.may-end").touch()
    wait_until(lambda: len(fleet.notes("left alone")) == 2, timeout=WAIT, message="it ends unheard")
    _goes_on(fleet)

    for host in ("worker-1", "daemon-1"):
        lan.heal(host)
    assert fleet["daemon-2"].daemons[0].stop() == 0
    _goes_on(fleet)
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


def _goes_on(fleet: Fleet) -> None:
    """Fire times from now on are recorded and run."""
    desk = fleet["desk"]
    now = desk.store.clock.now()

    def there() -> bool:
        rows = [row for row in rows_of(desk, "هر ثانیه") if row.due_at > now]
        return sum(row.state is State.SUCCEEDED for row in rows) >= 2

    wait_until(there, timeout=WAIT, every=0.1, message="two fire times from now on ran")


def _begun(fleet: Fleet, name: str, count: int = 1) -> list[Any]:
    def there() -> list[Any]:
        found = [note for note in fleet.notes(name) if note["event"] == "begin"]
        return found if len(found) >= count else []

    return wait_until(there, timeout=WAIT, message=f"{count} times begin of {name}")


def _each_fire_time_once(fleet: Fleet) -> None:
    desk = fleet["desk"]
    desk.done("delete", "schedule", "هر ثانیه", "--yes")
    first = rows_of(desk, "هر ثانیه")[0].schedule_id
    rows = wait_until(
        lambda: _ended([row for row in rows_of(desk, "هر ثانیه") if row.schedule_id == first]),
        timeout=WAIT,
        every=0.1,
        message="whatever was recorded has ended",
    )
    times = covered(rows)
    assert times == [times[0] + timedelta(seconds=number) for number in range(len(times))], "I1"
    begun = Counter(note["execution"] for note in fleet.notes("each-second") if note["event"] == "begin")
    ended = Counter(note["execution"] for note in fleet.notes("each-second") if note["event"] == "end")
    assert set(begun.values()) == {1}, "I2"
    for row in rows:
        if row.state is State.SUCCEEDED:
            assert ended[row.id] == 1
        elif row.state is State.LOST:
            assert row.host == "worker-1", "only where the cable was pulled"
        else:
            assert row.id not in begun
            assert row.state in {State.CANCELLED, State.SKIPPED}, row
    assert sum(row.state is State.LOST for row in rows) <= 4, "no more than it had children"


def _ended(rows: list[Any]) -> list[Any]:
    return rows if all(row.state in TERMINAL for row in rows) else []
