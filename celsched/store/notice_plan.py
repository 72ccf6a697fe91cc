"""Owns what the planning of messages reads and writes: alerts, marks on them, groups. It never decides or sends.

Each group is written under its version: of several watchers that plan at once, one queues the message.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Text, cast, select, update

from celsched.domain.alert import Alert
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Group, Member, Planned, plan_notices
from celsched.domain.silencing import Hush, Hushing
from celsched.store import silences
from celsched.store.alert_rows import instant, sound, sound_evidence
from celsched.store.batches import batches
from celsched.store.dialect import dialect_of, unindexed
from celsched.store.notices import Message, drop_repeats, enqueue
from celsched.store.readable import UNREADABLE, NotTried, readable
from celsched.store.tables import states
from celsched.store.tables_watch import LIVING, alerts, notice_groups

_BEYOND = 2**63
"""No id of a row is as large: the databases refuse to look for it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a look at alerts and groups calls for: marks that change, groups that change with their messages."""

    marks: Mapping[Hush, Sequence[int]] = field(default_factory=dict)
    planned: Sequence[Planned] = ()

    def __bool__(self) -> bool:
        return bool(self.marks or self.planned)


def draft(
    tx: Connection,
    channels: Sequence[Channel],
    times: NoticeTimes,
    now: datetime,
    gaps: list[Gap] | None = None,
) -> Draft:
    """Look at alerts, silences and groups, and return what is to be written. It writes nothing itself.

    Of a group whose row cannot be read nothing is known: it is written anew, and what fires is told again, once.
    Silences that cannot be read are added to `gaps`.
    """
    groups, lost = _groups(tx, [channel.name for channel in channels])
    told = sorted({number for group in groups for number in _told(group)})
    marked = _marked_alerts(tx, told)
    found = [alert for alert, _ in marked]
    unread = _there(tx, set(told).difference(alert.id for alert in found))
    hushing = Hushing(silences.active(tx, now, gaps), found, now)
    marks: dict[Hush, list[int]] = {}
    for alert, mark in marked:
        hush = hushing.of(alert)
        if not alert.over and hush != mark:
            marks.setdefault(hush, []).append(alert.id)
    planned = plan_notices(channels, found, _beside([*groups, *lost], unread), hushing, times, now)
    changed = {(one.group.channel, one.group.key) for one in planned}
    anew = (group for group in lost if (group.channel, group.key) not in changed)
    mended = (replace(group, version=group.version + 1, began_at=now, sent_at=now) for group in anew)
    return Draft(marks, [*planned, *map(Planned, mended)])


@dataclass(frozen=True, slots=True)
class Letter:
    """A group's new state, with its message in words, if one is due. `repeats`: it tells nothing new."""

    group: Group
    message: Message | None = None
    repeats: bool = False


def carry_out(tx: Connection, marks: Mapping[Hush, Sequence[int]], letters: Iterable[Letter], now: datetime) -> int:
    """Write marks and groups and queue the messages; return how many.

    A group that another planner has changed since is left to the next look. What only repeats replaces a repeat that
    the channel has not taken, or one that comes back after a day would be told of it six times. Nothing is worded here:
    what fails while it is made must not take along what was written before it.
    """
    for hush, ids in marks.items():
        for part in batches(ids):
            tx.execute(
                update(alerts)
                .where(alerts.c.id.in_(part), alerts.c.state != "resolved")
                .values(silence_id=hush.silence, muted_by=hush.muted_by)
            )
    queued = 0
    for letter in sorted(letters, key=lambda one: (one.group.channel, one.group.key)):
        if not _save(tx, letter.group) or letter.message is None:
            continue
        if letter.repeats:
            drop_repeats(tx, letter.group.channel, letter.group.key)
        queued += enqueue(tx, letter.message, now)
    return queued


def mark(tx: Connection, now: datetime) -> None:
    """Write on every living alert what silences and mutes it now."""
    carry_out(tx, draft(tx, (), NoticeTimes(), now).marks, (), now)


def _save(tx: Connection, group: Group) -> bool:
    values = {
        "version": group.version,
        "began_at": group.began_at,
        "sent_at": group.sent_at,
        "members": {**group.strange, **{key: _encoded(member) for key, member in group.members.items()}},
    }
    if group.version == 1:
        dialect = dialect_of(tx)
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


def _groups(tx: Connection, channels: list[str]) -> tuple[list[Group], list[Group]]:
    """Return what was told of each group, with members that cannot be read as they are; and those that cannot be read
    at all, of which only the version is known.
    """
    if not channels:
        return [], []
    g, gaps = notice_groups.c, list[Gap]()
    members = cast(g.members, Text).label("told")
    name = (g.channel + "/" + g.group_key).label("name")
    query = select(g.channel, g.group_key, g.version, g.began_at, g.sent_at, members, name)
    found = readable(tx, query.where(g.channel.in_(channels)), name, "group of messages", _group, gaps)
    names = [gap.key for gap in gaps if not isinstance(gap.error, NotTried)]
    bare = select(g.channel, g.group_key, g.version)
    lost = [
        Group(channel, key, version)
        for part in batches(names)
        for channel, key, version in tx.execute(bare.where(g.channel.in_(channels), name.in_(part)))
    ]
    return found, lost


