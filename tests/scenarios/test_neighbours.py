"""Two installations that share one Redis database and one PostgreSQL server, and strangers that write to their queues.

It judges by what the tasks of each installation wrote down: each runs its own executions once, and nobody else's.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from celsched.broker.message import TASK_EXECUTE
from celsched.domain.execution import State
from celsched.store.meta import store_word
from tests.support.project import Project, project_in
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "6s"
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
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("own-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def neighbours(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis: RedisServer
) -> Iterator[tuple[Project, Project]]:
    """Two installations with a daemon each, on the same queues of one Redis; a test starts the workers it needs."""
    with two_installations(tmp_path_factory, postgres_server, redis.url) as both:
        yield both


@contextmanager
def two_installations(
    folders: pytest.TempPathFactory, postgres: PostgresServer, broker: str, extra: tuple[str, str] = ("", "")
) -> Iterator[tuple[Project, Project]]:
    names = [f"scenario_neighbour_{uuid4().hex[:8]}" for _ in range(2)]
    first, second = (SETTINGS.format(database=postgres.create_database(name), broker=broker) for name in names)
    with (
        project_in(folders.mktemp("first"), extra_settings=first + extra[0]) as one,
        project_in(folders.mktemp("second"), extra_settings=second + extra[1]) as other,
    ):
        for project in (one, other):
            project.upgrade()
            project.apply(MANIFEST)
            project.start("run")
        yield one, other
    for name in names:
        postgres.drop_database(name)


def test_who_takes_a_message_of_a_neighbour_leaves_it_although_the_number_is_known_here_too(
    neighbours: tuple[Project, Project],
) -> None:
    mine, theirs = neighbours
    worker = theirs.start("worker", "-c", "1")
    asked = [mine.ask("greet", name="mine") for _ in range(3)]
    word = mine.store.write(store_word)
    for one in asked:
        left = f"a message for execution {one} of the store {word} is left"
        wait_until(lambda left=left: left in worker.err, timeout=120, message=left)  # type: ignore[misc]
    also = [theirs.ask("greet", name="theirs") for _ in range(3)]
    for one in also:
        theirs.wait_for(one, State.SUCCEEDED, timeout=120)
    assert worker.stop() == 0
    mine.start("worker", "-c", "1")
    for one in asked:
        mine.wait_for(one, State.SUCCEEDED, timeout=120)
    assert mine.daemons[-1].stop() == 0
    assert sorted(note["execution"] for note in mine.notes("mine") if note["event"] == "begin") == asked
    assert sorted(note["execution"] for note in theirs.notes("theirs") if note["event"] == "begin") == also
    assert not mine.notes("theirs") + theirs.notes("mine")
    assert not [daemon.pid for project in neighbours for daemon in project.daemons if "Traceback" in daemon.err]


def test_prefixes_keep_neighbours_in_one_redis_database_apart(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis: RedisServer
) -> None:
    broker = f"{redis.url.removesuffix('/0')}/1"
    extra = ('broker_key_prefix = "mine:"', 'broker_key_prefix = "theirs:"')
    with two_installations(tmp_path_factory, postgres_server, broker, extra) as both:
        workers = [project.start("worker", "-c", "1") for project in both]
        # More than one worker takes at once, from daemons that send side by side: without prefixes half go astray.
        asked = [[project.ask("greet", name="each") for _ in range(20)] for project in both]
        for project, ids in zip(both, asked, strict=True):
            for one in ids:
                project.wait_for(one, State.SUCCEEDED, timeout=120)
            assert sorted(note["execution"] for note in project.notes("each") if note["event"] == "begin") == ids
            status = project.json("status", str(ids[-1]))
            assert status["inspect"] == "no worker has it", "the question reaches the workers of this prefix"
        with closing(Redis.from_url(broker)) as client:
            keys = {str(key, "utf-8", "replace") for key in client.scan_iter()}
        assert keys
        assert not [key for key in keys if not key.startswith(("mine:", "theirs:"))]
        watch = both[0].start("watch")
        wait_until(lambda: both[0].json("instances", "--kind", "watcher"), timeout=120, message="a watcher reports")
        doctor = {check["code"]: check["status"] for check in both[0].call("doctor", "-o", "json").json}
        assert doctor["broker.reachable"] == "pass"
        for process in (*workers, *(project.daemons[0] for project in both), watch):
            assert process.stop() == 0
            assert "is left" not in process.err
            assert "Traceback" not in process.err


def kombu_message(kwargs: Any, name: str = TASK_EXECUTE) -> str:
    """Return a message for a task of this name as it lies in Redis."""
    delivery = {"exchange": "", "routing_key": "default"}
    properties = {"delivery_info": delivery, "priority": 0, "body_encoding": "utf-8", "delivery_tag": "x"}
    content = {"content-encoding": "utf-8", "content-type": "application/json"}
    headers = {"task": name, "id": uuid4().hex, "lang": "py"}
    return json.dumps({"body": json.dumps([[], kwargs, {}]), "headers": headers, "properties": properties, **content})


def test_messages_of_another_protocol_and_garbage_are_refused_and_the_worker_goes_on(
    neighbours: tuple[Project, Project], redis: RedisServer
) -> None:
    _, project = neighbours
    word = project.store.write(store_word)
    known = project.ask("greet", name="from a newer one")
    strange: list[str | bytes] = [
        kombu_message({"store": word, "execution_id": known}),  # older: no attempts
        kombu_message({"store": word, "execution_id": str(known), "attempt": 1}),
        kombu_message({"store": word, "execution_id": known, "attempt": True}),
        kombu_message({"store": word, "execution_id": 10**30, "attempt": 1}),
        kombu_message({"store": word, "execution_id": 10**9, "attempt": 1}),
        kombu_message({"store": word, "execution_id": known, "attempt": 7}),
        kombu_message({}, "celsched.execute.v2"),
        kombu_message({"store": word, "execution_id": known, "attempt": 1, "of a newer one": "‌نیم"}),
        "no JSON",
        b"\xff\xfe\x00",
        '{"job": "of another program"}',
    ]
    worker = project.start("worker", "-c", "1")
    with closing(redis.client()) as client:
        client.lpush("default", *strange)
    project.wait_for(known, State.SUCCEEDED, timeout=120)
    behind = [project.ask("greet", name="behind") for _ in range(3)]
    for one in behind:
        project.wait_for(one, State.SUCCEEDED, timeout=120)
    begun = [note["execution"] for name in ("from a newer one", "behind") for note in project.notes(name)]
    assert sorted(begun) == sorted([known, *behind] * 2), "each began and ended once"
    wait_until(lambda: "celsched.execute.v2" in worker.err, message="the worker says what it does not know")
    assert worker.stop() == 0
    assert "Traceback" not in worker.err
