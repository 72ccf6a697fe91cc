"""Owns how a schedule stands now: its status in one word, why in one sentence, and its coming fire times.

It never writes, and decides nothing that the planner does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from celsched.domain.compose import subject_of
from celsched.domain.definition import Effective
from celsched.domain.plan import TICK, Subject, next_fire_time
from celsched.errors import InvalidRule
from celsched.operations.scope import Scope
from celsched.operations.wording import command, moment
from celsched.store.definitions import StoredSchedule
from celsched.timing.once import Once


class Status(StrEnum):
    """How a schedule stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By a person or by the failure rule; it makes no fire times until it is resumed."""
    DISABLED = "disabled"
    """Its definition says `enabled: false`."""
    ENDED = "ended"
    """No fire time is to come: end_at, max_runs, or a `once` that is over."""
    BROKEN = "broken"
    """It cannot be planned; the others go on."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule with what is in force for it. `subject` is None where its rule cannot be built."""

    schedule: StoredSchedule
    policies: Effective
    subject: Subject | None
    status: Status
    remark: str | None
    """Why it is not active, in one sentence."""
    next_fire_time: datetime | None

    @property
    def rule(self) -> str:
        """Its rule in words."""
        spec = self.schedule.definition.rule
        return self.subject.rule.describe() if self.subject else f"{spec.type} {spec.text}"

    @property
    def rule_for_eyes(self) -> str:
        """Its rule in words, a single instant in its zone."""
        rule = self.subject.rule if self.subject else None
        return f"once at {moment(rule.at, self.policies.timezone)}" if isinstance(rule, Once) else self.rule


def standing(scope: Scope, schedule: StoredSchedule, now: datetime) -> Standing:
    """Return how a schedule stands at `now`."""
    policies = scope.policies(schedule.task, schedule)
    subject, fault = None, schedule.state.error
    try:
        subject = subject_of(schedule.definition, policies, schedule.state.base)
    except InvalidRule as error:
        fault = error.message
    # The stored one is what a daemon will act on; only the end of a pause has to be worked out.
    coming = schedule.state.next_fire_time
    if coming is None and subject is not None and schedule.state.paused:
        coming = next(fire_times(schedule, policies, subject), None)
    status, remark = _status(schedule, policies, fault, coming, now)
    if status in (Status.DISABLED, Status.BROKEN):
        coming = None
    return Standing(schedule, policies, subject, status, remark, coming)


def fire_times(
    schedule: StoredSchedule, policies: Effective, subject: Subject, since: datetime | None = None
) -> Iterator[datetime]:
    """Yield the fire times to come, those from `since` on only; none while it is paused without end or disabled.

    Without `since` one that is due and not yet decided comes first, however old it is.
    """
    state = schedule.state
    if not policies.enabled or (state.paused and state.paused_until is None):
        return
    after = state.cursor if since is None else since - TICK
    runs = state.runs
    if since is not None and after > state.cursor and subject.max_runs is not None:
        runs += subject.rule.count(state.cursor, after)
    if state.paused_until is not None:
        after = max(after, state.paused_until - TICK)
    coming = next_fire_time(subject, after, runs)
    while coming is not None:
        yield coming
        runs += 1
        coming = next_fire_time(subject, coming, runs)


def _status(
    schedule: StoredSchedule, policies: Effective, fault: str | None, coming: datetime | None, now: datetime
) -> tuple[Status, str | None]:
    state = schedule.state
    if fault is not None:
        return Status.BROKEN, f"it cannot be planned: {fault}"
    if not policies.enabled:
        return Status.DISABLED, f"its definition says enabled: false ({policies.origins['enabled']})"
    if state.paused_at is not None and (state.paused_until is None or state.paused_until > now):
        return Status.PAUSED, paused_sentence(schedule, policies.timezone)
    if coming is None:
        return Status.ENDED, _ended(schedule, policies)
    return Status.ACTIVE, None


def paused_sentence(schedule: StoredSchedule, zone: str) -> str:
    """Return since when, by whom, why and until when it is paused; empty where it is not."""
    state = schedule.state
    if state.paused_at is None:
        return ""
    text = f"paused since {moment(state.paused_at, zone)}"
    if state.paused_by:
        text += f" by {state.paused_by}"
    if state.pause_reason:
        text += f" ({state.pause_reason})"
    if state.paused_until is not None:
        return f"{text}, until {moment(state.paused_until, zone)}"
    return f"{text}; `{command('resume', schedule.name)}` ends it"


def _ended(schedule: StoredSchedule, policies: Effective) -> str:
    if policies.max_runs is not None and schedule.state.runs >= policies.max_runs:
        return f"it has ended: max_runs {policies.max_runs} is reached"
    if policies.end_at is not None:
        return f"it has ended: no fire time is left before end_at {moment(policies.end_at, policies.timezone)}"
    return "it has ended: no fire time is left"
