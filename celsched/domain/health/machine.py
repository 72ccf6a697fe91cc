"""Judges daemons, watchers, clocks and services. It never reads facts and never notifies."""

from collections.abc import Iterator, Mapping

from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look


def daemon_down(look: Look) -> Iterator[Finding]:
    """Schedules are active, and no daemon has been heard of."""
    facts = look.machine
    if facts is None or not facts.active_schedules:
        return
    heard, stopped = facts.daemon_beat_at, facts.daemon_stopped_at
    silence = look.rule(AlertKind.DAEMON_DOWN).number("heartbeats") * look.heartbeat
    if heard is not None and look.now - heard <= silence:
        return
    if heard is not None:
        summary = f"no daemon is running: the last one was heard of {span(look.now - heard)} ago"
    elif stopped is not None:
        summary = f"no daemon is running: the last one was stopped {span(look.now - stopped)} ago"
    else:
        summary = "no daemon has ever run on this store"
    plural = "" if facts.active_schedules == 1 else "s"
    summary += f"; {facts.active_schedules} active schedule{plural} wait for one (`celsched run`)"
    since, evidence = heard or stopped or look.now, Evidence(command="celsched run")
    yield Finding(AlertKind.DAEMON_DOWN, "all", Severity.CRITICAL, "daemon", summary, since, evidence=evidence)


JUDGES: Mapping[AlertKind, Judge] = {AlertKind.DAEMON_DOWN: daemon_down}
