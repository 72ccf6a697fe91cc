"""Owns the judgement of lateness: when each execution could have started, when it did, and what was broken between.

It is pure. What was broken shortly before counts too, because a restart and a publish again take their time.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.faults.history import Fault, Row
from tests.faults.reading import Reading, Run, clock_time

_CHILDREN = 4
"""How many bodies run at once; so many that wait are a queue."""


@dataclass(frozen=True, slots=True)
class Start:
    """The start of an attempt: how late, and by which faults it may be excused.

    `due` is its fire time, or what the end of the attempt before it asks for; it is `ready` once nothing of its
    schedule is in its way either. Not late is who waits for a child while bodies of the tests' own keep all of them:
    that is what the plan asks for.
    """

    run: Run
    due: int
    ready: int
    late: int
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"{self.run} of {self.run.schedule!r} began {self.late / 1e6:.2f} s after {clock_time(self.ready)}"


def starts(reading: Reading) -> list[Start]:
    """Return the start of every attempt that began, first attempts and those that follow."""
    limits, full = reading.history.limits, list(_full(reading))
    found = []
    for run, due, ready in _due(reading):
        near = (one for one in reading.history.faults if one.touches(ready, run.began, limits.boot + limits.republish))
        late = max(0, run.began - ready) - sum(_shared(ready, run.began, one) for one in full)
        found.append(Start(run, due, ready, late, tuple(near)))
    return list(_queued_behind(found))


def _due(reading: Reading) -> Iterator[tuple[Run, int, int]]:
    """Give each body that began, when it was due, and when what forbids an overlap was out of its way."""
    for name, rows in reading.rows_of.items():
        planned = reading.planned.get(name)
        if planned is None:
            continue
        ends = _ends(reading, rows) if planned.overlap != "allow" else []
        for row in rows:
            for run in reading.runs_of.get(row.id, ()):
                before = reading.tries.get((run.execution, run.attempt - 1))
                if run.attempt == 1:
                    due = row.fire
                elif before is not None and before.finished is not None:
                    due = before.finished + planned.delay
                else:
                    continue  # told by `attempts.follow`
                # Ends only: who began later than this one was not in its way.
                position = bisect_right(ends, (run.began, row.id))
                while position and ends[position - 1][1] == row.id:
                    position -= 1
                yield run, due, max(due, ends[position - 1][0]) if position else due


def _ends(reading: Reading, rows: Sequence[Row]) -> list[tuple[int, int]]:
    tries = (reading.tries.get((row.id, number)) for row in rows for number in range(1, row.attempt + 1))
    return sorted((one.finished, one.execution) for one in tries if one is not None and one.finished is not None)


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
    for start in starts(reading):
        run = start.run
        if run.began < start.due - limits.clock:
            yield "early", f"{run} of {run.schedule!r} began {(start.due - run.began) / 1e6:.2f} s before it was due"
        if not start.faults:
            if start.late > limits.healthy:
                yield "late", f"{start} with nothing broken"
            continue
        # Each send that was lost doubles the pause before the next one. The row counts those of its last attempt.
        row = reading.row.get(run.execution)
        sends = row.publishes if row is not None and row.attempt == run.attempt else 4
        allowed = limits.boot + limits.margin + limits.republish * 2 ** min(max(sends - 1, 0), 4)
        recovered = max(fault.ended for fault in start.faults)
        if run.began > max(start.ready, recovered) + allowed:
            last = start.faults[-1].kind
            yield "late", f"{start}, {allowed / 1e6:.0f} s allowed after {last!r} ended {clock_time(recovered)}"


def decided_late(reading: Reading) -> Iterator[tuple[str, str]]:
    """What becomes of a fire time is recorded when it falls due, a skip too: not before, and not much later."""
    limits = reading.history.limits
    for row in reading.history.rows:
        last = row.fire if row.until is None else row.until
        if row.created < last - limits.clock:
            yield "early", f"row {row.id} of {row.schedule!r} was recorded before {clock_time(last)}"
        if row.created <= row.fire + limits.healthy:
            continue
        near = [one for one in reading.history.faults if one.touches(row.fire, row.created, limits.boot)]
        recovered = max((one.ended + limits.boot for one in near), default=row.fire)
        if row.created > recovered + limits.healthy:
            took = (row.created - row.fire) / 1e6
            yield "late", f"row {row.id} of {row.schedule!r} was recorded {took:.1f} s after {clock_time(row.fire)}"


def percentile(values: list[int], part: float) -> float:
    """Return a percentile of microseconds, in seconds; 0 where there are none."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] / 1e6
