"""Owns the judgement of attempts: that they follow from each other by the rules, and are what the bodies wrote.

It is pure: a reading in, violations out.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.faults.history import Planned, Row, Try
from tests.faults.reading import Reading, Run, clock_time

_FAILURES = {"failed", "timed_out"}
_FOLLOWED = {*_FAILURES, "lost"}
"""Ends after which another attempt may follow."""

_ENDED = {"succeeded", *_FOLLOWED}


def follow(reading: Reading) -> Iterator[tuple[str, str]]:
    """I3 and I6: the attempts of each execution are 1, 2, 3.. one after the other, as many as the policy says."""
    tries: dict[int, list[Try]] = defaultdict(list)
    for one in sorted(reading.tries.values(), key=lambda one: one.attempt):
        tries[one.execution].append(one)
    for execution in tries.keys() - reading.row.keys():
        yield "disagree", f"there are attempts of execution {execution}, which the store does not know"
    for row in reading.history.rows:
        planned = reading.planned.get(row.schedule)
        if planned is None:
            yield "extra", f"execution {row.id} is of {row.schedule!r}, which was never planned"
            continue
        for kind, said in _of_one(reading, row, planned, tries[row.id]):
            yield kind, f"execution {row.id} of {row.schedule!r} {said}"


def _of_one(reading: Reading, row: Row, planned: Planned, tries: list[Try]) -> Iterator[tuple[str, str]]:
    numbers = [one.attempt for one in tries]
    if row.state == "skipped":
        if tries:
            yield "disagree", f"is skipped, and has the attempts {numbers}"
        return
    if row.state in _ENDED and numbers != list(range(1, row.attempt + 1)):
        yield "disagree", f"is {row.state} in attempt {row.attempt}, and has the attempts {numbers}"
        return
    yield from _one_after_the_other(tries, reading.history.limits.clock)
    yield from (
        ("unfinished", f"has an attempt {one.attempt} that is {one.state} for ever")
        for one in tries
        if one.finished is None
    )
    yield from _counted(row, planned, tries)


def _one_after_the_other(tries: list[Try], clock: int) -> Iterator[tuple[str, str]]:
    for one, after in pairwise(tries):
        if one.state not in _FOLLOWED:
            yield "too often", f"has an attempt {after.attempt} after one that {one.state}"
        if one.finished is None or after.started < one.finished - clock:
            yield "overlap", f"claimed attempt {after.attempt} before attempt {one.attempt} had ended"


def _counted(row: Row, planned: Planned, tries: list[Try]) -> Iterator[tuple[str, str]]:
    failures = sum(one.state in _FAILURES for one in tries)
    losses = sum(one.state == "lost" for one in tries)
    # Each failure or loss that was followed by another attempt used one that its own policy allows.
    last = tries[-1].state if tries else ""
    failed, lost = failures - (last in _FAILURES), losses - (last == "lost")
    if failed > planned.max_retries or lost > planned.retry_on_lost:
        yield "too often", f"was repeated after {failed} failures and {lost} losses"
    if tries and row.state in _ENDED and tries[-1].state != row.state:
        yield "disagree", f"is {row.state}, and its last attempt is {tries[-1].state}"
    if row.state == "lost" and losses <= planned.retry_on_lost:
        yield "gave up", f"is lost for good after {losses} losses; {planned.retry_on_lost} are repeated"
    if row.state in _FAILURES and failures <= planned.max_retries:
        yield "gave up", f"{row.state} for good after {failures} failures; {planned.max_retries} are repeated"


def agree(reading: Reading) -> Iterator[tuple[str, str]]:
    """I6 for each attempt: what began was claimed, what the store calls succeeded or failed did just that."""
    for run in reading.runs.values():
        for kind, said in _of_run(reading, run):
            yield kind, f"{run} of {run.schedule!r} {said}"
    for key, one in reading.tries.items():
        found = reading.runs.get(key)
        if one.state == "succeeded" and (found is None or not found.ended):
            yield "disagree", f"attempt {key} succeeded, and its body did not come to its end"
        if one.state == "failed" and (found is None or not found.raised):
            yield "disagree", f"attempt {key} failed, and its body did not raise"


def _of_run(reading: Reading, run: Run) -> Iterator[tuple[str, str]]:
    if len(run.processes) > 1:
        yield "started twice", f"lived in the processes {sorted(run.processes)}"
    if not run.starts or run.starts[0].at > run.began:
        yield "disagree", "has signs of life before its start"
    if run.ended and run.raised:
        yield "disagree", "came to its end, and raised"
    row = reading.row.get(run.execution)
    if row is not None and (row.schedule, row.fire) != (run.schedule, run.fire):
        yield (
            "disagree",
            f"ran for {clock_time(run.fire)}, and its row is of {row.schedule!r} at {clock_time(row.fire)}",
        )
    one = reading.tries.get((run.execution, run.attempt))
    if one is None:
        yield "disagree", "began, and the store knows no such attempt"
    else:
        yield from _by_its_claim(run, one, reading.history.limits.clock)


def _by_its_claim(run: Run, one: Try, clock: int) -> Iterator[tuple[str, str]]:
    if run.processes != {(one.worker, one.pid)}:
        yield "disagree", f"lived in {sorted(run.processes)}, and was claimed by {(one.worker, one.pid)}"
    if run.began < one.started - clock:
        yield "early", f"began {(one.started - run.began) / 1e6:.2f} s before it was claimed"


def recorded_late(reading: Reading) -> Iterator[tuple[str, str]]:
    """The end of a body is in the store soon after it, unless its processes were hit or the store was away."""
    limits = reading.history.limits
    for key, one in reading.tries.items():
        run = reading.runs.get(key)
        if run is None or one.finished is None or one.state not in ("succeeded", *_FAILURES):
            continue
        # Who is killed at its limit is found dead, buried and recorded by the main process, in turns.
        if one.finished <= run.last + (limits.margin if one.state == "timed_out" else limits.record):
            continue
        broken = (fault for fault in reading.history.faults if fault.touches(run.last, one.finished, limits.margin))
        if not any(fault.store or fault.stops or one.pid in fault.pids or one.worker in fault.pids for fault in broken):
            took = (one.finished - run.last) / 1e6
            yield "recorded late", f"{run} of {run.schedule!r}: its end, {took:.1f} s after its last sign of life"


def keep_limits(reading: Reading) -> Iterator[tuple[str, str]]:
    """A body lives as long as its time limit and a moment more, unless its worker stood still; none is cut short."""
    limits = reading.history.limits
    for key, run in reading.runs.items():
        planned, one = reading.planned.get(run.schedule), reading.tries.get(key)
        if planned is None or planned.limit is None:
            continue
        if one is not None and one.finished is not None and one.state == "timed_out":
            lived = one.finished - one.started
            if lived < planned.limit - limits.clock:
                yield "disagree", f"{run} of {run.schedule!r} is timed_out after {lived / 1e6:.2f} s"
        lived = run.last - run.began
        # The main process looks each 0.1 s; who is stopped cannot, and looks once it goes on.
        still = any(
            fault.stops and run.worker in fault.pids and fault.touches(run.began, run.last, limits.margin)
            for fault in reading.history.faults
        )
        if lived > planned.limit + limits.record and not still:
            yield "no limit", f"{run} of {run.schedule!r} lived for {lived / 1e6:.2f} s"
