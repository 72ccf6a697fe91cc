"""Owns what a look at the store says of executions that wait, run or just succeeded. It judges nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.domain.execution import State
from celsched.domain.health.machine_facts import Seen

USUAL = 50
"""So many of a schedule's last successes, and of its last starts, say what is usual."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Executions that are due and have not started: of one subject, queue and state, all first attempts or none.

    `due_at` is that of `oldest`, which waits longest. `sent_at`: when the message of `first_sent` was sent;
    `start_deadline`: of that one, or None.
    """

    subject: str
    schedule_id: int | None
    task_id: int
    queue: str
    state: State
    retries: bool
    count: int
    oldest: int
    due_at: datetime
    fire_time: datetime | None = None
    first_sent: int | None = None
    sent_at: datetime | None = None
    start_deadline: timedelta | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt that runs. `beats`: how often its worker has reported it; `silent`: for how long it has not."""

    execution: int
    subject: str
    schedule_id: int | None
    task_id: int
    token: str
    worker: str
    beats: int
    started_at: datetime
    fire_time: datetime | None = None
    soft_limit: timedelta | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    silent: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Success:
    """An execution that succeeded; `took`: how long its last attempt ran."""

    execution: int
    ended_at: datetime
    took: timedelta
    fire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """How a queue was at a moment: how many waited in it, and for how long the oldest."""

    depth: int
    age: timedelta


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What waits, runs and has just succeeded.

    `fresh`: by schedule, its newest success since the last look; `history`: by schedule, its last successes, newest
    first, of those schedules for which `needs_history` asked; `waits`: by schedule, for how long the messages of its
    last runs lay in their queue, of those for which `needs_waits` asked. `one_queue`: all queues are served through
    this one. `samples`: of each queue in which something waits, the last ones, oldest first.
    """

    waiting: Sequence[Waiting] = ()
    running: Sequence[Run] = ()
    fresh: Mapping[int, Success] = field(default_factory=dict)
    history: Mapping[int, Sequence[Success]] = field(default_factory=dict)
    waits: Mapping[int, Sequence[timedelta]] = field(default_factory=dict)
    workers: Sequence[Seen] = ()
    one_queue: str | None = None
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
