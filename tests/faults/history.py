"""Owns the record of a fault run: what was planned, what the bodies wrote, what the store says, what was broken.

It decides nothing. All instants and lengths are whole microseconds, because a fire time is an identity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

SECOND = 1_000_000
MINUTE = 60 * SECOND

Mark = Literal["start", "alive", "end", "raise"]
"""What a body wrote: it began, still lives (also written by its grandchildren), returned, raises now."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule as it was applied, with its own calculation of fire times: nothing of celsched's is used for it."""

    name: str
    task: str
    kind: Literal["interval", "cron"]
    every: int
    """Of a cron: whole minutes, on multiples of them."""
    start: int
    end: int
    overlap: str = "skip"
    max_retries: int = 0
    retry_on_lost: int = 0
    fails: int = 0
    """How many of the first attempts raise."""
    delay: int = SECOND // 2
    """From the end of an attempt until the next one is due."""

    limit: int | None = None
    """The time limit of its task, which its body would by far exceed."""

    def fire_times(self) -> list[int]:
        """Return every fire time, both ends included."""
        first = self.start if self.kind == "interval" else -(-self.start // self.every) * self.every
        return list(range(first, self.end + 1, self.every))

    @property
    def most_starts(self) -> int:
        """How often one fire time may start at most."""
        return 1 + self.max_retries + self.retry_on_lost

    @property
    def stopped_on_outage(self) -> bool:
        """Whether its bodies are stopped while the store is away, because another copy could start meanwhile."""
        return self.retry_on_lost > 0 or self.overlap in ("skip", "queue_one")


@dataclass(frozen=True, slots=True)
class Event:
    """One line that a body wrote. `worker` is the pid of the worker's main process."""

    mark: Mark
    execution: int
    attempt: int
    schedule: str
    fire: int
    pid: int
    worker: int
    at: int


@dataclass(frozen=True, slots=True)
class Row:
    """One execution in the store at the end."""

    id: int
    schedule: str
    state: str
    reason: str | None
    fire: int
    until: int | None
    count: int
    attempt: int
    publishes: int
    created: int
    finished: int | None


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt in the store at the end. `worker` is the pid of the worker's main process."""

    execution: int
    attempt: int
    state: str
    pid: int
    worker: int
    started: int
    finished: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was broken, from the first harm until all was put right again.

    `pids` are the processes that were killed or stopped, with all that descended from them at that moment: those
    die with them. `kills`: their bodies may be lost by it. `frozen`: they were stopped for so long that section 4's
    exception holds. `stops`: they were stopped for a while, perhaps while they held locks that others need.
    `store`: nobody could write to the store meanwhile, or not for certain.
    """

    kind: str
    began: int
    ended: int
    kills: bool = False
    frozen: bool = False
    pids: frozenset[int] = frozenset()
    stops: bool = False
    store: bool = False
    part: bool = False
    """It belongs to another fault of the list, and does not count as one."""

    def touches(self, begin: int, end: int, after: int = 0) -> bool:
        """Whether it, and `after` more, lies somewhere in [begin, end]."""
        return self.began <= end and begin <= self.ended + after


@dataclass(frozen=True, slots=True)
class Limits:
    """What the run was set to, and what is allowed on top of it."""

    lease: int = 6 * SECOND
    heartbeat: int = 1 * SECOND
    republish: int = 2 * SECOND
    grace: int = 1 * SECOND
    healthy: int = 4 * SECOND
    """The latest start where nothing was broken; the p99 is judged apart (1 s)."""
    boot: int = 8 * SECOND
    """Until a process that was killed serves again, on a busy machine."""
    margin: int = 3 * SECOND
    record: int = 2 * SECOND
    """From the last sign of life of a body until its end is in the store, where nothing is broken."""
    patch: int = 2 * SECOND
    """Until a worker beats again once it can: a second's pause, a new connection, a beat."""
    clock: int = SECOND // 4
    """By how much the store's clock, as celsched reckons it, and the bodies' may differ."""


@dataclass(slots=True)
class History:
    """Everything that the checker judges. `findings`: what the run itself saw, as (kind, text)."""

    planned: Sequence[Planned]
    events: Sequence[Event] = ()
    rows: Sequence[Row] = ()
    tries: Sequence[Try] = ()
    faults: Sequence[Fault] = ()
    findings: list[tuple[str, str]] = field(default_factory=list)
    limits: Limits = Limits()
    least_faults: int = 0
    least_fires: int = 1
