"""Decides which messages are due: a pure function of what was last sent, what fires now, and the time.

It never sends. Alerts are told in groups, per channel: by kind, and by the set label or the queue.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import KINDS, AlertKind, Severity
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.silencing import Hush, Hushing

PUSH_EVERY = timedelta(seconds=60)
"""How often a channel that forgets (Alertmanager) is told what fires."""
_AHEAD = timedelta(minutes=1)
"""What was written further in the future than this was written before the clock was set back: it is long past."""
SET = "set"
"""The label that groups before the queue does."""


class Reason(StrEnum):
    """Why a message is sent."""

    FIRING = "firing"
    """Something fires that this channel was not told of, or whose silence has ended."""
    RAISED = "raised"
    """Nothing new, but something is worse than was told."""
    REPEAT = "repeat"
    RESOLVED = "resolved"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Channel:
    """Who is told, and of what: severities, kinds (none: all), labels that an alert must carry.

    `pushes`: it is told at once and again and again of everything that fires, and groups by itself.
    """

    name: str
    severities: frozenset[Severity] = frozenset(Severity)
    kinds: frozenset[AlertKind] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    pushes: bool = False

    def takes(self, kind: AlertKind) -> bool:
        """Return whether it is told of this kind at all."""
        return not self.kinds or kind in self.kinds

    def wants(self, alert: Alert) -> bool:
        """Return whether it is told of this alert; of its own failing another channel must tell."""
        return (
            alert.severity in self.severities
            and self.takes(alert.kind)
            and all(alert.labels.get(name) == value for name, value in self.labels.items())
            and not (alert.kind is AlertKind.CHANNEL_FAILING and alert.subject == self.name)
        )


@dataclass(frozen=True, slots=True)
class Member:
    """An alert that a channel was told of as firing, at which severity, and whether a silence has covered it since."""

    alert: int
    severity: Severity
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """What a channel was last told of a group. `version` counts its changes, 0 where nothing is stored yet.

    `unread`: members whose alert is there but beyond this version; they stay as they are, or a watcher that can read it
    would tell it anew. `strange`: likewise of those where the member itself is, as it is stored.
    """

    channel: str
    key: str
    version: int = 0
    began_at: datetime | None = None
    sent_at: datetime | None = None
    members: Mapping[str, Member] = field(default_factory=dict)
    unread: Collection[str] = ()
    strange: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that is due. `fresh` are the fingerprints, among `firing`, that are news; `incident` is its key.

    `over`: what was told as firing and has resolved since.
    """

    channel: str
    group: str
    incident: str
    reason: Reason
    firing: Sequence[Alert]
    over: Sequence[Alert] = ()
    fresh: frozenset[str] = frozenset()

    @property
    def severity(self) -> Severity:
        """The worst of what it tells."""
        return max((alert.severity for alert in self.firing or self.over), key=lambda severity: severity.rank)


@dataclass(frozen=True, slots=True)
class Planned:
    """A group's new state, and the message that goes with it, if any."""

    group: Group
    notice: Notice | None = None


def group_key(alert: Alert) -> str:
    """Return the group of an alert: its kind, with the set label or else the queue.

    What is only information of a kind that is not is told apart: it must not fill a message about what is critical,
    nor make the next one wait.
    """
    informs = alert.severity is Severity.INFO and KINDS[alert.kind].severity is not Severity.INFO
    name = f"{alert.kind}:{alert.severity}" if informs else alert.kind.value
    if SET in alert.labels:
        return f"{name}/set={alert.labels[SET]}"
    return f"{name}/queue={alert.queue}" if alert.queue is not None else name


def plan_notices(
    channels: Iterable[Channel],
    alerts: Sequence[Alert],
    sent: Iterable[Group],
    hushing: Hushing,
    times: NoticeTimes,
    now: datetime,
) -> list[Planned]:
    """Return every group that changes, with its message where one is due.

    `alerts`: all that are open, and the resolved ones that are members of a group in `sent`; of one fingerprint that is
    open again only the open one counts. Groups of channels that are no more are left alone. An outage of the store is
    told by the watcher that meets it, which cannot wait until its alert can be stored.
    """
    alerts = [alert for alert in alerts if alert.kind is not AlertKind.STORE_DOWN]
    hushes = {alert.id: hushing.of(alert) for alert in alerts}
    told: dict[str, dict[str, Group]] = {}
    for group in sent:
        told.setdefault(group.channel, {})[group.key] = group
    return [
        planned
        for channel in channels
        for group, members in _grouped(channel, alerts, told.get(channel.name, {}))
        if (planned := _plan(channel, group, members, hushes, times, now)) is not None
    ]


def _grouped(
    channel: Channel, alerts: Sequence[Alert], told: Mapping[str, Group]
) -> Iterable[tuple[Group, list[Alert]]]:
    """Yield each group of the channel with its alerts; one that was told stays in the group where it was told."""
    home = {
        (fingerprint, member.alert): group.key
        for group in told.values()
        for fingerprint, member in group.members.items()
    }
    found: dict[str, list[Alert]] = {key: [] for key in told}
    for alert in alerts:
        key = home.get((alert.fingerprint, alert.id))
        if key is None and alert.open and channel.wants(alert):
            key = "push" if channel.pushes else group_key(alert)
        if key is not None and (alert.open or alert.over):
            found.setdefault(key, []).append(alert)
    for key in sorted(found):
        yield told.get(key, Group(channel.name, key)), found[key]


