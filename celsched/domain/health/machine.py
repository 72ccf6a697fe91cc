"""Judges daemons, watchers, clocks, services, channels; flapping in `flapping`. It reads no facts, never notifies.

Clock and broker are as seen from one machine: what a watcher elsewhere has found stays for as long as that one lives.
That the store is away no look at it can find: `monitor.outage` tells it, and opens its alert once the store answers.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from shlex import quote

from celsched.domain.health import flapping
from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.machine_facts import MachineFacts, Seen
from celsched.domain.health.subjects import living_of, same
from celsched.domain.health.watched import Living

_ANSWERED = timedelta(seconds=15)
"""How long a broker must have answered until it counts as back."""
STORE_ANSWERED = timedelta(seconds=30)
"""How long a store must have answered until it counts as back."""
WATCH_EVERY = timedelta(seconds=10)
"""How often a watcher looks, and reports at each look, however short the heartbeat is."""
_PATIENCE = 3
"""Heartbeats after which a watcher elsewhere no longer speaks for its machine."""


def daemon_down(look: Look) -> Iterator[Finding]:
    """Schedules are active, and no daemon has been heard of."""
    facts = look.machine
    if facts is None or not facts.active_schedules:
        return
    heard, stopped = _last(look, facts.daemons, facts.daemon_stopped_at)
    silent = heard.silent if heard is not None else stopped
    if silent is not None and silent <= look.rule(AlertKind.DAEMON_DOWN).number("heartbeats") * look.heartbeat:
        return
    since = look.now if silent is None else look.now - silent
    if heard is not None:
        summary = f"no daemon is running: the last one was heard of {span(heard.silent)} ago"
    elif stopped is not None:
        summary = f"no daemon is running: the last one was stopped {span(stopped)} ago"
    else:
        summary = "no daemon has ever run on this store"
    waiting = (
        "1 active schedule waits" if facts.active_schedules == 1 else f"{facts.active_schedules} active schedules wait"
    )
    summary += f"; {waiting} for one (`celsched run`)"
    evidence = Evidence(command="celsched run", count=facts.active_schedules)
    yield Finding(AlertKind.DAEMON_DOWN, "all", Severity.CRITICAL, "daemon", summary, since, evidence=evidence)


def _last(look: Look, seen: Iterable[Seen], stopped_at: datetime | None) -> tuple[Seen | None, timedelta | None]:
    """Return the last of those that have not stopped, None where one was stopped later; and how long ago that was.

    One that died, of which nobody can tell that it has stopped, stays among the instances for weeks.
    """
    heard = min(seen, key=lambda one: one.silent, default=None)
    stopped = None if stopped_at is None else abs(look.now - stopped_at)  # the clock may have been set back since
    later = heard is not None and stopped is not None and stopped < heard.silent
    return None if later else heard, stopped


def watch_down(look: Look) -> Iterator[Finding]:
    """There were watchers that nobody stopped, and none has been heard of."""
    if look.machine is None:
        return
    last, _ = _last(look, look.machine.watchers, look.machine.watcher_stopped_at)
    patience = look.rule(AlertKind.WATCH_DOWN).number("heartbeats") * max(look.heartbeat, WATCH_EVERY)
    if last is None or last.silent <= patience:
        return
    summary = f'no watcher is running: the last one, on "{last.host}", was heard of {span(last.silent)} ago'
    since, evidence = look.now - last.silent, Evidence(command="celsched watch")
    yield Finding(AlertKind.WATCH_DOWN, "all", Severity.CRITICAL, "watcher", summary, since, evidence=evidence)


def clock_jump(look: Look) -> Iterator[Finding]:
    """The clock of a watcher's machine stepped, or is not the store's; open until that is `stable` ago."""
    facts, rule = look.machine, look.rule(AlertKind.CLOCK_JUMP)
    if facts is None:
        return
    scope, limit = f"host:{facts.host}", rule.length("jump")
    living = look.alert(AlertKind.CLOCK_JUMP, scope)
    said = None if facts.clock is None else _stepped(facts.clock.moved, limit) or _differs(facts.clock.ahead, limit)
    if said is not None:
        since = (living.since if living else None) or look.now
        summary = f'the clock of "{facts.host}" {said}'
        evidence = Evidence(command="timedatectl")
        yield Finding(AlertKind.CLOCK_JUMP, scope, Severity.CRITICAL, facts.host, summary, since,
                      event_at=look.now, evidence=evidence)  # fmt: skip
    for alert in living_of(look, AlertKind.CLOCK_JUMP):
        lately = alert.event_at is not None and abs(look.now - alert.event_at) < rule.length("stable")
        if lately and (alert.scope != scope or said is None):
            yield same(alert)


def _stepped(moved: timedelta, limit: timedelta) -> str | None:
    if abs(moved) <= limit:
        return None
    return f"moved {'forward' if moved > timedelta(0) else 'back'} by {span(abs(moved))}"


def _differs(ahead: timedelta | None, limit: timedelta) -> str | None:
    if ahead is None or abs(ahead) <= limit:
        return None
    return f"is {span(abs(ahead))} {'ahead of' if ahead > timedelta(0) else 'behind'} the store's"


def broker_down(look: Look) -> Iterator[Finding]:
    """The broker does not answer the watcher's machine; open until it has answered for a while."""
    facts = look.machine
    if facts is None:
        return
    scope, answer = f"host:{facts.host}", facts.broker
    if answer is not None and answer.error is not None:
        summary, since = f"{answer.error} (for {span(answer.lasts)})", look.now - answer.lasts
        evidence = Evidence(error=answer.error, command="celsched doctor")
        yield Finding(AlertKind.BROKER_DOWN, scope, Severity.CRITICAL, "broker", summary, since, evidence=evidence)
    for alert in living_of(look, AlertKind.BROKER_DOWN):
        if alert.scope == scope and answer is not None:
            if answer.error is None and alert.open and answer.lasts < _ANSWERED:
                yield same(alert)
        elif _speaks(look, facts, alert):
            yield same(alert)


