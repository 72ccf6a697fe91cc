"""Judges what the store says of processes, queues, schedules, runs and alerts. It reads nothing."""

from collections import Counter

from celsched.broker.embedded import EMBEDDED_QUEUE
from celsched.domain.health import Severity
from celsched.operations.checkup import Found, failed, listed, passed, skipped, warned
from celsched.operations.doctor_facts import OVERDUE_AFTER, Facts
from celsched.operations.wording import command, span, times
from celsched.settings import Settings
from celsched.version import __version__


def daemon(facts: Facts, settings: Settings) -> Found:
    """Judge whether somebody dispatches."""
    return _alive(facts, "daemon", "celsched run")


def watcher(facts: Facts, settings: Settings) -> Found:
    """Judge whether somebody watches, and sees everything; the embedded `run` does it itself."""
    partly = [one for one in facts.living("watcher") if one.note]
    if partly:
        return failed(f"{partly[0].name} {partly[0].note}: its log says why", "celsched watch --once")
    return _alive(facts, "watcher", "celsched run" if settings.embedded else "celsched watch")


def _alive(facts: Facts, kind: str, fix: str) -> Found:
    living = facts.living(kind)
    if living:
        newest = max(one.beat_at for one in living)
        return passed(f"{times(len(living), kind)} alive, heard of {span(facts.now - newest)} ago")
    lost = [one for one in facts.silent if one.kind == kind]
    seen = f"no {kind} is alive"
    if lost:
        seen += (
            f"; {lost[0].name} was last heard of {span(facts.now - lost[0].beat_at)} ago and did not say that it stops"
        )
    if facts.active:
        return failed(f"{seen}, and {times(len(facts.active), 'schedule')} will have fire times", fix)
    return warned(f"{seen}; no schedule is active", fix)


def versions(facts: Facts, settings: Settings) -> Found:
    """Judge whether all processes are of this version."""
    other = sorted({f"{one.name} ({one.version})" for one in facts.alive if one.version != __version__})
    if not facts.alive:
        return skipped("nothing of celsched runs")
    if other:
        return warned(f"this is {__version__}, others run: {', '.join(other[:3])}", "celsched instances")
    return passed(f"all run {__version__}")


def queues(facts: Facts, settings: Settings) -> Found:
    """Judge whether every queue of an enabled schedule has a live consumer."""
    wanted = Counter(one.queue for one in facts.schedules if one.enabled and not one.state.error)
    if not wanted:
        return skipped("no schedule is enabled")
    consumed: set[str] = set()
    for worker in facts.living("worker"):
        if not worker.queues or EMBEDDED_QUEUE in worker.queues:
            return passed(f"{worker.name} serves every queue: {listed(sorted(wanted))}")
        consumed |= set(worker.queues)
    bare = [name for name, _ in wanted.most_common() if name not in consumed]
    if not bare:
        return passed(f"{times(len(wanted), 'queue')} consumed: {listed(sorted(wanted))}")
    used = sum(wanted[name] for name in bare)
    return failed(
        f"no live worker consumes {listed(bare)} ({times(used, 'schedule')})",
        "celsched run" if settings.embedded else command("worker", "-Q", ",".join(bare)),
    )


def overdue(facts: Facts, settings: Settings) -> Found:
    """Judge the first standing invariant: no fire time is left undecided."""
    if not facts.overdue.count:
        return passed("every fire time up to now is decided")
    late = f"{times(facts.overdue.count, 'schedule')} undecided for over {span(OVERDUE_AFTER)}"
    names = listed(facts.overdue.first, facts.overdue.count)
    fix = command("why", facts.overdue.first[0]) if facts.living("daemon") else "celsched run"
    return failed(f"{late}: {names}", fix)


def next_times(facts: Facts, settings: Settings) -> Found:
    """Judge the second standing invariant: whoever has a fire time to come knows it."""
    if not facts.missing_next:
        return passed("every schedule that goes on has a next fire time")
    name = facts.missing_next[0]
    return failed(
        f"no next fire time although the rule has one: {listed(facts.missing_next)}",
        f"{command('pause', name)} && {command('resume', name)}",
    )


def stuck(facts: Facts, settings: Settings) -> Found:
    """Judge the third standing invariant: nothing is open that nobody will end."""
    found = [
        (facts.deserted, "running on a worker that is gone"),
        (facts.waiting, "waiting for others, and nothing is active"),
    ]
    bad = [(some, words) for some, words in found if some.count]
    if not bad:
        return passed("nothing runs on a worker that is gone, nothing waits for nothing")
    fix = command("why" if not bad[0][0].first[0].isdecimal() else "status", bad[0][0].first[0])
    seen = "; ".join(f"{words}: {listed(some.first, some.count)}" for some, words in bad)
    return failed(seen, fix if facts.living("daemon") else "celsched run")


def sent(facts: Facts, settings: Settings) -> Found:
    """Judge whether what is due reaches the broker."""
    if not facts.unsent.count:
        return passed("everything that is due was handed to the broker")
    seen = f"{times(facts.unsent.count, 'execution')} due for a minute and not sent: "
    fix = command("status", facts.unsent.first[0]) if facts.living("daemon") else "celsched run"
    return failed(seen + listed(facts.unsent.first, facts.unsent.count), fix)


def definitions(facts: Facts, settings: Settings) -> Found:
    """Judge whether every schedule can be planned."""
    if facts.lost:
        more = f", and {len(facts.lost) - 1} more" if len(facts.lost) > 1 else ""
        return failed(f"could not {facts.lost[0].place}: {facts.lost[0].why}{more}", "celsched instances")
    broken = [one for one in facts.schedules if one.state.error]
    if not broken:
        return passed(f"{times(len(facts.schedules), 'schedule')} and {times(len(facts.tasks), 'task')} are sound")
    names = listed([one.name for one in broken])
    return failed(f"cannot be planned: {names}: {broken[0].state.error}", command("show", "schedule", broken[0].name))


def critical(facts: Facts, settings: Settings) -> Found:
    """Judge what the watcher has found; what a newer celsched found may be beyond this one."""
    bad = [one for one in facts.firing if one.severity is Severity.CRITICAL and one.acknowledged_at is None]
    if bad:
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        return failed(f"alert {bad[0].id} {bad[0].kind}: {bad[0].summary}{more}", command("show", "alert", bad[0].id))
    if facts.unread:
        more = f", and {len(facts.unread) - 1} more" if len(facts.unread) > 1 else ""
        seen = f"could not {facts.unread[0].place}: {facts.unread[0].why}{more}; nobody here is told of it"
        return warned(seen, "celsched instances")
    others = len(facts.firing)
    return passed(f"no critical alert is open; {times(others, 'other')}" if others else "no alert is open")
