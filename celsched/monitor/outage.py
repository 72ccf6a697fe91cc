"""Owns the one alert that cannot go through the store while it lasts: that the store is away.

Its row opens when the store answers again and resolves when it surely does: between, it mutes what follows from it. It
never looks at the store itself. Two watchers cannot agree while it is away: each tells, and says from which machine.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from celsched.clock import Clock
from celsched.domain.alert import Alert
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.machine import STORE_ANSWERED
from celsched.domain.health.rules import Rule
from celsched.domain.notice_text import details_of, text_of
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import PUSH_EVERY, Channel, Notice, Reason
from celsched.notify import Outgoing


class Straight:
    """Messages to one channel that wait in memory; filled by the watcher's thread, emptied by the courier's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[tuple[str, Outgoing]] = []

    def put(self, message: Outgoing, about: str) -> None:
        """Add a message; one about the same that nobody has taken gives way to it."""
        with self._lock:
            self._messages = [one for one in self._messages if one[0] != about] + [(about, message)]

    def first(self) -> Outgoing | None:
        """Return the oldest, which stays until it is done."""
        with self._lock:
            return self._messages[0][1] if self._messages else None

    def done(self, message: Outgoing) -> None:
        """Remove what was accepted."""
        with self._lock:
            self._messages = [one for one in self._messages if one[1] is not message]


@dataclass(slots=True)
class _Seen:
    """An outage. `began` and the other seconds are monotonic; `told` are the channels that got its first message.

    `stored`: its row is open, and the store has not been away since.
    """

    since: datetime
    began: float
    reason: str = ""
    opened_at: datetime | None = None
    answers_since: float | None = None
    told: Sequence[tuple[Channel, Straight]] = ()
    repeats: int = 0
    repeated: float = 0.0
    pushed: float = 0.0
    stored: bool = False


class Outage:
    """Follows whether the store answers; tells the channels once it has been away for the hold of `store_down`.

    It is over once the store has answered for a while. `record` is handed the alert when the store answers again and
    when it is over, with the present, and may raise: a store that cannot take it is not back. The rest is in memory: a
    watcher that is stopped forgets its outage.
    `clock` must not ask the store. `rule` is that in force for `store_down`; `times` say when it is told again.
    """

    def __init__(
        self,
        clock: Clock,
        boxes: Sequence[tuple[Channel, Straight]],
        zone: ZoneInfo,
        *,
        rule: Rule,
        record: Callable[[Alert, datetime], object],
        times: NoticeTimes,
    ) -> None:
        self._clock = clock
        self._boxes = boxes
        self._zone = zone
        self._rule = rule
        self._record = record
        self._every = times.repeat(rule.severity or rule.kind.severity)
        self._host = socket.gethostname()
        self._seen: _Seen | None = None

    def failed(self, began: float, reason: str) -> None:
        """The store did not answer; `began` is when it was asked, on the monotonic clock."""
        moment = self._clock.monotonic()
        if self._seen is None:
            self._seen = _Seen(self._clock.now() - timedelta(seconds=moment - began), began)
        seen = self._seen
        seen.reason, seen.answers_since, seen.stored = reason, None, False
        if not self._rule.enabled or moment - seen.began < self._rule.hold.total_seconds():
            return
        if seen.opened_at is None:
            seen.opened_at = self._clock.now()
            alert = self._alert(seen)
            seen.told = [(channel, box) for channel, box in self._boxes if channel.wants(alert)]
            seen.repeated = seen.pushed = moment
            self._tell(seen, alert, Reason.FIRING, seen.told)
        else:
            self._repeat(seen, moment)
            self._push(seen, moment)

    def begins(self) -> None:
        """A look begins: what follows from the outage is muted before it is found; raise what `record` raises."""
        seen = self._seen
        if seen is not None and seen.opened_at is not None and not seen.stored:
            self._record(self._alert(seen, back=True), self._clock.now())
            seen.stored = True

    def answers(self) -> None:
        """The store answered a look; raise what `record` raises."""
        seen, moment = self._seen, self._clock.monotonic()
        if seen is None:
            return
        if seen.opened_at is None:
            self._seen = None
            return
        if seen.answers_since is None:
            seen.answers_since = moment
        if moment - seen.answers_since < STORE_ANSWERED.total_seconds():
            self._push(seen, moment)
            return
        now = self._clock.now()
        alert = self._alert(seen, now, back=True)
        self._record(alert, now)
        self._seen = None
        self._tell(seen, alert, Reason.RESOLVED, seen.told)

    def _repeat(self, seen: _Seen, moment: float) -> None:
        if self._every is None or moment - seen.repeated < self._every.total_seconds():
            return
        seen.repeated = moment
        seen.repeats += 1
        whom = [(channel, box) for channel, box in seen.told if not channel.pushes]
        self._tell(seen, self._alert(seen), Reason.REPEAT, whom)

    def _push(self, seen: _Seen, moment: float) -> None:
        if moment - seen.pushed < PUSH_EVERY.total_seconds():
            return
        seen.pushed = moment
        whom = [(channel, box) for channel, box in seen.told if channel.pushes]
        self._tell(seen, self._alert(seen), Reason.PUSH, whom)

    def _alert(self, seen: _Seen, resolved_at: datetime | None = None, *, back: bool = False) -> Alert:
        runbook = {} if self._rule.runbook is None else {"runbook": self._rule.runbook}
        could = "could not" if back else "cannot"
        return Alert(
            id=0,
            fingerprint=f"{AlertKind.STORE_DOWN}:host:{self._host}",
            kind=AlertKind.STORE_DOWN,
            severity=self._rule.severity or self._rule.kind.severity,
            open=resolved_at is None,
            subject="store",
            summary=f"the store {could} be reached from {self._host}: {seen.reason}",
            since=seen.since,
            opened_at=seen.opened_at,
            resolved_at=resolved_at,
            evidence={"command": "celsched doctor"} | runbook,
        )

    def _tell(self, seen: _Seen, alert: Alert, reason: Reason, whom: Sequence[tuple[Channel, Straight]]) -> None:
        word = "up" if alert.over else "down"
        about = f"{AlertKind.STORE_DOWN}#{self._host}.{seen.since.isoformat()}.{word}"
        incident = f"{about}.{seen.repeats}" if reason is Reason.REPEAT else about
        firing, over = ([], [alert]) if alert.over else ([alert], [])
        for channel, box in whom:
            notice = Notice(channel.name, alert.kind.value, incident, reason, firing, over)
            text = text_of(notice, self._clock.now(), self._zone)
            box.put(Outgoing(incident, notice.severity.value, text.title, text.body, details_of(notice)), about)