def _speaks(look: Look, facts: MachineFacts, alert: Living) -> bool:
    """Whether a watcher lives where the alert comes from, which will say when it is over."""
    patience = _PATIENCE * max(look.heartbeat, WATCH_EVERY)
    return any(one.lives(patience) and alert.scope == f"host:{one.host}" for one in facts.watchers)


def store_down(look: Look) -> Iterator[Finding]:
    """The store answers again, and has not done so for long: meanwhile daemons and workers catch up."""
    for alert in living_of(look, AlertKind.STORE_DOWN):
        if alert.event_at is not None and abs(look.now - alert.event_at) < STORE_ANSWERED:
            yield same(alert)


def channel_failing(look: Look) -> Iterator[Finding]:
    """Channels through which nothing could be sent, several times in a row; open until a send works."""
    for one in look.machine.channels if look.machine else ():
        scope = f"channel:{one.channel}"
        living = look.alert(AlertKind.CHANNEL_FAILING, scope)
        least = 1 if living is not None and living.open else look.rule(AlertKind.CHANNEL_FAILING).number("failures")
        if one.failures_in_a_row < least:
            continue
        last = "" if one.last_error is None else f": {one.last_error}"
        summary = f'{one.failures_in_a_row} messages in a row could not be sent through channel "{one.channel}"{last}'
        since = (living.since if living else None) or one.last_sent_at or look.now
        yield Finding(
            AlertKind.CHANNEL_FAILING,
            scope,
            Severity.CRITICAL,
            one.channel,
            summary,
            since,
            evidence=Evidence(
                error=one.last_error,
                command=f"celsched alerts test {quote(one.channel)}",
                count=one.failures_in_a_row,
            ),
        )


JUDGES: Mapping[AlertKind, Judge] = {
    AlertKind.DAEMON_DOWN: daemon_down,
    AlertKind.WATCH_DOWN: watch_down,
    AlertKind.CLOCK_JUMP: clock_jump,
    AlertKind.BROKER_DOWN: broker_down,
    AlertKind.STORE_DOWN: store_down,
    AlertKind.FLAPPING: flapping.flapping,
    AlertKind.CHANNEL_FAILING: channel_failing,
}
