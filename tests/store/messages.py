"""Owns alerts and messages for tests of this ring, opened and queued the way the watcher does. It judges nothing."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import KINDS, AlertKind, Severity
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Notice, Reason
from celsched.store import alerts, notice_plan, notices
from celsched.store.notices import Leased, Message
from celsched.store.store import Store
from tests.support.stores import START

MAIL = Channel("mail")
STANDARD = NoticeTimes()


def find(kind: AlertKind = AlertKind.MISSED, scope: str = "schedule:1", **values: Any) -> Finding:
    """Return a finding about something with a Persian name."""
    summary = f"{kind} of 'گزارش شب'"
    given: dict[str, Any] = {
        "severity": KINDS[kind].severity,
        "subject": "گزارش شب",
        "summary": summary,
        "since": START,
    }
    given |= values
    return Finding(kind, scope, **{"evidence": Evidence(execution=7, error="خطا"), **given})


def settle(store: Store, *findings: Finding) -> alerts.Flips:
    """Let exactly these be wrong now."""
    now = store.clock.now()
    seen = store.read(alerts.known)
    return store.write(lambda tx: alerts.settle(tx, findings, seen, now))


def word(notice: Notice) -> Message:
    """Return a message with a short text about a notice."""
    about = sorted(alert.fingerprint for alert in notice.firing or notice.over)
    details = {"about": about, "reason": notice.reason.value}
    return Message(notice.channel, notice.incident, notice.severity, notice.reason.value, "پیام", details)


def plan(store: Store, channels: Sequence[Channel] = (MAIL,), times: NoticeTimes = STANDARD) -> int:
    """Plan once; return how many messages were queued."""
    now = store.clock.now()
    draft = store.read(lambda tx: notice_plan.draft(tx, channels, times, now))
    return store.write(lambda tx: notice_plan.carry_out(tx, draft.marks, letters(draft), now))


def letters(draft: notice_plan.Draft) -> list[notice_plan.Letter]:
    """Return the groups of a draft with their messages."""
    return [
        notice_plan.Letter(one.group, word(one.notice), one.notice.reason is Reason.REPEAT)
        if one.notice is not None
        else notice_plan.Letter(one.group)
        for one in draft.planned
    ]


def message(incident: str = "missed#1.1", channel: str = "mail") -> Message:
    """Return a message that nobody planned."""
    return Message(channel, incident, Severity.WARNING, "عنوان", "متن", {"n": 1})


def queue(store: Store, *messages: Message) -> list[bool]:
    """Queue messages now; return which of them are new."""
    now = store.clock.now()
    return store.write(lambda tx: [notices.enqueue(tx, one, now) for one in messages])


def lease(store: Store, channel: str = "mail", seconds: float = 30) -> Leased | None:
    """Take a message that is due now."""
    now = store.clock.now()
    return store.write(lambda tx: notices.lease(tx, channel, now, timedelta(seconds=seconds)))
