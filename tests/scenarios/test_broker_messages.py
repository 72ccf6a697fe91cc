"""Messages that come more than once, too late or too early, at two workers on PostgreSQL and Redis.

It judges by what the tasks wrote down and by the ledger; that the copies arrived is told by the workers' own logs.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.broker.app import make_app
from celsched.broker.message import Message, task_id
from celsched.broker.publisher import Publisher
from celsched.domain.execution import Execution, State
from celsched.settings import load
from celsched.store.meta import store_word
from tests.support.executions import attempts_of, execution_of
from tests.support.project import TASKS, Project, project_in
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "6s"
republish = "30s"
drain = "2s"
kill_grace = "300ms"
"""
MANIFEST = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  again: {task_path: jobs.dies_once, retry_on_lost: 1, retry: {delay: 2s, factor: 1, jitter: false}}
"""
DIES_ONCE = """

def dies_once(name: str) -> None:
    note("begin", name)
    if celsched.current().attempt == 1:
        os.kill(os.getpid(), 9)
    note("end", name)
"""
SIDES = ("left", "right")
REFUSED = re.compile(r"the message of execution (\d+)\.(\d+) is refused: (\w+)")
MANY = 320


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("own-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis: RedisServer
) -> Iterator[Project]:
    """A daemon that sends each message three times, and two workers of which each gets every message."""
    database = postgres_server.create_database("scenario_messages")
    settings = SETTINGS.format(database=database, broker=redis.url)
    with project_in(tmp_path_factory.mktemp("messages"), extra_settings=settings) as project:
        project.write("jobs.py", TASKS.read_text() + DIES_ONCE)
        project.upgrade()
        project.apply(MANIFEST)
        project.start("thrice", "run", module="tests.faults.planted", env={"PYTHONPATH": str(ROOT)})
        for side in SIDES:
            project.start("-v", "worker", "-c", "3", "-Q", f"default,default.{side}", "-n", side)
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED)
        wait_until(lambda: all(len(worker.children()) >= 4 for worker in project.daemons[1:]), message="both are up")
        yield project
    postgres_server.drop_database("scenario_messages")


def refusals(project: Project) -> list[tuple[str, int, int, str]]:
    """Return who refused a message of which execution and attempt, and why."""
    return [
        (side, int(execution_id), int(attempt), why)
        for side, worker in zip(SIDES, project.daemons[1:], strict=True)
        for execution_id, attempt, why in REFUSED.findall(worker.err)
    ]


def test_three_deliveries_of_each_message_to_two_workers_start_each_execution_once(fleet: Project) -> None:
    asked = [fleet.ask("greet", name="many") for _ in range(MANY)]

    def settled() -> bool:
        """Every delivery had its consequence: a start or a refusal."""
        seen = Counter(refused[1] for refused in refusals(fleet))
        seen.update(note["execution"] for note in fleet.notes("many") if note["event"] == "end")
        return all(seen[one] >= 3 for one in asked)

    wait_until(settled, timeout=120, every=0.5, message="each message was delivered three times")
    begun = [note for note in fleet.notes("many") if note["event"] == "begin"]
    assert Counter(note["execution"] for note in begun) == Counter(asked)
    assert {side for side, _, _, _ in refusals(fleet)} == set(SIDES)

    def ends() -> set[tuple[str, int]]:
        rows = {row["id"]: (row["state"], row["attempt"]) for row in fleet.executions("--task", "greet")}
        return {rows[one] for one in asked}

    wait_until(lambda: ends() == {("succeeded", 1)}, timeout=60, every=0.5, message="all succeeded, in one attempt")
    ran = {note["pid"] for note in begun}
    assert all(ran & set(worker.children()) for worker in fleet.daemons[1:]), "both workers had their share"
    assert not [daemon.pid for daemon in fleet.daemons if "Traceback" in daemon.err]
    # The workers told of it with their heartbeats, and whoever watches tells people.
    told = wait_until(
        lambda: [alert for alert in fleet.run("watch", "--once", "-o", "json").json if alert["kind"] == "dup_delivery"],
        timeout=60,
        message="the second deliveries are told",
    )
    assert "a second time" in told[0]["summary"]


def lost_once(project: Project, name: str) -> Execution:
    """Ask for an execution whose first attempt dies in its body; return it as it waits for its second."""
    one = project.wait_for(project.ask("again", name=name), State.RETRYING)
    assert [attempt.state for attempt in attempts_of(project.store, one.id)] == [State.LOST]
    assert one.dispatch_at > project.store.clock.now(), "there is time left to be early"
    return one


def deliver(project: Project, execution: Execution, attempt: int) -> None:
    """Send a message of this attempt, as an old one that comes out of a queue again would."""
    settings = load({}, env={}, cwd=project.folder)
    assert settings.broker_url is not None
    publisher = Publisher(make_app(settings.broker_url.reveal(), embedded_folder=None, role="daemon"))
    word = project.store.write(store_word)
    name = task_id(word, execution.id, attempt, 1)
    publisher.publish(Message(word, execution.id, attempt), task_id=name, queue="default", priority=5)
    publisher.close()


def test_a_late_message_of_a_lost_attempt_does_not_start_the_next_one_before_its_time(fleet: Project) -> None:
    one = lost_once(fleet, "late message")
    deliver(fleet, one, 1)
    stale = (one.id, 1, "stale")
    wait_until(lambda: stale in [refused[1:] for refused in refusals(fleet)], message="it is refused as an old one")
    assert fleet.state(one.id) is State.RETRYING
    ended = fleet.wait_for(one.id, State.SUCCEEDED)
    begun = [note for note in fleet.notes("late message") if note["event"] == "begin"]
    assert [note["attempt"] for note in begun] == [1, 2]
    assert begun[1]["at"] >= one.dispatch_at.timestamp()
    assert ended.attempt == 2


def test_a_message_of_the_next_attempt_before_its_time_starts_it_once(fleet: Project) -> None:
    """The claim has no test of the time (T4): whoever sends early starts early, but nobody starts twice."""
    one = lost_once(fleet, "early message")
    deliver(fleet, one, 2)
    fleet.wait_for(one.id, State.SUCCEEDED)
    wait_until(lambda: fleet.store.clock.now() > one.dispatch_at, message="the daemon's time for it has come")
    fleet.wait_for(fleet.ask("greet", name="afterwards"), State.SUCCEEDED)
    begun = [note for note in fleet.notes("early message") if note["event"] == "begin"]
    assert [note["attempt"] for note in begun] == [1, 2]
    assert begun[1]["at"] < one.dispatch_at.timestamp()
    assert execution_of(fleet.store, one.id).state is State.SUCCEEDED
