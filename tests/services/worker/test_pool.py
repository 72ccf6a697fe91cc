"""The deaths of pool children and their worker end neither of them loudly."""

import subprocess
import sys

import pytest

from celsched.worker.pool import SteadyPool

BOOTS = """
import os
from billiard.context import ForkContext
from celsched.worker.pool import SteadyPool
context = ForkContext()
inner, queue = context.SimpleQueue(), context.SimpleQueue()
os.close(queue._reader.fileno())
child = SteadyPool.Pool.Worker(inner, queue)
process = context.Process(target=child)
process.start()
process.join()
print(process.exitcode, flush=True)
os._exit(0)  # the queue would close its reader once more
"""


def test_a_child_that_boots_for_a_dead_worker_ends_quietly() -> None:
    done = subprocess.run([sys.executable, "-c", BOOTS], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_other_faults_of_the_boot_are_not_hidden() -> None:
    class Full:
        def put(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    child = SteadyPool.Pool.Worker.__new__(SteadyPool.Pool.Worker)
    child.outq = Full()
    with pytest.raises(OSError, match="No space left"):
        child.on_loop_start(1)


def test_a_dead_child_is_not_watched_anew_when_the_broker_comes_back() -> None:
    watched: list[int] = []

    class Hub:
        def add_reader(self, fd: int, *_: object) -> None:
            assert fd is not None, "kombu refuses None"
            watched.append(fd)

    class Child:
        def __init__(self, sentinel: int | None) -> None:
            self._sentinel_poll = sentinel

    pool = SteadyPool.Pool.__new__(SteadyPool.Pool)
    for child in (Child(None), Child(7)):
        pool._track_child_process(child, Hub())
    assert watched == [7]
