"""Owns what a person does with alerts: look, acknowledge, resolve, silence. It never judges what is wrong.

Each reads the clock once, before its transaction: run again because the reply to a COMMIT was lost, it knows by that
instant what it did itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import KINDS
from celsched.domain.names import as_stored
from celsched.domain.silencing import LONGEST, Matchers, Silence
from celsched.errors import Conflict, NotFound, UsageError
from celsched.operations.scope import Scope, not_found
from celsched.operations.wording import moment
from celsched.store import alert_desk, alerts, audit, silences, told
from celsched.store.alert_desk import AlertFilter, Tally
from celsched.store.alert_desk import Unreadable as Unreadable
from celsched.store.alerts import OPEN, RESOLVED, StoredAlert
from celsched.store.store import Tx

_Any = TypeVar("_Any", StoredAlert, StoredAlert | Unreadable)


def listing(scope: Scope, wanted: AlertFilter, limit: int) -> list[StoredAlert]:
    """Return alerts, newest first."""
    return scope.store.read(lambda tx: alert_desk.listing(tx, wanted, limit))


def summary(scope: Scope, wanted: AlertFilter) -> list[Tally]:
    """Return how many alerts there are of each kind, the worst first."""
    return scope.store.read(lambda tx: alert_desk.tallies(tx, wanted))


def count(scope: Scope, wanted: AlertFilter) -> int:
    """Return how many alerts there are of all kinds."""
    return sum(one.open + one.pending + one.resolved for one in summary(scope, wanted))


@dataclass(frozen=True, slots=True)
class Detail:
    """An alert with the silence that covers it, and the messages that told of it."""

    alert: StoredAlert
    silence: Silence | None
    told: told.Told


def detail(scope: Scope, alert_id: int) -> Detail:
    """Return everything about an alert; raise NotFound."""

    def work(tx: Tx) -> Detail:
        alert = _all(tx, [alert_id])[0]
        known = silences.find(tx, [alert.silence_id] if alert.silence_id is not None else [])
        heard = told.told_of(tx, alert.id, alert.opened_at) if alert.opened_at is not None else told.Told()
        return Detail(alert, known.get(alert.silence_id or 0), heard)

    return scope.store.read(work)


def acknowledge(scope: Scope, ids: Sequence[int], note: str | None = None) -> list[StoredAlert]:
    """Acknowledge open alerts, all of them or none; one that was acknowledged before keeps who did it, and takes
    the note. Return them.

    Raises:
        NotFound: there is no such alert. Conflict: one is not open.
    """

    now = scope.now()

    def work(tx: Tx) -> list[StoredAlert]:
        for alert in _open(tx, ids, "acknowledge"):
            again = note is not None and note != alert.note
            if alert_desk.acknowledge(tx, alert.id, scope.by.user, note, now) or (
                again and alert_desk.annotate(tx, alert.id, str(note))
            ):
                audit.write(tx, scope.by, audit.Event("acknowledge", "alert", str(alert.id), _about(alert, note)), now)
        return _all(tx, ids)

    return scope.store.write(work)


def resolve(scope: Scope, ids: Sequence[int], note: str) -> list[StoredAlert | Unreadable]:
    """Resolve open alerts by hand, all of them or none; return them. One that cannot be read can be resolved too.

    Raises:
        NotFound: there is no such alert. Conflict: one is not open. UsageError: the note is blank.
    """
    if not note.strip():
        raise UsageError("the note is blank", hint="say what was done about it")
    now = scope.now()

    def all_of(tx: Tx) -> list[StoredAlert | Unreadable]:
        lost = alert_desk.unreadable(tx, ids, now)
        return [*_all(tx, [one for one in ids if one not in lost]), *lost.values()]

    def work(tx: Tx) -> list[StoredAlert | Unreadable]:
        found = all_of(tx)
        if all(alert.resolved_at == now and alert.resolved_by == scope.by.user for alert in found):
            return found
        for alert in _all_open(found, "resolve"):
            if not alert_desk.resolve(tx, alert.id, scope.by.user, note, now):
                raise Conflict(f"alert {alert.id} was resolved in this moment; nothing was changed")
            audit.write(tx, scope.by, audit.Event("resolve", "alert", str(alert.id), _about(alert, note)), now)
        return all_of(tx)

    return scope.store.write(work)


def comes_back(alert: StoredAlert | Unreadable) -> bool | None:
    """Return whether the next look opens it anew if it is still so; an event only comes with another event.

    None: of a kind that only another version knows.
    """
    known = next((row for kind, row in KINDS.items() if kind == alert.kind), None)
    return None if known is None else not known.event


def silence(
    scope: Scope, matchers: Matchers, until: datetime, reason: str, *, begin: datetime | None = None
) -> tuple[Silence, int]:
    """Silence what matches from `begin` on, else from now on; return it, and how many open alerts it covers now.

    Raises:
        UsageError: it matches everything, has no reason, or does not end within 30 days of its beginning.
    """
    now = scope.now()
    begin = max(begin or now, now)
    matchers = replace(
        matchers,
        subject=matchers.subject and as_stored(matchers.subject),
        queue=matchers.queue and as_stored(matchers.queue),
    )
    _require_sound(matchers, until - begin, reason)

    def work(tx: Tx) -> tuple[Silence, int]:
        wanted, mine = (matchers, begin, until, reason), silences.made_at(tx, scope.by, now)
        made = next((one for one in mine if (one.matchers, one.starts_at, one.ends_at, one.reason) == wanted), None)
        if made is None:
            made = silences.add(tx, matchers, (begin, until), scope.by, reason, now)
            about = {"reason": reason, "from": begin, "until": until, "matchers": said(matchers)}
            audit.write(tx, scope.by, audit.Event("silence", "silence", str(made.id), about), now)
        return made, sum(matchers.fit(_plain(alert)) for alert in alerts.firing(tx)) if begin <= now else 0

    return scope.store.write(work)


def _require_sound(matchers: Matchers, length: timedelta, reason: str) -> None:
    if matchers.empty:
        raise UsageError(
            "this would silence everything", hint="name a --kind, --schedule, --queue or --label; --schedule '*' is all"
        )
    if not reason.strip():
        raise UsageError("the reason is blank", hint="whoever wonders about the quiet reads it")
    if not timedelta(0) < length <= LONGEST:
        raise UsageError(
            "a silence ends in the future, after it began, within 30 days",
            hint="for example --for 2h, or --until 18:00",
        )


def list_silences(scope: Scope, *, everything: bool = False) -> list[Silence]:
    """Return silences in force and to come; with `everything` ended ones too."""
    now = scope.now()
    return scope.store.read(lambda tx: silences.every(tx) if everything else silences.not_ended(tx, now))


def unsilence(scope: Scope, silence_id: int) -> Silence:
    """End a silence now; return it.

    Raises:
        NotFound: there is no such silence. Conflict: it has ended before.
    """

    now = scope.now()

    def work(tx: Tx) -> Silence:
        found = silences.find(tx, [silence_id]).get(silence_id)
        if found is None:
            raise not_found("silence", silence_id)
        if found.ends_at == now:
            return found
        if not silences.end(tx, silence_id, now):
            raise Conflict(f"silence {silence_id} ended at {moment(found.ends_at, scope.zone)}")
        audit.write(tx, scope.by, audit.Event("unsilence", "silence", str(silence_id)), now)
        return silences.find(tx, [silence_id])[silence_id]

    return scope.store.write(work)


def said(matchers: Matchers) -> str:
    """Return matchers in words: `kind missed, schedule report*, label team=data`."""
    kinds = sorted([*matchers.kinds, *matchers.strange])
    parts = [f"kind {'|'.join(kinds)}"] if kinds else []
    parts += [f"schedule {matchers.subject}"] if matchers.subject else []
    parts += [f"queue {matchers.queue}"] if matchers.queue else []
    return ", ".join([*parts, *(f"label {name}={text}" for name, text in sorted(matchers.labels.items()))])


def record_test(scope: Scope, channel: str, error: str | None) -> None:
    """Record that somebody sent a test message through a channel."""
    event = audit.Event("test", "channel", channel, {"error": error})
    scope.store.write(lambda tx: audit.write(tx, scope.by, event, scope.now()))


def _all(tx: Tx, ids: Sequence[int]) -> list[StoredAlert]:
    found = alert_desk.find(tx, ids)
    missing = next((one for one in ids if one not in found), None)
    if missing is not None:
        if alert_desk.there_is(tx, missing):
            raise Conflict(
                f"alert {missing} cannot be read: a newer celsched wrote it, or it was changed by hand",
                hint=f"look with that version, or end it with `celsched resolve {missing} --note TEXT`",
            )
        raise NotFound(f"there is no alert {missing}", hint="`celsched alerts --state all` lists them")
    return [found[one] for one in dict.fromkeys(ids)]


def _open(tx: Tx, ids: Sequence[int], verb: str) -> list[StoredAlert]:
    return _all_open(_all(tx, ids), verb)


def _all_open(found: list[_Any], verb: str) -> list[_Any]:
    for alert in found:
        if alert.state != OPEN:
            ended = (
                f" ({'by ' + alert.resolved_by if alert.resolved_by else 'by itself'})"
                if alert.state == RESOLVED
                else ""
            )
            raise Conflict(f"nothing to {verb}: alert {alert.id} is {alert.state}{ended}; nothing was changed")
    return found


def _about(alert: StoredAlert | Unreadable, note: str | None) -> dict[str, object]:
    return {"kind": str(alert.kind), "subject": alert.subject, "note": note}


def _plain(alert: StoredAlert) -> Alert:
    return Alert(
        id=alert.id,
        fingerprint=alert.fingerprint,
        kind=alert.kind,
        severity=alert.severity,
        open=alert.state == OPEN,
        subject=alert.subject,
        summary=alert.summary,
        since=alert.since,
        schedule_id=alert.schedule_id,
        queue=alert.queue,
        labels=alert.labels,
    )
