"""Owns what happens to processes that a body started and left running when it ended normally: they are ended too.

It looks only at the children of this process, which adopts the orphans below it, so nothing escapes and nothing foreign
is touched.
"""

import contextlib
import logging
import os
import signal
import threading

from celsched.clock import Clock
from celsched.worker import processes

logger = logging.getLogger("celsched.worker")


def end_leftovers(before: set[int], grace: float, clock: Clock) -> None:
    """End every child of this process that is not among `before`: SIGTERM, at most `grace` seconds, SIGKILL."""
    if not _new_children(before):
        return  # the usual case, at the price of one call
    left = _all_new(before)
    if left:
        logger.warning("%d processes that the task left running are ended", len(left))
    processes.send(left, signal.SIGTERM)
    until = clock.monotonic() + grace
    never = threading.Event()
    while _new_children(before) and clock.monotonic() < until:
        clock.wait(never, 0.02)
    for _ in range(20):
        if not _new_children(before):
            break
        processes.send(_all_new(before), signal.SIGKILL)
        clock.wait(never, 0.01)


def _all_new(before: set[int]) -> set[int]:
    found = _new_children(before)
    return found.union(*(processes.offspring(pid) for pid in found))


def _new_children(before: set[int]) -> set[int]:
    """Return the new living children; dead ones are collected on the way."""
    living: set[int] = set()
    for pid in processes.children() - before:
        found = processes.look(pid)
        if found is not None and found.lives:
            living.add(pid)
        else:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return living
