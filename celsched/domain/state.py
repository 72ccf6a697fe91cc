"""Owns the record of what has happened to a schedule so far; it never holds what people wrote (`definition` does)."""

from dataclasses import dataclass
from datetime import datetime

FAILURE_RULE = "(pause_after_failures)"
"""How the reason of a pause ends that the failure rule made."""


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """The ledger's pencil of one schedule.

    Every fire time up to and including `cursor` is decided; `wake_at` is when a daemon must look next (the next fire
    time, or the end of a pause), None where nothing is to come. `base` is the first fire time of an interval.
    `active_since`: from when on it makes fire times by its present rule without interruption; None while it rests (and
    of one that an older version wrote).
    """

    schedule_id: int
    revision: int
    base: datetime
    cursor: datetime
    next_fire_time: datetime | None
    wake_at: datetime | None
    runs: int = 0
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    pause_reason: str | None = None
    paused_by: str | None = None
    last_fire_time: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    success_streak: int = 0
    failure_streak: int = 0
    error: str | None = None
    purged_until: datetime | None = None
    active_since: datetime | None = None

    @property
    def paused_by_rule(self) -> bool:
        """Whether it was the failure rule."""
        return self.paused and (self.pause_reason or "").endswith(FAILURE_RULE)

    @property
    def paused(self) -> bool:
        """Whether a person or a failure rule paused it."""
        return self.paused_at is not None