def _told(group: Group) -> Iterator[int]:
    """Yield the alerts that are members, by their ids."""
    yield from (member.alert for member in group.members.values())
    yield from (number for raw in group.strange.values() if (number := _alert_of(raw)) is not None)


def _beside(groups: Iterable[Group], unread: frozenset[int]) -> list[Group]:
    """Return groups that know what is unread; members that cannot be read, of alerts that can or are gone, are left
    out: of them nothing is known, and what is wrong still is told again.
    """
    return [
        replace(
            group,
            unread={key for key, member in group.members.items() if member.alert in unread},
            strange={key: raw for key, raw in group.strange.items() if _alert_of(raw) in unread},
        )
        for group in groups
    ]


def _group(row: RowMapping) -> Group:
    raw_members = dict(_raw_members(row["told"]))
    members = {key: member for key, raw in raw_members.items() if (member := _member(raw)) is not None}
    return Group(
        channel=row["channel"],
        key=row["group_key"],
        version=row["version"],
        began_at=row["began_at"],
        sent_at=row["sent_at"],
        members=members,
        strange={key: raw for key, raw in raw_members.items() if key not in members},
    )


def _raw_members(text: str) -> Iterable[tuple[str, Any]]:
    with suppress(*UNREADABLE):
        raw = json.loads(text)
        return raw.items() if isinstance(raw, dict) else ()
    return ()


def _alert_of(raw: Any) -> int | None:
    number = raw.get("alert") if isinstance(raw, Mapping) else None
    return number if isinstance(number, int) and abs(number) < _BEYOND else None


def _member(raw: Any) -> Member | None:
    with suppress(*UNREADABLE):
        return Member(int(raw["alert"]), Severity(raw["severity"]), bool(raw.get("silenced", False)))
    return None


_COLUMNS = [
    alerts.c[name]
    for name in (
        *("id", "fingerprint", "kind", "severity", "state", "schedule_id", "subject", "summary", "details"),
        *("pending_since", "opened_at", "resolved_at", "acknowledged_at", "queue", "labels", "muted_by", "silence_id"),
    )
]


def _marked_alerts(tx: Connection, told: Sequence[int]) -> list[tuple[Alert, Hush]]:
    """Return every living alert, and those told ones that are resolved, each with its present mark."""
    query = select(*_COLUMNS, states.c.paused_at).join_from(
        alerts, states, alerts.c.schedule_id == states.c.schedule_id, isouter=True
    )
    found = _readable(tx, query.where(LIVING).order_by(unindexed(alerts.c.id)))
    living = {alert.id for alert, _ in found}
    for part in batches([number for number in told if number not in living]):
        found += _readable(tx, query.where(alerts.c.id.in_(part)).order_by(alerts.c.id))
    restless = _restless(alert for alert, _ in found)
    return [(replace(alert, flaps=True) if alert.fingerprint in restless else alert, mark) for alert, mark in found]


def _there(tx: Connection, ids: Iterable[int]) -> frozenset[int]:
    """Return those of these alerts that have a row, whatever is in it."""
    found: set[int] = set()
    for part in batches(ids):
        found.update(tx.scalars(select(alerts.c.id).where(alerts.c.id.in_(part))))
    return frozenset(found)


def _readable(tx: Connection, query: Select[Any]) -> list[tuple[Alert, Hush]]:
    return readable(tx, query, alerts.c.id, "alert", _marked)


def _restless(present: Iterable[Alert]) -> set[str]:
    """Return the fingerprints of which an open alert says that they flap: what nothing speaks for is told each time."""
    said = f"{AlertKind.FLAPPING}:"
    flapping = (alert for alert in present if alert.open and alert.kind is AlertKind.FLAPPING)
    return {alert.fingerprint.removeprefix(said) for alert in flapping}


def _marked(row: RowMapping) -> tuple[Alert, Hush]:
    values, is_open = sound(row), row["state"] == "open"
    alert = Alert(
        id=values["id"],
        fingerprint=values["fingerprint"],
        kind=values["kind"],
        severity=values["severity"],
        open=is_open,
        subject=values["subject"],
        summary=values["summary"],
        since=instant(values["details"].get("since")) or values["pending_since"],
        # An open one without it would never be told.
        opened_at=values["opened_at"] or (values["pending_since"] if is_open else None),
        resolved_at=values["resolved_at"],
        schedule_id=values["schedule_id"],
        queue=values["queue"],
        labels=values["labels"],
        evidence=sound_evidence(values["details"]),
        acknowledged=values["acknowledged_at"] is not None,
        paused=values["paused_at"] is not None,
    )
    return alert, Hush(values["silence_id"], values["muted_by"])
