"""Checks that a worker lets go of its sockets when Redis refuses writes. It measures the real process."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.broker.test_worker_transport import start_worker as start_worker
from tests.support.services import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


def _sockets(pid: int) -> int:
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(file.readlink()).startswith("socket:")
    return count


def test_a_redis_that_refuses_writes_costs_a_worker_no_sockets(
    mortal_redis: RedisServer, tmp_path: Path, start_worker: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    worker = start_worker(mortal_redis.url)
    log = tmp_path / "worker.log"

    def consumes() -> bool:
        with closing(mortal_redis.client()) as client:
            return any("brpop" in str(one["cmd"]) for one in client.client_list())

    wait_until(consumes, timeout=30, message="the worker consumes")
    before = _sockets(worker.pid)
    with closing(mortal_redis.client()) as client:
        client.config_set("min-replicas-to-write", "1")
        client.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: log.read_text().count("NOREPLICAS") >= 5, timeout=30, message="five tries to connect")
        client.config_set("min-replicas-to-write", "0")
    wait_until(consumes, timeout=30, message="the worker consumes again")
    assert _sockets(worker.pid) <= before + 1
    assert worker.poll() is None
    os.kill(worker.pid, 15)
    assert worker.wait(20) == 0
