"""Owns the judgement of lateness: when each execution could have started, when it did, and what was broken between.

It is pure. What was broken shortly before counts too, because a restart and a publish again take their time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.faults.history import Fault
from tests.faults.reading import Reading, Run, clock_time

_CHILDREN = 4
"""How many bodies run at once; so many that wait are a queue."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first start of an execution: how late, and by which faults it may be excused.

    Not late is who waits for a child while bodies of the tests' own keep all of them: that is what the plan asks for.
    """

    run: Run
    ready: int
    late: int
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"{self.run} of {self.run.schedule!r} began {self.late / 1e6:.2f} s after {clock_time(self.ready)}"


def starts(reading: Reading) -> list[Start]:
    """Return the first start of every execution that began."""
    found = []
    limits, full = reading.history.limits, list(_full(reading))
    for name, rows in reading.rows_of.items():
        planned = reading.planned.get(name)
        free = 0
        for row in rows:
            runs = reading.runs_of.get(row.id)
            ready = max(row.fire, free)
            if planned is not None and planned.overlap != "allow" and row.state != "skipped":
                free = max(free, row.finished or free)
            if not runs:
                continue
            began = runs[0].began
            touching = [
                fault for fault in reading.history.faults if fault.touches(ready, began, limits.boot + limits.republish)
            ]
            late = max(0, began - ready) - sum(_shared(ready, began, one) for one in full)
            found.append(Start(runs[0], ready, late, tuple(touching)))
    return list(_queued_behind(found))


def _full(reading: Reading) -> Iterator[tuple[int, int]]:
    """Give the times at which every child has a body that shows signs of life."""
    edges = [edge for run in reading.runs.values() for edge in ((run.began, 1), (run.last, -1))]
    running, since = 0, 0
    for at, step in sorted(edges):
        if step < 0 and running == _CHILDREN:
            yield since, at
        running += step
        if step > 0 and running == _CHILDREN:
            since = at


def _shared(begin: int, end: int, other: tuple[int, int]) -> int:
    return max(0, min(end, other[1]) - max(begin, other[0]))


def _queued_behind(begun: list[Start]) -> Iterator[Start]:
    """Let those that fell due behind a queue which a fault had left share its excuse, until the queue is worked off."""
    queue: list[tuple[int, tuple[Fault, ...]]] = []
    for start in sorted(begun, key=lambda one: one.ready):
        queue = [one for one in queue if one[0] > start.ready]
        if not start.faults and len(queue) >= _CHILDREN:
            start = replace(start, faults=queue[-1][1])
        if start.faults:
            queue.append((start.run.began, start.faults))
        yield start


def too_late(reading: Reading) -> Iterator[tuple[str, str]]:
    """I8: within a second or so where all is well, else within republish (with its back-off) of the recovery."""
    limits = reading.history.limits
    publishes = {row.id: row.publishes for row in reading.history.rows if row.attempt == 1}
    for start in starts(reading):
        if not start.faults:
            if start.late > limits.healthy:
                yield "late", f"{start} with nothing broken"
            continue
        # Each send that was lost doubles the pause before the next one; a first attempt that died adds a lease.
        sends = publishes.get(start.run.execution, 4)
        allowed = limits.boot + limits.margin + limits.republish * 2 ** min(max(sends - 1, 0), 4)
        if start.run.attempt > 1:
            allowed += limits.lease
        recovered = max(fault.ended for fault in start.faults)
        if start.run.began > max(start.ready, recovered) + allowed:
            last = start.faults[-1].kind
            yield "late", f"{start}, {allowed / 1e6:.0f} s allowed after {last!r} ended {clock_time(recovered)}"


def percentile(values: list[int], part: float) -> float:
    """Return a percentile of microseconds, in seconds; 0 where there are none."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] / 1e6
