"""Owns what `why` answers: what became of a fire time of a schedule and why, in one sentence. It never writes.

Where the ledger has a row, the row decides; the rule is asked only for fire times that have none.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from celsched.domain.health.kinds import KINDS
from celsched.domain.names import as_stored
from celsched.domain.plan import TICK
from celsched.operations.evidence import hands_for
from celsched.operations.scope import Scope, no_such_schedule
from celsched.operations.standing import Status, standing
from celsched.operations.why_row import Answer, Case, answer_row, later_request, no_daemon
from celsched.operations.wording import command, sentence, span, times
from celsched.store import alert_desk, executions, overview
from celsched.store.alerts import StoredAlert
from celsched.store.overview import Namesake
from celsched.store.store import Tx
from celsched.timing.instant import format_instant, parse_instant
from celsched.timing.jitter import jitter_delay

__all__ = ["Answer", "why"]
NOT_A_FIRE_TIME = "not_a_fire_time"
_FAR = timedelta(days=9 * 366)
"""How far a neighbour is looked for: 29 February can be eight years away."""


def why(scope: Scope, name: str, at: str | None, *, heartbeat: timedelta) -> Answer:
    """Return what became of the fire time that `at` names in the schedule's zone, else of the latest one.

    `at` need not be exact: without seconds the first fire time of that minute is meant, without a fraction of that
    second.

    Raises:
        NotFound: no schedule ever had this name. InvalidRule: `at` is no instant.
    """
    now = scope.now()
    name = as_stored(name)

    def work(tx: Tx) -> Answer:
        named = overview.schedules_named(tx, name)
        if not named:
            raise no_such_schedule(tx, name)
        zone = scope.policies(named[0].schedule.task, named[0].schedule).timezone
        asked = None if at is None else parse_instant(at, zone, now)
        chosen = _lived_at(named, asked)
        case = Case(tx, now, standing(scope, chosen.schedule, now), chosen.deleted_at, heartbeat)
        return _with_alerts(case, _latest(case) if asked is None else _asked(case, asked))

    return scope.store.read(work)


def _with_alerts(case: Case, answer: Answer) -> Answer:
    """Return the answer with the alerts that this fire time raised, or of which it is one case more."""
    found = alert_desk.about_fire_time(case.tx, case.standing.schedule.id, answer.fire_time, answer.execution)
    if not found:
        return answer
    raised, more = [one for one in found if _raised(one, answer)], [one for one in found if not _raised(one, answer)]
    before = "it is a case of {} that was open before" if len(more) == 1 else "it is a case of {} that were open before"
    said = [_alerts("it raised {}", raised), _alerts(before, more)]
    return replace(
        answer,
        details=(*answer.details, *(line for line in said if line)),
        commands=(*answer.commands, command("show", "alert", found[-1].id)),
        alerts=tuple(one.id for one in found),
    )


def _raised(alert: StoredAlert, answer: Answer) -> bool:
    """Return whether it began with this fire time: with its end, or as what tells of the present after it was due."""
    if not KINDS[alert.kind].event:
        return alert.opened_at is None or answer.fire_time is None or alert.opened_at >= answer.fire_time
    ended = answer.execution.finished_at if answer.execution else None
    return ended is None or alert.since == ended


def _alerts(words: str, ones: list[StoredAlert]) -> str | None:
    told = ", ".join(f"{one.id} ({one.kind}, {one.state})" for one in ones)
    return sentence(f"{words.format(times(len(ones), 'alert'))}: {told}") if ones else None


def _lived_at(named: list[Namesake], asked: datetime | None) -> Namesake:
    """Return the schedule of this name that lived then; the newest where nothing is asked, the oldest before all."""
    if asked is None:
        return named[0]
    until = asked + _precision(asked)
    return next((one for one in named if one.schedule.created_at < until), named[-1])


def _precision(asked: datetime) -> timedelta:
    if asked.microsecond:
        return TICK
    return timedelta(seconds=1) if asked.second else timedelta(minutes=1)


def _asked(case: Case, asked: datetime) -> Answer:
    answer = _answer(case, asked, _precision(asked))
    if answer.verdict == NOT_A_FIRE_TIME and asked.microsecond:
        # `2h ago` falls between two microseconds of nobody's choice: its second is meant.
        return _answer(case, asked.replace(microsecond=0), timedelta(seconds=1))
    return answer


def _answer(case: Case, asked: datetime, width: timedelta) -> Answer:
    end = asked + width
    rows = executions.ledger_rows(case.tx, case.standing.schedule.id, asked, end)
    for row in rows:
        if row.fire_time is not None and row.until is None and asked <= row.fire_time < end:
            return answer_row(case, row, row.fire_time)
    by_rule = _fire_time(case, asked, end)
    for row in rows:
        inside = row.fire_time is not None and row.fire_time <= (by_rule or asked) <= (row.until or row.fire_time)
        # Under another revision the rule of today cannot say whether it was a fire time; the range can.
        if inside and (by_rule is not None or row.revision != case.standing.schedule.revision):
            return answer_row(case, row, by_rule or asked)
    if by_rule is None:
        return _no_fire_time(case, asked)
    return _without_row(case, by_rule)


def _fire_time(case: Case, asked: datetime, end: datetime) -> datetime | None:
    """Return the rule's first fire time in [asked, end) within start_at and end_at."""
    subject = case.standing.subject
    if subject is None:
        return None
    after = asked - TICK if subject.start_at is None else max(asked, subject.start_at) - TICK
    found = subject.rule.next_after(after)
    if found is None or found >= end or (subject.end_at is not None and found > subject.end_at):
        return None
    return found


