"""Ends what bodies of dead workers of this machine left behind, when a worker starts.

Usually their reaper has done it; this is for the day when everything was killed at once, the reaper too. It touches
only what carries the mark of a worker that the store knows, and never a worker that lives.
"""

import logging
import signal
from collections.abc import Iterable

from celsched.store.instances import Instance
from celsched.worker import processes

logger = logging.getLogger("celsched.worker")


def end_orphans(workers: Iterable[Instance], host: str) -> int:
    """Kill the processes that carry the mark of one of these workers, where it ran on `host` and is dead.

    Return how many were found. A worker whose process id lives, even as somebody else, counts as living.
    """
    dead = {one.id for one in workers if one.host == host and not processes.alive(one.pid)}
    found = processes.of_workers(dead)
    if found:
        logger.warning("%d processes that a dead worker's tasks left running are ended", len(found))
    for pid in found:
        processes.kill_offspring(pid)
    processes.send(found, signal.SIGKILL)
    return len(found)
