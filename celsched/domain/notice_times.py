"""Owns how long messages wait and when what still fires is told again. It never decides which message is due."""

from dataclasses import dataclass
from datetime import timedelta

from celsched.domain.health.kinds import Severity


@dataclass(frozen=True, slots=True)
class NoticeTimes:
    """The lengths of time that the planning of messages goes by, for every channel but those that forget."""

    group_wait: timedelta = timedelta(seconds=30)
    """How long a new group waits for more of its kind; what clears before is never sent."""
    group_interval: timedelta = timedelta(minutes=5)
    """How long a group that was told of waits before its news, or its end, is told."""
    repeat_critical: timedelta = timedelta(hours=4)
    repeat_warning: timedelta = timedelta(hours=24)

    def repeat(self, severity: Severity) -> timedelta | None:
        """Return after how long what still fires is told again; None: never."""
        return {Severity.CRITICAL: self.repeat_critical, Severity.WARNING: self.repeat_warning}.get(severity)
