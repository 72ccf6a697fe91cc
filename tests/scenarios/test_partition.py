"""A host of two is cut off by silence, from store and broker or from one of them, for longer than lease and republish.

Nothing is closed and everything is acknowledged, so that only the limits of the processes themselves can notice. It
judges by what bodies wrote down on each host and by the ledger.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from celsched.domain.execution import Execution, State
from tests.scenarios.cut_off import begun_on, each_fire_time_once, goes_on
from tests.scenarios.machines import SETTINGS, Fleet, Machine
from tests.support.executions import attempts_of
from tests.support.mute_proxy import MuteProxy
from tests.support.project import Daemon, lives
from tests.support.services import PostgresServer
from tests.support.waiting import wait_until

HOSTS = ("one", "two", "desk")
LEASE_AND_REPUBLISH = 5.0
# Queue `both-..` is served on one host until its body has begun there, and then on the other too.
MANIFEST = """
version: 1
defaults: {{max_retries: 0, queue_name: default, retry: {{delay: 0s, factor: 1, jitter: false}}}}
tasks:
  greet: {{task_path: jobs.hello}}
  first greets: {{task_path: jobs.hello, queue_name: first}}
  left alone: {{task_path: jobs.until, queue_name: first, on_store_outage: continue}}
  moves on {case}: {{task_path: jobs.until, queue_name: both-{case}, retry_on_lost: 1}}
schedules:
  هر ثانیه {case}: {{task: greet, every: 1s, overlap: allow, params: {{name: each-second-{case}}}}}
