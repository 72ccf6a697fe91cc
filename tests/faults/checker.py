"""Owns the verdict on a fault run, in the manner of Jepsen's test of Chronos: fire times against what the bodies wrote.

It is pure: a history in, violations out. The store's rows are judged too, but the bodies' own records come first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults import attempts, deaths, lateness
from tests.faults.excuses import activity, may_be_lost
from tests.faults.history import History, Planned, Row
from tests.faults.reading import Reading, Run, clock_time

TERMINAL = {"succeeded", "failed", "timed_out", "cancelled", "lost", "expired", "skipped"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: a short word for its kind, and the evidence."""

    kind: str
    evidence: str


def check(history: History) -> list[Violation]:
    """Return every violation; an empty list means that the run kept all promises, and was large enough to mean it."""
    reading = Reading(history)
    checks: tuple[Callable[[Reading], Iterator[tuple[str, str]]], ...] = (
        _accounted,
        _skips,
        _unknown,
        _started_twice,
        _too_often,
        _overlaps,
        _agrees,
        attempts.follow,
        attempts.agree,
        attempts.recorded_late,
        attempts.keep_limits,
        _lost_for_nothing,
        deaths.noticed_late,
        _outlives,
        _unfinished,
        lateness.too_late,
        lateness.decided_late,
        _too_small,
    )
    found = [Violation(kind, said) for one in checks for kind, said in one(reading)]
    return found + [Violation(kind, said) for kind, said in history.findings]


def _accounted(reading: Reading) -> Iterator[tuple[str, str]]:
    """I1: each fire time has exactly one row, alone or in a range."""
    for planned in reading.history.planned:
        covered: dict[int, list[int]] = {fire: [] for fire in planned.fire_times()}
        for row in reading.rows_of[planned.name]:
            yield from _cover(row, covered)
        for fire, ids in covered.items():
            if not ids:
                yield "missing", f"{planned.name!r} at {clock_time(fire)}: no row says what became of it"
            elif len(ids) > 1:
                yield "doubled", f"{planned.name!r} at {clock_time(fire)} has the rows {ids}"


def _cover(row: Row, covered: dict[int, list[int]]) -> Iterator[tuple[str, str]]:
    inside = [row.fire] if row.until is None else [one for one in covered if row.fire <= one <= row.until]
    if row.fire not in covered or (row.until is not None and row.until not in covered):
        yield "extra", f"row {row.id} of {row.schedule!r}: {clock_time(row.fire)} is no fire time of its rule"
        return
    if len(inside) != row.count:
        yield "miscounted", f"row {row.id} of {row.schedule!r} says {row.count} fire times, and covers {len(inside)}"
    for fire in inside:
        covered[fire].append(row.id)


def _skips(reading: Reading) -> Iterator[tuple[str, str]]:
    """A skip needs its reason: an earlier execution of the schedule under way; with `queue_one` one more that waits."""
    until = activity(reading)
    for planned in reading.history.planned:
        rows = reading.rows_of[planned.name]
        others = [row for row in rows if row.state != "skipped"]
        needed = 2 if planned.overlap == "queue_one" else 1
        for row in rows:
            if row.state != "skipped":
                continue
            at = row.created
            active = sum(one.created <= at <= until(one) and one.fire < row.fire for one in others)
            if row.reason != "overlap" or planned.overlap == "allow" or active < needed:
                said = f"row {row.id} of {planned.name!r} ({row.reason}) at {clock_time(row.fire)}"
                yield "skipped", f"{said}: {active} were active at {clock_time(at)}, {needed} would be a cause"


def _unknown(reading: Reading) -> Iterator[tuple[str, str]]:
    """Bodies ran only for fire times of the rules, and each fire time under one execution."""
    fires = {planned.name: set(planned.fire_times()) for planned in reading.history.planned}
    ids: dict[tuple[str, int], set[int]] = defaultdict(set)
    for run in reading.runs.values():
        ids[run.schedule, run.fire].add(run.execution)
        if run.fire not in fires.get(run.schedule, set()):
            yield "extra", f"{run} ran for {clock_time(run.fire)}, which is no fire time of {run.schedule!r}"
    for (schedule, fire), executions in ids.items():
        if len(executions) > 1:
            yield "doubled", f"{schedule!r} at {clock_time(fire)} ran as the executions {sorted(executions)}"


def _started_twice(reading: Reading) -> Iterator[tuple[str, str]]:
    """I2."""
    for run in reading.runs.values():
        if len(run.starts) > 1:
            where = ", ".join(f"{clock_time(one.at)} in {one.pid} of worker {one.worker}" for one in run.starts)
            yield "started twice", f"{run} of {run.schedule!r}: {where}"


