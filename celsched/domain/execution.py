"""Owns the words of an execution: states, causes, reasons, and the record; the store moves it, never this module."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from celsched.domain.policy import OnStoreOutage, Overlap, RetryPolicy


class State(StrEnum):
    """Where an execution is. Terminal states never change."""

    PENDING = "pending"
    """Recorded; to be published once due (unless it waits)."""
    QUEUED = "queued"
    """Handed to the broker."""
    RUNNING = "running"
    """Claimed by a worker."""
    RETRYING = "retrying"
    """A further attempt is due at `dispatch_at`."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Ended with an error, no attempt left."""
    TIMED_OUT = "timed_out"
    """Killed or stopped by a time limit, no attempt left."""
    CANCELLED = "cancelled"
    """Stopped by a person, or by overlap `cancel_running`."""
    LOST = "lost"
    """It was started, and its end was not recorded within the lease."""
    EXPIRED = "expired"
    """Not started before its start deadline."""
    SKIPPED = "skipped"
    """Born terminal: a policy said so; the reason tells which."""


TERMINAL = frozenset(
    {State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.CANCELLED, State.LOST, State.EXPIRED, State.SKIPPED}
)
LIVE = frozenset(State) - TERMINAL
CLAIMABLE = frozenset({State.PENDING, State.QUEUED, State.RETRYING})
FAILURES = frozenset({State.FAILED, State.TIMED_OUT, State.LOST})


class Cause(StrEnum):
    """Why an execution exists."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"
    RETRY = "retry"


class Reason(StrEnum):
    """Why a fire time made no execution, in the order in which they are tried."""

    PAUSED = "paused"
    DELETED = "deleted"
    TOO_LATE = "too_late"
    MISFIRE_SKIP = "misfire_skip"
    COALESCED = "coalesced"
    CATCH_UP_CAP = "catch_up_cap"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an execution was told to do, copied from the definitions when it was recorded; attempts use the copy."""

    task_path: str
    params: Mapping[str, Any]
    params_schema: Mapping[str, Any] | None
    queue_name: str
    priority: int
    max_retries: int
    retry: RetryPolicy
    retry_on_lost: int
    soft_time_limit: timedelta | None
    time_limit: timedelta | None
    start_deadline: timedelta | None
    on_store_outage: OnStoreOutage
    overlap: Overlap
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked for a manual execution or a change."""

    user: str
    host: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """One fire time, or one request of a person, and its fate. A range row of skips has `until` and `count` > 1."""

    id: int
    state: State
    cause: Cause
    task_id: int
    task: str
    schedule_id: int | None
    schedule: str | None
    revision: int
    fire_time: datetime | None
    until: datetime | None
    count: int
    reason: str | None
    request_id: str | None
    origin_id: int | None
    chain: str | None
    waits: bool
    attempt: int
    due_at: datetime
    dispatch_at: datetime
    deadline: datetime | None
    publishes: int
    celery_task_id: str | None
    claim_token: str | None
    worker: str | None
    host: str | None
    pid: int | None
    heartbeat: int
    cancel_requested: bool
    failures: int
    losses: int
    recipe: Recipe | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    attempt_started_at: datetime | None
    finished_at: datetime | None
    result: Any
    error: str | None
    progress_done: float | None
    progress_total: float | None
    progress_message: str | None
    requested_by: Requester | None

    @property
    def subject(self) -> str:
        """The name a person knows it by: its schedule, else its task."""
        return self.schedule or self.task

    @property
    def duration(self) -> timedelta | None:
        """From the start of the last attempt to the end; None while it has not ended or never started."""
        return self.finished_at - self.attempt_started_at if self.attempt_started_at and self.finished_at else None

    @property
    def lateness(self) -> timedelta | None:
        """From fire time + jitter (or the request) to the start of the first attempt; None while not started."""
        return self.started_at - self.due_at if self.started_at else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try inside an execution, counted from 1."""

    execution_id: int
    attempt: int
    state: State
    worker: str
    host: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    error_type: str | None
    error: str | None
    traceback: str | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of an attempt's log. `source` is the logger's name, `stdout` or `stderr`."""

    execution_id: int
    attempt: int
    seq: int
    at: datetime
    level: int
    source: str
    text: str
