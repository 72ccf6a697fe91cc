"""Owns the words of the policies and the retry policy; it never applies them (`plan` and `retry` do)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Misfire(StrEnum):
    """What becomes of fire times found due later than `misfire_after`."""

    RUN_LATEST = "run_latest"
    """One catch-up for the newest, unless a younger fire time is due too, which then stands for it."""
    RUN_ALL = "run_all"
    """The newest 100 of them, oldest first, one at a time."""
    SKIP = "skip"
    """None of them."""


class Overlap(StrEnum):
    """What a fire time does while an earlier execution of its schedule is active."""

    SKIP = "skip"
    """It is skipped."""
    ALLOW = "allow"
    """It runs beside the earlier one."""
    QUEUE_ONE = "queue_one"
    """It waits for the end of the earlier one; a further one is skipped."""
    CANCEL_RUNNING = "cancel_running"
    """The earlier one is cancelled; this one waits for its end."""


class OnStoreOutage(StrEnum):
    """What a worker does with a running body when the store stays silent for three quarters of a lease."""

    AUTO = "auto"
    """Kill where a second copy could be started meanwhile, else continue."""
    KILL = "kill"
    """Always kill."""
    CONTINUE = "continue"
    """Always let it run, and record the end when the store is back."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Back-off between attempts: `delay` x `factor`^n, at most `max_delay`; with `jitter` a random part of that."""

    delay: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    max_delay: timedelta = timedelta(minutes=10)
    jitter: bool = True
