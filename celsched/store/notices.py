"""Owns the queue of messages: what is to be sent, who sends it now, what became of it. It never sends.

A message stays until a channel accepted it, or for a day: whoever dies while sending leaves it to be sent again.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    TextClause,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import Severity
from celsched.domain.health.machine_facts import ChannelHealth
from celsched.domain.notices import PUSH_EVERY, Reason
from celsched.store.dialect import dialect_of, unindexed
from celsched.store.readable import UNREADABLE, readable
from celsched.store.tables_watch import TO_SEND, notice_groups, notifications
from celsched.store.types import Instant

PENDING, SENT, FAILED, STALE = "pending", "sent", "failed", "stale"
PUSH = "push"
"""The group of a channel that is pushed to: of its messages only the newest is worth sending."""
PING = "ping:"
"""What the channels of pings begin with."""
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=10), timedelta(minutes=10)
GIVE_UP = timedelta(hours=24)
_KEEP_ROUTINE = timedelta(hours=1)
_WINDOW = 200


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent through a channel. `incident` is its key for ever: who gets it twice can see that."""

    channel: str
    incident: str
    severity: Severity
    title: str
    body: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that the caller is to send now. `tries` counts this one, `failures` what was refused before."""

    id: int
    message: Message
    tries: int
    failures: int
    created_at: datetime


def enqueue(tx: Connection, message: Message, now: datetime) -> bool:
    """Queue a message; return False where one of this channel and incident was queued before."""
    dialect = dialect_of(tx)
    made = tx.execute(
        dialect.insert(notifications)
        .values(
            channel=message.channel,
            incident=message.incident,
            state=PENDING,
            severity=message.severity,
            title=message.title,
            body=message.body,
            details=dict(message.details),
            tries=0,
            failures=0,
            created_at=now,
            next_try_at=now,
        )
        .on_conflict_do_nothing()
        .returning(notifications.c.id)
    ).scalar_one_or_none()
    if made is not None and group_of(message.incident) == PUSH:
        pushes = and_(notifications.c.channel == message.channel, notifications.c.incident.startswith(f"{PUSH}#"))
        older = and_(pushes, notifications.c.id < made)
        tx.execute(update(notifications).where(older, TO_SEND).values(state=STALE))
        # Nobody needs what they held, and ten thousand alerts a minute are much.
        tx.execute(update(notifications).where(older, notifications.c.state != PENDING).values(details={}))
    return made is not None


def group_of(incident: str) -> str:
    """Return the group that an incident belongs to; messages of one group are sent in their order."""
    return incident.rpartition("#")[0]


def waiting(tx: Connection, channel: str) -> bool:
    """Return whether anything is still to be sent through the channel, now or later."""
    return tx.scalar(select(notifications.c.id).where(*_to_send(channel)).limit(1)) is not None


def drop_repeats(tx: Connection, channel: str, group: str) -> None:
    """Drop what only repeats and is still to be sent of this group: a newer message is about to say the same."""
    mine = notifications.c.incident.startswith(f"{group}#", autoescape=True)
    details = cast(notifications.c.details, Text)
    pending = tx.execute(select(notifications.c.id, details).where(*_to_send(channel), mine))
    old = [number for number, text in pending if _repeats(text)]
    if old:
        tx.execute(update(notifications).where(notifications.c.id.in_(old), TO_SEND).values(state=STALE))


def _repeats(text: str) -> bool:
    with suppress(*UNREADABLE):
        raw = json.loads(text)
        return isinstance(raw, dict) and raw.get("reason") == Reason.REPEAT
    return False


def _to_send(channel: str) -> tuple[TextClause | ColumnElement[bool], ...]:
    """Return what is still to be sent through a channel; by its index SQLite would read all that ever was."""
    return TO_SEND, unindexed(notifications.c.channel) == channel


def lease(tx: Connection, channel: str, now: datetime, hold: timedelta, gaps: list[Gap] | None = None) -> Leased | None:
    """Take the oldest message of the channel that is due; nobody else takes it for `hold`, unless it is settled before.

    One that failed does not hold up those of other groups, but the later ones of its own; one that cannot be read
    holds up none, and is added to `gaps`.
    """
    due_from = now + LONGEST_BACKOFF + hold  # further ahead than ever set: the clock was put back since
    blocked: set[str] = set()
    query = select(notifications).where(*_to_send(channel)).order_by(unindexed(notifications.c.id)).limit(_WINDOW)
    for row in readable(tx, query, notifications.c.id, "message", dict, gaps):
        group = group_of(row["incident"])
        if group in blocked:
            continue
        blocked.add(group)
        if (row["next_try_at"] <= now or row["next_try_at"] > due_from) and _take(tx, row, now + hold):
            return _leased(row)
    return None


def _take(tx: Connection, row: Any, until: datetime) -> bool:
    done = tx.execute(
        update(notifications)
        .where(
            notifications.c.id == row["id"],
            notifications.c.state == PENDING,
            notifications.c.tries == row["tries"],
            notifications.c.next_try_at == row["next_try_at"],
        )
        .values(tries=row["tries"] + 1, next_try_at=until)
    )
    return bool(done.rowcount == 1)


def _leased(row: Any) -> Leased:
    values = {name: row[name] for name in Message.__slots__}
    # Of a newer version, or edited by hand: its title and body tell it all the same.
    known = row["severity"] in {severity.value for severity in Severity}
    values["severity"] = Severity(row["severity"]) if known else Severity.CRITICAL
    values["details"] = row["details"] if isinstance(row["details"], Mapping) else {}
    message = Message(**values)
    return Leased(row["id"], message, row["tries"] + 1, row["failures"], row["created_at"])


def accepted(tx: Connection, leased: Leased, now: datetime) -> bool:
    """Record that the channel took it; return False where that was known."""
    done = tx.execute(
        update(notifications)
        .where(notifications.c.id == leased.id, notifications.c.state.in_((PENDING, STALE)))
        .values(state=SENT, sent_at=now, error=None)
    )
    return bool(done.rowcount == 1)


def refused(tx: Connection, leased: Leased, error: str, now: datetime) -> datetime | None:
    """Record that it was not taken; return when it is tried again, None where it is given up or not ours any more."""
    over = now - leased.created_at >= GIVE_UP
    after = now + min(FIRST_BACKOFF * 2 ** min(leased.failures, 16), LONGEST_BACKOFF)
    ours = and_(
        notifications.c.id == leased.id, notifications.c.state == PENDING, notifications.c.tries == leased.tries
    )
    done = tx.execute(
        update(notifications)
        .where(ours)
        .values(failures=leased.failures + 1, error=error, next_try_at=after, state=FAILED if over else PENDING)
    )
    return after if done.rowcount == 1 and not over else None


def channel_health(tx: Connection, channels: Collection[str] | None = None) -> list[ChannelHealth]:
    """Return each channel that ever had a message, or only these; in the order of their names."""
    names = channels if channels is not None else tx.scalars(select(notifications.c.channel).distinct()).all()
    found = (_health(tx, name) for name in sorted(names))
    return [one for one in found if one is not None]


def _health(tx: Connection, channel: str) -> ChannelHealth | None:
    n = notifications.c
    mine = n.channel == channel
    newest = select(n.id, n.sent_at).where(mine, n.state == SENT).order_by(n.id.desc()).limit(1)
    sent = tx.execute(newest).one_or_none()
    since = and_(mine, n.state != SENT, n.id > (sent.id if sent else 0))
    count = tx.scalar(select(func.sum(n.failures)).where(since))
    if sent is None and count is None:
        return None
    error = tx.scalar(select(n.error).where(since, n.error.is_not(None)).order_by(n.id.desc()).limit(1))
    return ChannelHealth(channel, int(count or 0), error, sent.sent_at if sent else None)


def forget(tx: Connection, before: datetime, now: datetime) -> int:
    """Remove messages that were settled and made before `before`; return how many.

    Pings and pushes go after an hour but for the newest of each channel, those given up after two days (they are
    counted for one). What is pending through a channel that nobody serves is given up after a day.
    """
    nobody = and_(TO_SEND, notifications.c.created_at < now - GIVE_UP - LONGEST_BACKOFF)
    tx.execute(
        update(notifications).where(nobody, notifications.c.next_try_at < now - LONGEST_BACKOFF).values(state=FAILED)
    )
    routine = or_(notifications.c.channel.startswith(PING), notifications.c.incident.startswith(f"{PUSH}#"))
    keep = case((notifications.c.state == FAILED, literal(now - 2 * GIVE_UP, Instant())),
                else_=literal(now - _KEEP_ROUTINE, Instant()))  # fmt: skip
    # The newest that a channel took stays: without it failures of long before would seem to be the last thing heard.
    taken = select(func.max(notifications.c.id)).where(notifications.c.state == SENT).group_by(notifications.c.channel)
    past = and_(routine, notifications.c.created_at < keep, notifications.c.id.not_in(taken))
    old = or_(notifications.c.created_at < before, past)
    gone = tx.execute(delete(notifications).where(notifications.c.state != PENDING, old)).rowcount
    tx.execute(
        delete(notice_groups).where(
            notice_groups.c.sent_at < min(before, now - PUSH_EVERY),
            func.length(cast(notice_groups.c.members, Text)) <= 2,
        )
    )
    return gone
