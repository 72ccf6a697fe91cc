"""Owns what the planning of messages reads and writes: alerts, marks on them, groups. It never decides or sends.

Each group is written under its version: of several watchers that plan at once, one queues the message.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Group, Member, Notice, Planned, plan_notices
from celsched.domain.silencing import Hush, Hushing
from celsched.store import silences
from celsched.store.batches import batches
from celsched.store.dialect import POSTGRESQL, SQLITE, unindexed
from celsched.store.notices import Message, enqueue
from celsched.store.tables import states
from celsched.store.tables_watch import LIVING, alerts, notice_groups


@dataclass(frozen=True, slots=True)
class Flapping:
    """When an alert flaps: it opened more than `opens` times `within` this time."""

    opens: int = 5
    within: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a look at alerts and groups calls for: marks that change, groups that change with their messages."""

    marks: Mapping[Hush, Sequence[int]] = field(default_factory=dict)
    planned: Sequence[Planned] = ()

    def __bool__(self) -> bool:
        return bool(self.marks or self.planned)


def draft(
    tx: Connection, channels: Sequence[Channel], flapping: Flapping, times: NoticeTimes, now: datetime
) -> Draft:
    """Look at alerts, silences and groups, and return what is to be written. It writes nothing itself."""
    groups = _groups(tx, [channel.name for channel in channels])
    told = sorted({member.alert for group in groups for member in group.members.values()})
    marked = _marked_alerts(tx, told, flapping, now)
    found = [alert for alert, _ in marked]
    hushing = Hushing(silences.active(tx, now), found, now)
    marks: dict[Hush, list[int]] = {}
    for alert, mark in marked:
        hush = hushing.of(alert)
        if not alert.over and hush != mark:
            marks.setdefault(hush, []).append(alert.id)
    return Draft(marks, plan_notices(channels, found, groups, hushing, times, now))


def carry_out(tx: Connection, wanted: Draft, word: Callable[[Notice], Message], now: datetime) -> int:
    """Write what a draft calls for, `word` giving each message its text; return how many messages were queued.

    A group that another planner has changed since is left to the next look.
    """
    for hush, ids in wanted.marks.items():
        for part in batches(ids):
            tx.execute(
                update(alerts)
                .where(alerts.c.id.in_(part), alerts.c.state != "resolved")
                .values(silence_id=hush.silence, muted_by=hush.muted_by)
            )
    queued = 0
    for planned in sorted(wanted.planned, key=lambda one: (one.group.channel, one.group.key)):
        if _save(tx, planned.group) and planned.notice is not None:
            queued += enqueue(tx, word(planned.notice), now)
    return queued


def mark(tx: Connection, now: datetime) -> None:
    """Write on every living alert what silences and mutes it now."""
    carry_out(tx, Draft(draft(tx, (), Flapping(), NoticeTimes(), now).marks), _no_message, now)


def _no_message(notice: Notice) -> Message:
    raise AssertionError("marks come with no message")


def _save(tx: Connection, group: Group) -> bool:
    values = {
        "version": group.version,
        "began_at": group.began_at,
        "sent_at": group.sent_at,
        "members": {key: _encoded(member) for key, member in group.members.items()},
    }
    if group.version == 1:
        dialect = SQLITE if tx.dialect.name == "sqlite" else POSTGRESQL
        made = dialect.insert(notice_groups).values(channel=group.channel, group_key=group.key, **values)
        statement = made.on_conflict_do_nothing()
    else:
        statement = (
            update(notice_groups)
            .where(
                notice_groups.c.channel == group.channel,
                notice_groups.c.group_key == group.key,
                notice_groups.c.version == group.version - 1,
            )
            .values(values)
        )
    return tx.execute(statement.returning(notice_groups.c.version)).first() is not None


def _encoded(member: Member) -> dict[str, Any]:
    found: dict[str, Any] = {"alert": member.alert, "severity": member.severity.value}
    return found | {"silenced": True} if member.silenced else found


def _groups(tx: Connection, channels: list[str]) -> list[Group]:
    rows = tx.execute(select(notice_groups).where(notice_groups.c.channel.in_(channels))) if channels else ()
    return [
        Group(
            channel=row.channel,
            key=row.group_key,
            version=row.version,
            began_at=row.began_at,
            sent_at=row.sent_at,
            members={
                key: Member(raw["alert"], Severity(raw["severity"]), raw.get("silenced", False))
                for key, raw in row.members.items()
            },
        )
        for row in rows
    ]


_COLUMNS = [
    alerts.c[name]
    for name in (
        *("id", "fingerprint", "kind", "severity", "state", "schedule_id", "subject", "summary", "details"),
        *("pending_since", "opened_at", "resolved_at", "acknowledged_at", "queue", "labels", "muted_by", "silence_id"),
    )
]
_EVIDENCE = ("execution", "fire_time", "last_success_at", "error", "command", "count", "runbook")


def _marked_alerts(tx: Connection, told: Sequence[int], flapping: Flapping, now: datetime) -> list[tuple[Alert, Hush]]:
    """Return every living alert, and those told ones that are resolved, each with its present mark."""
    query = select(*_COLUMNS, states.c.paused_at).join_from(
        alerts, states, alerts.c.schedule_id == states.c.schedule_id, isouter=True
    )
    rows = list(tx.execute(query.where(LIVING).order_by(unindexed(alerts.c.id))))
    living = {row.id for row in rows}
    for part in batches([number for number in told if number not in living]):
        rows += tx.execute(query.where(alerts.c.id.in_(part)).order_by(alerts.c.id))
    restless = _restless(tx, rows, flapping, now) if rows else set()
    return [(_alert(row, restless), Hush(row.silence_id, row.muted_by)) for row in rows]


def _restless(tx: Connection, rows: Iterable[Any], flapping: Flapping, now: datetime) -> set[str]:
    """Return the fingerprints that open too often, and those of which an alert says so."""
    after = now - flapping.within
    opens: dict[str, int] = {}
    query = select(alerts.c.fingerprint).where(alerts.c.resolved_at > after, alerts.c.opened_at > after)
    for fingerprint in tx.scalars(query):
        opens[fingerprint] = opens.get(fingerprint, 0) + 1
    said = f"{AlertKind.FLAPPING}:"
    found = set()
    for row in rows:
        if row.state == "open" and row.opened_at > after:
            opens[row.fingerprint] = opens.get(row.fingerprint, 0) + 1
        if row.state == "open" and row.kind == AlertKind.FLAPPING:
            found.add(row.fingerprint.removeprefix(said))
    often = {fingerprint for fingerprint, count in opens.items() if count > flapping.opens}
    return {fingerprint for fingerprint in found | often if not fingerprint.startswith(said)}


def _alert(row: Any, restless: set[str]) -> Alert:
    since = row.details.get("since")
    return Alert(
        id=row.id,
        fingerprint=row.fingerprint,
        kind=AlertKind(row.kind),
        severity=Severity(row.severity),
        open=row.state == "open",
        subject=row.subject,
        summary=row.summary,
        since=datetime.fromisoformat(since) if since else row.pending_since,
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
        schedule_id=row.schedule_id,
        queue=row.queue,
        labels=row.labels,
        evidence={name: row.details[name] for name in _EVIDENCE if row.details.get(name) is not None},
        acknowledged=row.acknowledged_at is not None,
        paused=row.paused_at is not None,
        flaps=row.fingerprint in restless,
    )