def _latest(case: Case) -> Answer:
    schedule, subject = case.standing.schedule, case.standing.subject
    now = min(case.now, case.deleted_at) if case.deleted_at else case.now
    row = overview.row_before(case.tx, schedule.id, now + TICK)
    newest = (row.until or row.fire_time) if row else None
    spent = subject is None or (subject.max_runs is not None and schedule.state.runs >= subject.max_runs)
    if subject is not None and not spent:
        until = min(now, subject.end_at) if subject.end_at else now
        since = schedule.updated_at if schedule.revision > 1 else schedule.created_at
        if subject.start_at is not None:
            since = max(since, subject.start_at - TICK)
        by_rule = subject.rule.latest(until, since, 1)
        newest = max([*by_rule, *([newest] if newest else [])], default=None)
    if newest is None:
        return _none_yet(case)
    answer = _answer(case, newest, TICK)
    more = later_request(case, answer.execution)
    return replace(answer, details=(*answer.details, more)) if more else answer


def _none_yet(case: Case) -> Answer:
    first = case.standing.next_fire_time
    text = f"'{case.name}' has had no fire time yet"
    if case.deleted_at is not None:
        text = f"'{case.name}' was deleted at {case.when(case.deleted_at)}, before it had a fire time"
    elif first is not None:
        text += f"; the first is {case.when(first)}, in {span(first - case.now)}"
    if case.standing.remark and case.deleted_at is None:
        text += f"; {case.standing.remark}"
    more = later_request(case, None)
    return Answer(case.name, "none_yet", sentence(text), details=(more,) if more else (), after=first)


def _without_row(case: Case, at: datetime) -> Answer:
    """Answer for a fire time of the present rule that the ledger has no row for."""
    state, schedule = case.standing.schedule.state, case.standing.schedule
    if at > case.now:
        return _coming(case, at)
    if case.deleted_at is not None and at > case.deleted_at:
        return _said(case, at, "deleted", f"the schedule was deleted at {case.when(case.deleted_at)}")
    if at <= schedule.created_at:
        made = case.when(schedule.created_at)
        return _said(
            case, at, "before_creation", f"the schedule was made at {made}, and never fires for the time before"
        )
    if state.purged_until is not None and at <= state.purged_until:
        until = case.when(state.purged_until)
        return _said(case, at, "removed", f"removed by retention: its rows up to {until} were purged (cleanup_days)")
    limit = case.policies.max_runs
    spent = f"no execution: max_runs {limit} had been reached" if limit is not None and state.runs >= limit else None
    if at > state.cursor:
        return _said(case, at, "ended", spent) if spent else _undecided(case, at)
    if schedule.revision > 1 and at <= schedule.updated_at:
        changed = f"the schedule was changed at {case.when(schedule.updated_at)}"
        return _said(case, at, "before_change", f"{changed}, and a new rule never fires for the time before")
    if spent:
        return _said(case, at, "ended", spent)
    return _said(
        case, at, "unknown", "the ledger has no row for it, although it was decided; this is a bug of celsched"
    )


