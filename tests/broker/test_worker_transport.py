"""Checks the spool, Redis and RabbitMQ under a real Celery worker process."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from celsched.broker.app import WORKER_FLAGS, BrokerApp, clean_environment, make_app
from celsched.broker.control import inspect_task, ping
from celsched.broker.message import TASK_EXECUTE, Message, task_id
from celsched.broker.publisher import Publisher
from tests.support.services import RedisServer
from tests.support.waiting import wait_until

StartWorker = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    started: list[subprocess.Popen[bytes]] = []

    def start(broker: str = "") -> "subprocess.Popen[bytes]":
        # The lure must lose: celsched hands each connection its own URL.
        lure = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
        environment = clean_environment({**os.environ, **lure}) | {
            "CELSCHED_TEST_FOLDER": str(tmp_path),
            "CELSCHED_TEST_BROKER": broker,
        }
        command = [sys.executable, "-m", "celery", "-A", "tests.broker.worker_app", "worker", "-c", "1", "-Q", "صف"]
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [*command, *WORKER_FLAGS], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _send(app: BrokerApp, number: int, priority: int = 5) -> None:
    publisher = Publisher(app)
    publisher.publish(Message("w", number, 1), task_id=task_id("w", number, 1, 1), queue="صف", priority=priority)
    publisher.close()


def _foreign(headers: object, content_type: str = "application/json", body: str = "[[], {}, {}]", **more: str) -> str:
    delivery = {"exchange": "", "routing_key": "صف"}
    properties = {"delivery_tag": "t", "body_encoding": "utf-8", "delivery_info": delivery, "priority": 0, **more}
    message = {"body": body, "headers": headers, "properties": properties}
    return json.dumps({**message, "content-type": content_type, "content-encoding": "utf-8"})


_ids = map(str, itertools.count())


def _ours(**headers: object) -> dict[str, object]:
    return {"task": TASK_EXECUTE, "id": next(_ids), **headers}


STRANGERS: list[str | bytes] = [
    '{"body": "W1t',
    "نامه",
    b"\xff\xfe\x00",
    "",
    "{}",
    "[]",
    "7",
    _foreign({}),
    _foreign({"task": "no.such.task", "id": "x"}),
    _foreign({"task": ["a list"], "id": "x"}),
    _foreign(_ours(), "application/x-python-serialize"),
    _foreign({"task": TASK_EXECUTE, "id": 7}),
    _foreign(_ours(expires="soon", timelimit=3)),
    _foreign(_ours(eta="yesterday")),
    _foreign(_ours(), body='"a text"'),
    _foreign(_ours(), body="[[], {}]"),
    _foreign(_ours(), body="{"),
    _foreign(_ours(), body='[[], {"store": "w"}, {}]'),
    _foreign(_ours(), body="[[], [1, 2], {}]"),
    _foreign(_ours(), body="no base 64!", body_encoding="base64"),
]


def _started(folder: Path, number: int) -> None:
    wait_until((folder / f"started-{number}").exists, timeout=20, message=f"execution {number} starts")


def _end(folder: Path, number: int) -> None:
    (folder / f"end-{number}").touch()


def test_a_message_behind_a_busy_child_is_left_for_another_worker(tmp_path: Path, start_worker: StartWorker) -> None:
    app = make_app("", embedded_folder=tmp_path / "spool", role="daemon")
    start_worker("")
    _send(app, 1)
    _started(tmp_path, 1)
    _send(app, 2)
    start_worker("")  # takes its second to start; a worker that reserves has the message by then and keeps it
    _started(tmp_path, 2)
    _end(tmp_path, 1)
    _end(tmp_path, 2)


def test_what_waits_on_rabbitmq_goes_to_the_worker_that_is_free_first_and_the_most_urgent_first(
    tmp_path: Path, start_worker: StartWorker, rabbit_url: str
) -> None:
    app = make_app(rabbit_url, embedded_folder=None, role="daemon")
    worker = start_worker(rabbit_url)
    for number in range(1, 5):
        _send(app, number, priority=number)  # a worker that reserves has two of them before the others come
        _started(tmp_path, 1)
    start_worker(rabbit_url)
    _started(tmp_path, 4)
    for number, following in ((4, 3), (3, 2)):
        assert not (tmp_path / f"started-{following}").exists()
        _end(tmp_path, number)
        _started(tmp_path, following)
    _end(tmp_path, 1)
    _end(tmp_path, 2)
    _send(app, 5)
    _end(tmp_path, 5)
    _started(tmp_path, 5)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert "Traceback" not in (tmp_path / "worker.log").read_text()


def test_garbage_and_a_removed_folder_do_not_end_the_worker(tmp_path: Path, start_worker: StartWorker) -> None:
    app = make_app("", embedded_folder=tmp_path / "spool", role="daemon")
    worker = start_worker("")
    _send(app, 1)
    _end(tmp_path, 1)
    _started(tmp_path, 1)
    (folder,) = (tmp_path / "spool" / "queues").iterdir()
    for number, stranger in enumerate(STRANGERS):
        content = stranger if isinstance(stranger, bytes) else stranger.encode()
        (folder / f"{number:02d}.msg").write_bytes(content)
    wait_until(lambda: not list(folder.glob("*.msg")), timeout=30, message="all strangers are taken or set aside")
    shutil.rmtree(tmp_path / "spool")
    wait_until(folder.exists, message="the worker makes its folder again")
    _send(app, 2)
    _end(tmp_path, 2)
    _started(tmp_path, 2)
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_garbage_in_a_queue_of_redis_does_not_end_the_worker_nor_take_its_places(
    tmp_path: Path, start_worker: StartWorker, redis_server: RedisServer, redis_url: str
) -> None:
    app = make_app(redis_url, embedded_folder=None, role="daemon")
    worker = start_worker(redis_url)
    with closing(redis_server.client()) as client:
        for stranger in STRANGERS:
            client.lpush("صف", stranger)
    _send(app, 1)
    _end(tmp_path, 1)
    _started(tmp_path, 1)
    assert worker.poll() is None
    assert "Unrecoverable" not in (tmp_path / "worker.log").read_text()


@pytest.mark.parametrize("broker", ["redis", "rabbit"])
def test_a_worker_says_what_it_runs_and_reserves_nothing(
    tmp_path: Path, start_worker: StartWorker, broker: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{broker}_url")
    app = make_app(url, embedded_folder=None, role="daemon")
    start_worker(url)
    _send(app, 1)
    _send(app, 2)
    _started(tmp_path, 1)
    found = wait_until(lambda: inspect_task(app, "celsched-w-1.1.1", 0.5), message="the worker knows execution 1")
    assert str(found).startswith("active on celery@")
    assert inspect_task(app, "celsched-w-2.1.1", 0.5) is None  # still in the broker, not reserved behind the busy child
    assert len(ping(app, 0.5)) == 1
    _end(tmp_path, 1)
    _end(tmp_path, 2)
    _started(tmp_path, 2)
