"""Owns what a look at the store says of executions that wait or run, and of their queues. It judges nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LateStart:
    """Executions of one subject that should have started: how many, and the one that waits longest."""

    subject: str
    schedule_id: int | None
    task_id: int
    count: int
    oldest_id: int
    oldest_dispatch_at: datetime


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What waits and what runs."""

    late: Sequence[LateStart] = ()
