"""Owns alerts and a tireless planner for tests of messages. It never sends anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import KINDS, AlertKind
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Group, Notice, plan_notices
from celsched.domain.silencing import Hushing, Silence

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(**length: float) -> datetime:
    """Return the instant so long after noon."""
    return NOON + timedelta(**length)


def make_alert(number: int = 1, kind: AlertKind = AlertKind.MISSED, **values: Any) -> Alert:
    """Return an open alert about schedule `number`, opened at noon unless said otherwise."""
    given: dict[str, Any] = {
        "id": number,
        "fingerprint": f"{kind}:schedule:{number}",
        "kind": kind,
        "severity": KINDS[kind].severity,
        "open": values.get("resolved_at") is None,
        "subject": f"شب{number}",
        "summary": f"{kind} of 'شب{number}'",
        "since": values.get("opened_at", NOON),
        "opened_at": NOON,
    }
    return Alert(**(given | values))


@dataclass
class Planner:
    """Plans again and again for one channel, and keeps what it was told and what it would have sent."""

    channel: Channel = field(default_factory=lambda: Channel("mail"))
    times: NoticeTimes = field(default_factory=NoticeTimes)
    groups: dict[str, Group] = field(default_factory=dict)
    notices: list[tuple[datetime, Notice]] = field(default_factory=list)

    def look(self, now: datetime, *alerts: Alert, silences: Sequence[Silence] = ()) -> Notice | None:
        """Plan at this moment and return the message, of which there may be one at most."""
        found = self.look_at_all(now, alerts, silences)
        assert len(found) <= 1, found
        return found[0] if found else None

    def look_at_all(self, now: datetime, alerts: Sequence[Alert], silences: Sequence[Silence] = ()) -> list[Notice]:
        """Plan at this moment and return every message."""
        hushing = Hushing(silences, alerts, now)
        planned = plan_notices([self.channel], alerts, self.groups.values(), hushing, self.times, now)
        for one in planned:
            before = self.groups.get(one.group.key)
            assert one.group.version == (before.version if before else 0) + 1
            self.groups[one.group.key] = one.group
        found = [one.notice for one in planned if one.notice is not None]
        self.notices += [(now, notice) for notice in found]
        return found


def fingerprints(alerts: Sequence[Alert] | Mapping[str, Any]) -> set[str]:
    """Return what alerts are about."""
    return {alert.fingerprint for alert in alerts if isinstance(alert, Alert)}
