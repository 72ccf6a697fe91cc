"""Owns following executions while they run: new log lines and state, look by look. It changes nothing."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from celsched.clock import Clock
from celsched.domain.execution import TERMINAL, Execution, LogLine
from celsched.domain.names import as_stored
from celsched.errors import NotFound
from celsched.operations.scope import Scope, not_found
from celsched.store import definitions, executions, logs, overview
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


def newest_of(scope: Scope, name: str) -> int:
    """Return the newest execution of a schedule (or, where none has the name, of a task) that was not skipped.

    Raises:
        NotFound: there is none, or nothing of this name was ever stored.
    """
    name = as_stored(name)

    def work(tx: Tx) -> int:
        for wanted in (
            executions.Filter(schedule=name, with_skips=False),
            executions.Filter(task=name, with_skips=False),
        ):
            found = executions.listing(tx, wanted, 1)
            if found:
                return found[0].id
        if definitions.latest_schedule_id(tx, name) is None and not overview.task_was_known(tx, name):
            known = [*definitions.schedule_names(tx), *definitions.task_names(tx)]
            raise not_found("task or schedule", name, known)
        raise NotFound(f"no execution of '{name}' has been recorded", hint="`celsched executions` lists what there is")

    return scope.store.read(work)
