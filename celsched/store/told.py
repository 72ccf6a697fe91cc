"""Owns which of the queued messages told of one alert, and what became of them. It changes nothing, and sends nothing.

Pings tell of none. Of the pushes through a channel only the newest keeps what it told (see `notices`).
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, and_, case, cast, or_, select

from celsched.domain.notices import Reason
from celsched.store.notices import PENDING, PING, PUSH
from celsched.store.readable import UNREADABLE, readable
from celsched.store.tables_watch import notifications

LOOKED_AT = 500
"""So many of the newest messages are searched: no index leads from an alert to them."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A message that told of the alert. `reason` is the message's own, but `resolved` where it told that this is over.

    `next_try_at` is None unless it is still to be sent; `failures`: so many times it was not taken.
    """

    channel: str
    reason: str | None
    state: str
    failures: int
    created_at: datetime
    sent_at: datetime | None
    next_try_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """The messages that told of an alert, newest first. `more`: older ones, which were not looked at, may have too."""

    messages: tuple[Telling, ...] = ()
    more: bool = False


def told_of(tx: Connection, alert: int, since: datetime, most: int = LOOKED_AT) -> Told:
    """Return which of the `most` newest messages made at or after `since` told of the alert.

    A message of a thousand alerts and more lists only the first thousand; the others are not found.
    """
    n = notifications.c
    details = cast(n.details, Text)
    # What only looks like it is sorted out below; what does not is not sent over, for one may be large.
    mentions = or_(*(details.contains(f'"id":{space}{alert}') for space in ("", " ")))
    of_alerts = and_(~n.channel.startswith(PING), or_(~n.incident.startswith(f"{PUSH}#"), details != "{}"))
    plain = [n.id, n.channel, n.state, n.failures, n.created_at, n.sent_at, n.next_try_at, n.error]
    text = case((mentions, details), else_=None).label("details")
    query = select(*plain, text).where(of_alerts).order_by(n.id.desc()).limit(most + 1)
    rows = [row for row in readable(tx, query, n.id, "message", dict) if row["created_at"] >= since]
    found = (_telling(row, alert) for row in rows[:most])
    return Told(tuple(one for one in found if one is not None), len(rows) > most)


def _telling(row: Mapping[str, Any], alert: int) -> Telling | None:
    with suppress(*UNREADABLE):
        details = json.loads(row["details"])
        entry = next((one for one in details["alerts"] if one["id"] == alert), None)
        return None if entry is None else _made(row, details, entry)
    return None


def _made(row: Mapping[str, Any], details: Mapping[str, Any], entry: Mapping[str, Any]) -> Telling:
    reason = details.get("reason")
    if entry.get("status") == "resolved" and reason != Reason.PUSH:
        reason = Reason.RESOLVED.value
    return Telling(
        channel=row["channel"],
        reason=reason if isinstance(reason, str) else None,
        state=row["state"],
        failures=row["failures"],
        created_at=row["created_at"],
        sent_at=row["sent_at"],
        next_try_at=row["next_try_at"] if row["state"] == PENDING else None,
        error=row["error"],
    )
