"""Owns what a run of the daemon came to: executions and skips per subject since an id. It changes nothing."""

from dataclasses import dataclass, field
from datetime import datetime

from celsched.domain.execution import LIVE, State
from celsched.operations.scope import Scope
from celsched.store import definitions, executions
from celsched.store.executions import Filter
from celsched.store.store import Tx


@dataclass(slots=True)
class Line:
    """One schedule or task: how its executions ended, retried attempts, skipped fire times, and what is next."""

    subject: str
    succeeded: int = 0
    failed: int = 0
    retries: int = 0
    skipped: int = 0
    open: int = 0
    other: int = 0
    next_fire_time: datetime | None = None
    open_ids: list[int] = field(default_factory=list)


def mark(scope: Scope) -> int:
    """Return where a summary that is to be taken later begins."""
    return scope.store.read(executions.newest_id)


def summarise(scope: Scope, after_id: int, *, limit: int = 100_000) -> list[Line]:
    """Return a line for every subject that did something since `after_id` or has something to come, by name."""

    def work(tx: Tx) -> list[Line]:
        lines: dict[str, Line] = {}
        for execution in executions.listing(tx, Filter(after_id=after_id), limit):
            line = lines.setdefault(execution.subject, Line(execution.subject))
            line.retries += execution.attempt - 1
            _count(line, execution.state, execution.count)
            if execution.state in LIVE:
                line.open_ids.append(execution.id)
        for schedule in definitions.all_schedules(tx):
            if schedule.state.next_fire_time is not None:
                line = lines.setdefault(schedule.name, Line(schedule.name))
                line.next_fire_time = schedule.state.next_fire_time
        return sorted(lines.values(), key=lambda line: line.subject)

    return scope.store.read(work)


def _count(line: Line, state: State, count: int) -> None:
    match state:
        case State.SUCCEEDED:
            line.succeeded += count
        case State.FAILED | State.TIMED_OUT | State.LOST:
            line.failed += count
        case State.SKIPPED:
            line.skipped += count
        case State.CANCELLED | State.EXPIRED:
            line.other += count
        case _:
            line.open += count
