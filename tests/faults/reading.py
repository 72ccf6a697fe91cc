"""Owns the views of a history that several checks need: runs by attempt, rows by schedule. It judges nothing."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.faults.history import Event, History, Planned, Row, Try

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock_time(at: int) -> str:
    """Return an instant for people."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%H:%M:%S.%f")


@dataclass(slots=True)
class Run:
    """What was seen of one attempt's body."""

    execution: int
    attempt: int
    schedule: str
    fire: int
    worker: int
    began: int
    last: int
    """The last sign of life, its grandchildren's included."""
    starts: list[Event] = field(default_factory=list)
    ended: bool = False
    raised: bool = False
    processes: set[tuple[int, int]] = field(default_factory=set)
    """Where it lived: the worker's main process and its own."""

    def __str__(self) -> str:
        return f"{self.execution}.{self.attempt}"

    __repr__ = __str__


class Reading:
    """A history, sorted for judging."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.planned: dict[str, Planned] = {one.name: one for one in history.planned}
        self.row: dict[int, Row] = {row.id: row for row in history.rows}
        self.rows_of: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(history.rows, key=lambda one: one.id):
            self.rows_of[row.schedule].append(row)
        self.tries: dict[tuple[int, int], Try] = {(one.execution, one.attempt): one for one in history.tries}
        self.runs = _runs(history)
        self.runs_of: dict[int, list[Run]] = defaultdict(list)
        for run in sorted(self.runs.values(), key=lambda one: one.attempt):
            self.runs_of[run.execution].append(run)

    def lost(self, run: Run) -> bool:
        """Whether the store calls this attempt lost."""
        found = self.tries.get((run.execution, run.attempt))
        return found is not None and found.state == "lost"

    def was_frozen(self, run: Run) -> bool:
        """Whether its worker's host was frozen for longer than the lease while it ran, and it ended soon after.

        That is the one exception of the promise: killed within one heartbeat plus the grace of waking.
        """
        limits = self.history.limits
        return any(
            fault.frozen
            and run.worker in fault.pids
            and fault.touches(run.began, run.last)
            and run.last <= fault.ended + limits.heartbeat + limits.grace + limits.margin
            for fault in self.history.faults
        )


def _runs(history: History) -> dict[tuple[int, int], Run]:
    runs: dict[tuple[int, int], Run] = {}
    for event in sorted(history.events, key=lambda one: one.at):
        key = (event.execution, event.attempt)
        run = runs.get(key)
        if run is None:
            run = runs[key] = Run(*key, event.schedule, event.fire, event.worker, event.at, event.at)
        run.last = event.at
        run.processes.add((event.worker, event.pid))
        if event.mark == "start":
            run.starts.append(event)
        run.ended = run.ended or event.mark == "end"
        run.raised = run.raised or event.mark == "raise"
    return runs