@dataclass(frozen=True, slots=True)
class _Present:
    """How a group stands: what may be told as firing, what of it is news, which told members are over."""

    firing: Sequence[Alert]
    news: Sequence[Alert]
    over: Sequence[Alert]
    quiet: Mapping[str, Member]
    """Told members about which nothing may be said now; they stay as they are."""
    unread: Mapping[str, Member]
    """Told members whose alert cannot be read; nothing is known of them, and they stay as they are."""


def _present(group: Group, alerts: Sequence[Alert], hushes: Mapping[int, Hush]) -> _Present:
    again = {alert.fingerprint for alert in alerts if alert.open}
    firing: list[Alert] = []
    over: list[Alert] = []
    quiet: dict[str, Member] = {}
    for alert in sorted(alerts, key=lambda one: (-one.severity.rank, one.opened_at or one.since, one.id)):
        if alert.over and alert.fingerprint in again:
            continue
        member, hush = group.members.get(alert.fingerprint), hushes[alert.id]
        if hush or alert.flaps:
            if member is not None:
                silenced = member.silenced or (alert.open and hush.silence is not None)
                quiet[alert.fingerprint] = replace(member, silenced=silenced)
        elif alert.open:
            firing.append(alert)
        else:
            over.append(alert)
    lost = {key: member for key, member in group.members.items() if key in group.unread}
    return _Present(firing, [alert for alert in firing if _is_news(alert, group)], over, quiet, lost)


def _is_news(alert: Alert, group: Group) -> bool:
    member = group.members.get(alert.fingerprint)
    if member is None or member.alert != alert.id or member.silenced:
        return True
    return alert.severity.rank > member.severity.rank


def _plan(
    channel: Channel,
    group: Group,
    alerts: Sequence[Alert],
    hushes: Mapping[int, Hush],
    times: NoticeTimes,
    now: datetime,
) -> Planned | None:
    present = _present(group, alerts, hushes)
    reason = _pushed(group, present, now) if channel.pushes else _reason(group, present, times, now)
    if reason is not None:
        return _told(group, present, reason, now)
    known = {alert.fingerprint for alert in (*present.firing, *present.over)}
    known |= present.quiet.keys() | present.unread.keys()
    kept = {key: present.quiet.get(key, member) for key, member in group.members.items() if key in known}
    sent_at = group.sent_at
    if sent_at is not None and sent_at > now + _AHEAD:
        # Before the clock was set back. News need not wait for it, and what is repeated would else never be.
        sent_at = now - times.group_interval
    if kept == group.members and sent_at == group.sent_at:
        return None
    began_at = group.began_at or now
    return Planned(replace(group, version=group.version + 1, began_at=began_at, sent_at=sent_at, members=kept))


def _reason(group: Group, present: _Present, times: NoticeTimes, now: datetime) -> Reason | None:
    """Return why a message is due now, if one is."""
    if present.news:
        if group.members:
            due = _over(group.sent_at, times.group_interval, now)
        else:
            due = any(_over(alert.opened_at, times.group_wait, now) for alert in present.news)
        raised = all(_only_worse(alert, group) for alert in present.news)
        return (Reason.RAISED if raised else Reason.FIRING) if due else None
    if present.firing:
        nagging = {alert.severity for alert in present.firing if not alert.acknowledged}
        every = min((length for severity in nagging if (length := times.repeat(severity)) is not None), default=None)
        return Reason.REPEAT if every is not None and (group.sent_at or now) + every <= now else None
    if present.over and _over(group.sent_at, times.group_interval, now):
        return Reason.RESOLVED
    return None


def _over(since: datetime | None, length: timedelta, now: datetime) -> bool:
    """Whether so much has passed; what is told again and again waits instead: once too often is a nuisance."""
    return since is not None and (since + length <= now or since > now + _AHEAD)


def _only_worse(alert: Alert, group: Group) -> bool:
    member = group.members.get(alert.fingerprint)
    return member is not None and member.alert == alert.id and not member.silenced


def _pushed(group: Group, present: _Present, now: datetime) -> Reason | None:
    wanted = {**present.unread, **{alert.fingerprint: Member(alert.id, alert.severity) for alert in present.firing}}
    changed = wanted != group.members
    # Whoever cannot read all of it lets the one go first that can, or that one would never be due.
    every = 2 * PUSH_EVERY if present.unread else PUSH_EVERY
    stale = bool(present.firing) and (group.sent_at is None or _over(group.sent_at, every, now))
    return Reason.PUSH if changed or stale else None


def _told(group: Group, present: _Present, reason: Reason, now: datetime) -> Planned:
    members = {**present.unread, **{alert.fingerprint: Member(alert.id, alert.severity) for alert in present.firing}}
    if reason is not Reason.PUSH:
        members |= present.quiet
    after = replace(
        group,
        version=group.version + 1,
        began_at=now if group.began_at is None or not group.members else group.began_at,
        sent_at=now,
        members=members,
    )
    if not present.firing and not present.over:
        return Planned(after)
    newest = max(alert.id for alert in (*present.firing, *present.over))
    fresh = frozenset(alert.fingerprint for alert in present.news)
    firing = [*present.news, *(alert for alert in present.firing if alert.fingerprint not in fresh)]
    incident = f"{group.key}#{after.version}.{newest}"
    return Planned(after, Notice(group.channel, group.key, incident, reason, firing, present.over, fresh))