"""
WAIT = 120.0


@dataclass
class Hosts:
    """The hosts, and what lies between `one` and the services."""

    fleet: Fleet
    store: MuteProxy
    broker: MuteProxy

    @property
    def desk(self) -> Machine:
        """Where the person sits."""
        return self.fleet["desk"]

    @property
    def one(self) -> Machine:
        """The host that is cut off."""
        return self.fleet["one"]

    def daemons(self) -> list[Daemon]:
        """Return what runs on the host that is cut off."""
        return self.one.daemons

    def lost_there(self, row: Execution) -> bool:
        """Return whether an execution can have been lost by the cut: no body of it began on the other host."""
        return not [note for note in self.fleet["two"].notes() if note["execution"] == row.id]

    def well(self) -> None:
        """Check that nothing on either host ended by itself or fell over an error."""
        for host in ("one", "two"):
            for daemon in self.fleet[host].daemons:
                assert daemon.process.poll() in (None, 0), daemon.err[-3000:]
                assert "Traceback" not in daemon.err, daemon.err[-5000:]
        assert [daemon.process.poll() for daemon in self.daemons()] == [None, None]


@pytest.fixture
def hosts(tmp_path: Path, postgres_server: PostgresServer, redis_url: str) -> Iterator[Hosts]:
    """Two hosts with a daemon and a worker each; `one` reaches store and broker only by the proxies."""
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    name = "scenario_partition"
    database = postgres_server.create_database(name)
    with ExitStack() as stack:
        stack.callback(postgres_server.drop_database, name)
        store, broker = (stack.enter_context(MuteProxy(to)) for to in (postgres_server.port, port))
        fleet = Fleet(tmp_path, None, HOSTS, SETTINGS.format(database=database, broker=redis_url))
        stack.callback(fleet.close)
        far = SETTINGS.format(
            database=database.replace(f":{postgres_server.port}/", f":{store.port}/"),
            broker=redis_url.replace(f":{port}/", f":{broker.port}/"),
        )
        fleet["one"].write("celsched.toml", f'task_modules = ["jobs.*"]\n{far}')
        fleet["desk"].upgrade()
        yield Hosts(fleet, store, broker)
        for proxy in (store, broker):
            proxy.speak()


def begin(hosts: Hosts, case: str) -> str:
    """Start everything; return the schedule of each second once it runs."""
    hosts.desk.apply(MANIFEST.format(case=case))
    for host, queues in (("one", f"default,first,both-{case}"), ("two", "default,second")):
        hosts.fleet[host].start("run")
        hosts.fleet[host].start("worker", "-c", "4", "-Q", queues)
    goes_on(hosts.fleet, f"هر ثانیه {case}")
    return f"هر ثانیه {case}"


def one_works_again(hosts: Hosts, schedule: str) -> None:
    """Check that the daemon of `one` schedules alone and its worker runs what only it serves."""
    assert hosts.fleet["two"].daemons[0].stop() == 0
    goes_on(hosts.fleet, schedule)
    hosts.desk.wait_for(hosts.desk.ask("first greets", name="again"), State.SUCCEEDED, timeout=WAIT)


@pytest.mark.parametrize("case", ["all", "store"])
def test_a_host_without_the_store_is_stood_in_for_and_works_again(hosts: Hosts, case: str) -> None:
    fleet, desk, one, two = hosts.fleet, hosts.desk, hosts.one, hosts.fleet["two"]
    schedule = begin(hosts, case)
    moves, alone = f"moves on {case}", "left alone"
    asked = {name: desk.ask(name, name=name) for name in (moves, alone)}
    pids = {name: begun_on(fleet, name)[0]["pid"] for name in asked}
    two.start("worker", "-c", "2", "-Q", f"both-{case}", "-n", "second")
    for proxy in (hosts.store, hosts.broker) if case == "all" else (hosts.store,):
        proxy.mute()
    second = begun_on(fleet, moves, 2)[1]
    assert [note["attempt"] for note in fleet.notes(moves)] == [1, 2]
    assert second["on"] == "two"
    assert not lives(pids[moves]), "a body of which a second copy may start was killed first"
    assert (one.folder / f"{moves}.1.alive").stat().st_mtime < second["at"], "I4"
    desk.wait_for(asked[alone], State.LOST, timeout=WAIT)
    goes_on(fleet, schedule)
    assert lives(pids[alone]), "whose policy is to go on goes on"
    for daemon in hosts.daemons():
        wait_until(
            lambda daemon=daemon: "does not answer" in daemon.err,  # type: ignore[misc]
            timeout=WAIT,
            message=f"it has noticed, and does not hang:\n{daemon.err}",
        )
    (one.folder / f"{alone}.may-end").touch()
    wait_until(lambda: len(fleet.notes(alone)) == 2, timeout=WAIT, message="it ends unheard")

    for proxy in (hosts.store, hosts.broker):
        proxy.speak()
    one_works_again(hosts, schedule)
    (two.folder / f"{moves}.may-end").touch()
    desk.wait_for(asked[moves], State.SUCCEEDED, timeout=WAIT)
    assert [one.state for one in attempts_of(desk.store, asked[moves])] == [State.LOST, State.SUCCEEDED]
    assert [note["event"] for note in fleet.notes(moves)] == ["begin", "begin", "end"]
    assert [note["event"] for note in fleet.notes(alone)] == ["begin", "end"]
    each_fire_time_once(fleet, schedule, f"each-second-{case}", hosts.lost_there)
    hosts.well()


def test_a_host_without_the_broker_keeps_its_bodies_and_receives_again(hosts: Hosts) -> None:
    fleet, desk = hosts.fleet, hosts.desk
    schedule = begin(hosts, "broker")
    asked = {name: desk.ask("left alone", name=name) for name in ("ends", "stops")}
    for name in asked:
        begun_on(fleet, name)
    hosts.broker.mute()
    began = time.monotonic()
    daemon = hosts.daemons()[0]
    wait_until(lambda: "for it" in daemon.err, timeout=WAIT, message=f"it says that nothing can be sent:\n{daemon.err}")
    desk.done("cancel", str(asked["stops"]))
    desk.wait_for(asked["stops"], State.CANCELLED, timeout=WAIT)
    wait_until(lambda: time.monotonic() > began + LEASE_AND_REPUBLISH, timeout=WAIT, message="it lasts long enough")
    goes_on(fleet, schedule)
    (hosts.one.folder / "ends.may-end").touch()
    ended = desk.wait_for(asked["ends"], State.SUCCEEDED, timeout=WAIT)
    assert ended.attempt == 1
    hosts.broker.speak()
    one_works_again(hosts, schedule)
    each_fire_time_once(fleet, schedule, "each-second-broker", hosts.lost_there, at_most=0)
    hosts.well()
