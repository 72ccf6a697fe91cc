"""Owns the one alert that cannot go through the store: that the store is away. It never looks at the store itself.

Two watchers cannot agree while it is away: each tells, and says from which machine.
"""

import socket
import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from celsched.clock import Clock
from celsched.domain.alert import Alert
from celsched.domain.health.kinds import KINDS, AlertKind
from celsched.domain.notice_text import details_of, text_of
from celsched.domain.notices import PUSH_EVERY, Channel, Notice, Reason
from celsched.notify import Outgoing


class Straight:
    """Messages to one channel that wait in memory; filled by the watcher's thread, emptied by the courier's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[Outgoing] = []

    def put(self, message: Outgoing) -> None:
        """Add a message; one of the same incident gives way to it."""
        with self._lock:
            self._messages = [one for one in self._messages if one.incident != message.incident] + [message]

    def first(self) -> Outgoing | None:
        """Return the oldest, which stays until it is done."""
        with self._lock:
            return self._messages[0] if self._messages else None

    def done(self, message: Outgoing) -> None:
        """Remove what was accepted."""
        with self._lock:
            self._messages = [one for one in self._messages if one is not message]


class Outage:
    """Follows whether the store answers; tells the channels once it has been away for the hold of `store_down`.

    `clock` must not ask the store. `hold` is that of the rule in force, None where the kind is switched off.
    """

    def __init__(
        self, clock: Clock, boxes: list[tuple[Channel, Straight]], zone: ZoneInfo, *, hold: timedelta | None
    ) -> None:
        self._clock = clock
        self._boxes = boxes
        self._zone = zone
        self._hold = hold
        self._since: datetime | None = None
        self._began = 0.0
        self._told: list[tuple[Channel, Straight]] = []
        self._pushed = 0.0

    def failed(self, began: float, reason: str) -> None:
        """The store did not answer; `began` is when it was asked, on the monotonic clock."""
        moment = self._clock.monotonic()
        if self._since is None:
            self._began, self._since = began, self._clock.now() - timedelta(seconds=moment - began)
        if self._hold is None or moment - self._began < self._hold.total_seconds():
            return
        alert = self._alert(reason)
        if not self._told:
            self._told = [(channel, box) for channel, box in self._boxes if channel.wants(alert)]
            self._tell(alert, Reason.FIRING, self._told)
            self._pushed = moment
        elif moment - self._pushed >= PUSH_EVERY.total_seconds():
            self._tell(alert, Reason.PUSH, [(channel, box) for channel, box in self._told if channel.pushes])
            self._pushed = moment

    def answers(self) -> None:
        """The store answered."""
        if self._since is not None and self._told:
            self._tell(self._alert("it answers again", self._clock.now()), Reason.RESOLVED, self._told)
        self._since, self._told = None, []

    def _alert(self, reason: str, resolved_at: datetime | None = None) -> Alert:
        since = self._since or self._clock.now()
        return Alert(
            id=0,
            fingerprint=f"{AlertKind.STORE_DOWN}:{socket.gethostname()}",
            kind=AlertKind.STORE_DOWN,
            severity=KINDS[AlertKind.STORE_DOWN].severity,
            open=resolved_at is None,
            subject="store",
            summary=f"the store cannot be reached from {socket.gethostname()}: {reason}",
            since=since,
            opened_at=since,
            resolved_at=resolved_at,
            evidence={"command": "celsched doctor"},
        )

    def _tell(self, alert: Alert, reason: Reason, whom: list[tuple[Channel, Straight]]) -> None:
        assert self._since is not None
        word = "up" if alert.over else "down"
        incident = f"store_down#{socket.gethostname()}.{self._since.isoformat()}.{word}"
        firing, over = ([], [alert]) if alert.over else ([alert], [])
        for channel, box in whom:
            notice = Notice(channel.name, alert.kind.value, incident, reason, firing, over)
            text = text_of(notice, self._clock.now(), self._zone)
            box.put(Outgoing(incident, notice.severity.value, text.title, text.body, details_of(notice)))
