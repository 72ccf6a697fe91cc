"""Owns what a look says of daemons, watchers, clocks and services. It judges nothing."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """Who was heard of, and when."""

    active_schedules: int = 0
    daemon_beat_at: datetime | None = None
    daemon_stopped_at: datetime | None = None
