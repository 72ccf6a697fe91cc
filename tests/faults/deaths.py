"""Owns the judgement of how soon a death is noticed: by the worker's main process, or by an observer. It is pure."""

from collections.abc import Iterator

from tests.faults.excuses import hit
from tests.faults.history import SECOND, Fault, Try
from tests.faults.reading import Reading

_SEEN = 2 * SECOND
"""In which the main process tells the death of its child."""


def noticed_late(reading: Reading) -> Iterator[tuple[str, str]]:
    """A child's death is recorded within 2 s where its main process lives, a worker's within the lease."""
    history, limits = reading.history, reading.history.limits
    for fault in history.faults:
        if not fault.kills or fault.stops or not fault.pids:
            continue
        for one in reading.tries.values():
            if one.finished is None or one.state != "lost" or not hit(fault, one):
                continue
            if not one.started <= fault.began <= one.finished:
                continue
            of_child = one.worker not in fault.pids
            # Of a whole worker only observers know: they may have been killed with it, and begin their lease anew.
            allowed = _SEEN if of_child else limits.lease + limits.heartbeat + limits.boot
            took = one.finished - fault.ended
            if took > allowed + limits.margin and not _kept_from_it(reading, fault, one, of_child=of_child):
                said = f"the death of {one.pid} of worker {one.worker} under {one.execution}.{one.attempt}"
                yield "noticed late", f"{said}: {took / 1e6:.1f} s after {fault.kind!r}"


def _kept_from_it(reading: Reading, mine: Fault, one: Try, *, of_child: bool) -> bool:
    """Whether another fault kept those who had to notice it: the store was away, they stood still or died too."""
    limits = reading.history.limits
    assert one.finished is not None
    for fault in reading.history.faults:
        concerns = fault.store or fault.stops or (one.worker in fault.pids if of_child else bool(fault.pids))
        if fault is not mine and concerns and fault.touches(mine.began, one.finished, limits.boot):
            return True
    return False
