"""Owns following executions while they run: new log lines and state, look by look. It changes nothing."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from celsched.clock import Clock
from celsched.domain.execution import TERMINAL, Execution, LogLine
from celsched.operations.scope import Scope, not_found
from celsched.store import executions, logs
from celsched.store.store import Tx

Place = tuple[int, int]
"""(attempt, seq) of the last line that was seen."""
_EVERY = 0.2
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One look: the execution as it is, its lines since the last look, and whether nothing more will come."""

    execution: Execution
    lines: Sequence[LogLine]
    over: bool


def look(scope: Scope, execution_id: int, *, after: Place | None, level: int = 0) -> Glimpse:
    """Look once; raise NotFound for an unknown id."""

    def work(tx: Tx) -> Glimpse:
        # The state first: lines stored before an end that we saw are then among what we read.
        found = executions.find(tx, execution_id)
        if found is None:
            raise not_found("execution", execution_id)
        lines = logs.read(tx, execution_id, after=after, level=level, limit=_BATCH)
        return Glimpse(found, lines, found.state in TERMINAL and len(lines) < _BATCH)

    return scope.store.read(work)


def last_lines(scope: Scope, execution_id: int, count: int, *, level: int = 0) -> Sequence[LogLine]:
    """Return the newest `count` lines."""
    return scope.store.read(lambda tx: logs.tail(tx, execution_id, count, level=level))


def follow(
    scope: Scope,
    execution_id: int,
    clock: Clock,
    *,
    after: Place | None = None,
    level: int = 0,
    give_up: float | None = None,
) -> Iterator[Glimpse]:
    """Yield a look every fifth of a second until the execution has ended, or `give_up` seconds are over.

    The last one has `over` False only where time ran out. Raises NotFound for an unknown id.
    """
    begin = clock.monotonic()
    never = threading.Event()
    while True:
        seen = look(scope, execution_id, after=after, level=level)
        if seen.lines:
            after = (seen.lines[-1].attempt, seen.lines[-1].seq)
        yield seen
        if len(seen.lines) >= _BATCH:
            continue  # more are there already; time cannot run out before they were shown
        left = None if give_up is None else give_up - (clock.monotonic() - begin)
        if seen.over or (left is not None and left <= 0):
            return
        clock.wait(never, _EVERY if left is None else min(_EVERY, left))


def newest_of(scope: Scope, schedule: str) -> int | None:
    """Return the newest execution of a schedule (or, where none has the name, of a task) that was not skipped."""

    def work(tx: Tx) -> int | None:
        for wanted in (
            executions.Filter(schedule=schedule, with_skips=False),
            executions.Filter(task=schedule, with_skips=False),
        ):
            found = executions.listing(tx, wanted, 1)
            if found:
                return found[0].id
        return None

    return scope.store.read(work)