def _coming(case: Case, at: datetime) -> Answer:
    words = command("next", case.name)
    status, until = case.standing.status, case.standing.schedule.state.paused_until
    if case.deleted_at is not None:
        return _said(case, at, "deleted", f"the schedule was deleted at {case.when(case.deleted_at)}; it will not fire")
    if status in (Status.DISABLED, Status.BROKEN, Status.ENDED):
        return _said(case, at, status, f"it will not fire: {case.standing.remark}", words)
    if status is Status.PAUSED and (until is None or at < until):
        return _said(case, at, status, f"it is to come, and will be skipped: {case.standing.remark}")
    text = f"it is to come, in {span(at - case.now)}"
    delay = jitter_delay(case.name, at, case.policies.jitter)
    if delay:
        text += f"; jitter starts it at {case.when(at + delay)}"
    return _said(case, at, "coming", text, words)


def _undecided(case: Case, at: datetime) -> Answer:
    """Answer for a fire time that is due and that no daemon has decided."""
    one = case.standing
    if one.status is Status.PAUSED:
        resume = command("resume", case.name)
        return _said(case, at, "paused", f"no execution: the schedule is {one.remark}", resume)
    if one.status in (Status.DISABLED, Status.BROKEN):
        return _said(case, at, one.status, f"no execution: {one.remark}", command("show", "schedule", case.name))
    if hands_for(case.tx, None, case.now, case.heartbeat).daemon:
        return _said(case, at, "undecided", f"due for {span(case.now - at)}; the daemon is about to decide it")
    text = f"due for {span(case.now - at)}, and not decided yet. {no_daemon(case)}"
    return _said(case, at, "undecided", text, command("run"))


def _said(case: Case, at: datetime, verdict: str, text: str, *commands: str) -> Answer:
    return Answer(case.name, verdict, f"{case.when(at)}: {sentence(text)}", at, commands=commands)


def _no_fire_time(case: Case, asked: datetime) -> Answer:
    before, after = _neighbours(case, asked)
    text = f"{case.when(asked)} is no fire time of '{case.name}' ({case.standing.rule_for_eyes})"
    policies = case.policies
    if policies.start_at is not None and asked < policies.start_at:
        text += f"; it starts at {case.when(policies.start_at)}"
    elif policies.end_at is not None and asked > policies.end_at:
        text += f"; it ended at {case.when(policies.end_at)}"
    near = " and ".join(case.when(one) for one in (before, after) if one is not None)
    details = [f"The nearest fire times: {near}."] if near else []
    schedule = case.standing.schedule
    if schedule.revision > 1 and asked < schedule.updated_at:
        details.append(f"The schedule was changed at {case.when(schedule.updated_at)}; before that the ledger decides.")
    if asked < schedule.created_at:
        details.append(f"The schedule was made at {case.when(schedule.created_at)}.")
    commands = [command("why", case.name, "--at", format_instant(before))] if before else []
    return Answer(
        case.name, NOT_A_FIRE_TIME, sentence(text), None, tuple(details), tuple(commands), before=before, after=after
    )


def _neighbours(case: Case, asked: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the nearest fire times around an instant, by the ledger and within the life of the present rule."""
    schedule, subject = case.standing.schedule, case.standing.subject
    row = overview.row_before(case.tx, schedule.id, asked)
    later = overview.row_after(case.tx, schedule.id, asked)
    known = [one.until if one.until and one.until < asked else one.fire_time for one in [row] if one]
    before = [one for one in known if one is not None]
    after = [later.fire_time] if later and later.fire_time else []
    if subject is not None:
        since = schedule.updated_at if schedule.revision > 1 else schedule.created_at
        lower = max(asked - _FAR, subject.start_at - TICK if subject.start_at else since, since)
        if lower < asked:
            before += subject.rule.latest(asked, lower, 1)
        coming = subject.rule.next_after(max(asked, lower))
        if coming is not None and (subject.end_at is None or coming <= subject.end_at):
            after.append(coming)
    return max(before, default=None), min(after, default=None)
