"""Owns the words of messages: title and body. It never decides whether one is sent, nor through what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from celsched.domain.alert import Alert
from celsched.domain.health.finding import span
from celsched.domain.notices import Notice, Reason

LISTED = 10
"""How many members of a group a message lists; the rest is counted."""
_LISTED_FOR_PROGRAMS = 1000
_PUSHED = 20_000
"""What a push leaves out counts as over on the other side, so it leaves out nothing that there may be."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message for people."""

    title: str
    body: str


def text_of(notice: Notice, now: datetime, zone: ZoneInfo) -> Text:
    """Return what a message says; times are those of `zone`, with their offset."""
    words = _Words(now, zone)
    if not notice.firing:
        lines = words.resolved(notice)
    elif len(notice.firing) == 1:
        lines = words.single(notice.firing[0])
    else:
        lines = words.many(notice)
    if notice.firing and notice.over:
        lines = [*lines, "", *words.also_over(notice)]
    return Text(_title(notice), "\n".join(lines))


def _title(notice: Notice) -> str:
    about = notice.firing or notice.over
    word = "resolved" if not notice.firing else notice.severity.value
    still = "still " if notice.reason is Reason.REPEAT else "worse: " if notice.reason is Reason.RAISED else ""
    if len(about) == 1:
        return f'[{word}] {still}{about[0].kind}: "{about[0].subject}"'
    return f"[{word}] {still}{len(about)} {about[0].kind}{_scope(notice)}"


def _scope(notice: Notice) -> str:
    _, _, place = notice.group.partition("/")
    name, _, value = place.partition("=")
    return f' on {name} "{value}"' if value else ""


@dataclass(frozen=True, slots=True)
class _Words:
    now: datetime
    zone: ZoneInfo

    def single(self, alert: Alert) -> list[str]:
        """Everything that is known of one alert."""
        lines = [alert.summary, "", f"since: {self.time(alert.since)} ({span(self.now - alert.since)})"]
        return [*lines, *self.known(alert), *_links(alert)]

    def known(self, alert: Alert) -> list[str]:
        """What there is to know besides: its fire time, the last good run, the last line of the error."""
        found, lines = alert.evidence, []
        if found.get("fire_time"):
            lines.append(f"fire time: {self.stored(found['fire_time'])}")
        if found.get("last_success_at"):
            lines.append(f"last good run: {self.stored(found['last_success_at'])}")
        elif alert.schedule_id is not None:
            lines.append("last good run: none yet")
        if found.get("error"):
            lines.append(f"error: {found['error']}")
        return lines

    def stored(self, text: object) -> str:
        """An instant of the evidence."""
        return self.time(datetime.fromisoformat(str(text)))

    def many(self, notice: Notice) -> list[str]:
        """One line for each of the first members, news first, and how many more there are."""
        fresh = sum(alert.fingerprint in notice.fresh for alert in notice.firing)
        of_which = f", {fresh} of them new" if 0 < fresh < len(notice.firing) else ""
        lines = [f"{len(notice.firing)} alerts of kind {notice.firing[0].kind}{_scope(notice)}{of_which}:", ""]
        lines += [
            "; ".join([f"- {alert.summary}", f"since {self.time(alert.since)}", *self.more(alert), *_links(alert)])
            for alert in notice.firing[:LISTED]
        ]
        return lines + self.rest(len(notice.firing))

    def more(self, alert: Alert) -> list[str]:
        """What the line of a group's member tells besides its summary, which may have the error in it."""
        told = f"error: {alert.evidence.get('error')}"
        in_summary = str(alert.evidence.get("error")) in alert.summary
        return [line for line in self.known(alert) if line != told or not in_summary]

    def resolved(self, notice: Notice) -> list[str]:
        """What is over, and for how long it lasted."""
        if len(notice.over) > 1:
            return [f"{len(notice.over)} alerts are over:", "", *self.ended(notice)]
        alert = notice.over[0]
        return [f"over: {alert.summary}", "", self.length(alert), f"next: {_command(alert)}"]

    def also_over(self, notice: Notice) -> list[str]:
        """What ended since the last message while others go on."""
        return ["over since the last message:", *self.ended(notice)]

    def ended(self, notice: Notice) -> list[str]:
        """One line for each of the first that ended."""
        lines = [f'- "{alert.subject}": {self.length(alert)}' for alert in notice.over[:LISTED]]
        return lines + self.rest(len(notice.over))

    def length(self, alert: Alert) -> str:
        """From when to when it lasted, and for how long."""
        end = alert.resolved_at or self.now
        begin = min(alert.since, end)
        return f"it lasted {span(end - begin)}, from {self.time(begin)} to {self.time(end)}"

    def rest(self, count: int) -> list[str]:
        """How many are not listed."""
        return [f"- and {count - LISTED} more: celsched alerts"] if count > LISTED else []

    def time(self, instant: datetime) -> str:
        """An instant in the zone, with its offset."""
        return f"{instant.astimezone(self.zone):%Y-%m-%d %H:%M:%S %z}"


def _links(alert: Alert) -> list[str]:
    """What to do: the next command, and the runbook where somebody gave one."""
    runbook = alert.evidence.get("runbook")
    return [f"next: {_command(alert)}", *([f"runbook: {runbook}"] if runbook else [])]


def _command(alert: Alert) -> str:
    return str(alert.evidence.get("command") or f"celsched show alert {alert.id}")


def details_of(notice: Notice) -> dict[str, Any]:
    """Return a message for programs, as JSON: its group, and each alert with status `firing` or `resolved`."""
    most = _PUSHED if notice.reason is Reason.PUSH else _LISTED_FOR_PROGRAMS
    alerts = [*_entries(notice.firing, notice.fresh, most), *_entries(notice.over, frozenset(), most)]
    return {
        "group": notice.group,
        "reason": notice.reason.value,
        "firing": len(notice.firing),
        "over": len(notice.over),
        "alerts": alerts,
    }


def _entries(alerts: Any, fresh: frozenset[str], most: int) -> Iterator[Mapping[str, Any]]:
    for alert in alerts[:most]:
        yield {
            "id": alert.id,
            "fingerprint": alert.fingerprint,
            "status": "firing" if alert.open else "resolved",
            "new": alert.fingerprint in fresh,
            "kind": alert.kind.value,
            "severity": alert.severity.value,
            "subject": alert.subject,
            "summary": alert.summary,
            "since": alert.since.isoformat(),
            "opened_at": alert.opened_at.isoformat() if alert.opened_at else None,
            "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
            "queue": alert.queue,
            "labels": dict(alert.labels),
            "evidence": dict(alert.evidence),
            "command": _command(alert),
        }