def _too_often(reading: Reading) -> Iterator[tuple[str, str]]:
    """I3."""
    for execution, runs in reading.runs_of.items():
        planned = reading.planned.get(runs[0].schedule)
        starts = sum(len(run.starts) for run in runs)
        if planned and starts > planned.most_starts:
            yield (
                "too often",
                f"execution {execution} of {planned.name!r}: {starts} starts, {planned.most_starts} allowed",
            )


def _overlaps(reading: Reading) -> Iterator[tuple[str, str]]:
    """I4: attempts of one execution never overlap, and where overlap is forbidden no two runs of a schedule."""
    by_schedule: dict[str, list[Run]] = defaultdict(list)
    for run in reading.runs.values():
        by_schedule[run.schedule].append(run)
    for schedule, runs in by_schedule.items():
        planned = reading.planned.get(schedule)
        if planned is None:
            continue
        groups: dict[int, list[Run]] = defaultdict(list)
        for run in runs:
            groups[run.execution if planned.overlap == "allow" else 0].append(run)
        for group in groups.values():
            yield from _overlaps_in(reading, sorted(group, key=lambda run: run.began))


def _overlaps_in(reading: Reading, runs: list[Run]) -> Iterator[tuple[str, str]]:
    last = runs[0]
    for run in runs[1:]:
        if run.began < last.last and not reading.was_frozen(last):
            length = (last.last - run.began) / 1e6
            yield "overlap", f"{run} of {run.schedule!r} began while {last} lived for {length:.3f} s more"
        last = max(last, run, key=lambda one: one.last)


def _agrees(reading: Reading) -> Iterator[tuple[str, str]]:
    """I6: what the store says of an execution is what its bodies wrote."""
    for row in reading.history.rows:
        runs = reading.runs_of.get(row.id, [])
        planned = reading.planned.get(row.schedule)
        if planned is not None:
            yield from (("disagree", f"execution {row.id} of {row.schedule!r} {said}") for said in _differs(
                row, runs, planned, reading))  # fmt: skip


def _differs(row: Row, runs: list[Run], planned: Planned, reading: Reading) -> Iterator[str]:
    whole = {run.attempt for run in runs if run.ended}
    repeated = {run.attempt for run in runs if run.ended and reading.lost(run)}
    match row.state:
        case "skipped" if runs:
            yield f"is skipped, and ran: {runs}"
        case "succeeded" if row.attempt not in whole:
            yield f"succeeded in attempt {row.attempt}, which never came to its end"
        case "succeeded" if whole - repeated != {row.attempt}:
            yield f"succeeded, and the attempts {sorted(whole)} came to their end"
        case "failed" if sum(run.raised for run in runs) < min(planned.fails, planned.max_retries + 1) or not runs:
            yield f"failed after {sum(run.raised for run in runs)} attempts that raised"
        case "lost" if whole - repeated:
            yield f"is lost, and the attempts {sorted(whole)} came to their end and are not lost"
        case "timed_out" if planned.limit is None:
            yield "is timed_out, and has no time limit"
        case "expired" | "cancelled":
            yield f"is {row.state}, which nobody asked for"


def _lost_for_nothing(reading: Reading) -> Iterator[tuple[str, str]]:
    """An attempt is lost only where its own processes were hit, or its worker could not beat for too long."""
    for one in reading.tries.values():
        if one.state == "lost" and one.finished is not None and not may_be_lost(reading, one, one.finished):
            said = f"attempt {one.execution}.{one.attempt}, {clock_time(one.started)} to {clock_time(one.finished)}"
            yield "lost for nothing", f"{said}, in {one.pid} of worker {one.worker}: nothing ended it"


def _outlives(reading: Reading) -> Iterator[tuple[str, str]]:
    """I7: nothing of a body lives on after its attempt has ended, but for the grace."""
    limits = reading.history.limits
    for key, one in reading.tries.items():
        run = reading.runs.get(key)
        if run is None or one.finished is None or reading.was_frozen(run):
            continue
        if run.last > one.finished + limits.grace + limits.heartbeat:
            over = (run.last - one.finished) / 1e6
            yield "outlives", f"{run} of {run.schedule!r} was alive {over:.1f} s after its attempt ended as {one.state}"


def _unfinished(reading: Reading) -> Iterator[tuple[str, str]]:
    """I5."""
    for row in reading.history.rows:
        if row.state not in TERMINAL:
            yield "unfinished", f"execution {row.id} of {row.schedule!r}, attempt {row.attempt}, is {row.state}"


def _too_small(reading: Reading) -> Iterator[tuple[str, str]]:
    """A run that broke or started too little proves nothing."""
    history = reading.history
    faults = sum(not fault.part for fault in history.faults)
    if faults < history.least_faults:
        yield "too small", f"{faults} faults, at least {history.least_faults} wanted"
    started = {(run.schedule, run.fire) for run in reading.runs.values()}
    if len(started) < history.least_fires:
        yield "too small", f"{len(started)} fire times started, at least {history.least_fires} wanted"
