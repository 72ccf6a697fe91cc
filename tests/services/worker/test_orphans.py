"""Checks whose processes a starting worker ends: those of dead workers of this machine, and nobody else's."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from celsched.store.instances import Instance
from celsched.worker.orphans import end_orphans
from celsched.worker.processes import BODY_VARIABLE
from tests.support.project import lives
from tests.support.waiting import wait_until

_NOW = datetime(2026, 11, 24, tzinfo=UTC)
_STUBBORN = "trap '' TERM; sleep 60 & wait; sleep 60"


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def left() -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, BODY_VARIABLE: "here-1-boot-کار/17.2"}
    process = subprocess.Popen(["sh", "-c", _STUBBORN], env=environment, start_new_session=True)
    wait_until(lambda: lives(process.pid), message="it lives")
    yield process
    os.killpg(process.pid, 9)
    process.wait()


def _worker(pid: int, identity: str = "here-1-boot-کار", host: str = "here") -> Instance:
    return Instance(identity, "worker", host, pid, "w", "1", (), 1, 0, _NOW, _NOW)


def test_what_a_dead_worker_of_this_machine_left_is_ended(gone: int, left: "subprocess.Popen[bytes]") -> None:
    assert end_orphans([_worker(gone)], "here") >= 1
    wait_until(lambda: not lives(left.pid), message="it is ended")


def test_what_others_run_is_left_alone(gone: int, left: "subprocess.Popen[bytes]") -> None:
    others = [_worker(os.getpid()), _worker(gone, host="there"), _worker(gone, identity="here-1-boot")]
    assert end_orphans(others, "here") == 0
    assert end_orphans([], "here") == 0
    assert lives(left.pid)
