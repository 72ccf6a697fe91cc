"""Owns the sentence that says what became of an execution, from its record alone. Pure; it looks nothing up.

What a sentence needs beyond the record (who blocks it, who cancelled it) is handed in by `facts`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.domain.execution import Attempt, Execution, State
from celsched.operations.wording import moment, span
from celsched.store.overview import Deed

_LATE = timedelta(seconds=1)

_LOST = {
    "no_heartbeat": "its worker fell silent, and the lease ran out",
    "worker_died": "the process that ran it died",
    "worker_shutdown": "its worker was stopped before it was done",
    "store_outage": "its worker was cut off from the store and gave it up",
    "no_body": "it was claimed, but no process ran it",
}
_CANCELLED = {
    "superseded": "a newer fire time took its place (overlap cancel_running)",
    "schedule_deleted": "its schedule was deleted",
    "task_deleted": "its task was deleted",
    "cancelled_by_user": "somebody cancelled it",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found about an execution beyond its record."""

    now: datetime
    zone: str
    attempts: tuple[Attempt, ...] = ()
    blocker: Execution | None = None
    """What a waiting one waits for, or what was active when one was skipped for overlap."""
    cancelled_by: Deed | None = None
    """Who asked to cancel it, whether or not it has ended."""
    last_heard: datetime | None = None
    """When its worker was last heard of."""


def fate(execution: Execution, facts: Facts) -> str:
    """Return what became of it, as the end of a sentence that begins with its name ("execution 12 ...")."""
    match execution.state:
        case State.PENDING | State.QUEUED:
            return _not_started(execution, facts)
        case State.RUNNING:
            return _running(execution, facts)
        case State.RETRYING:
            return _retrying(execution, facts)
        case State.SUCCEEDED:
            return f"succeeded{_after(execution)}{_tries(execution)}{_lateness(execution)}"
        case State.EXPIRED:
            return f"expired: it had not started by {_by(execution, facts)}"
        case State.SKIPPED:
            return f"was skipped ({execution.reason})"
        case _:
            return _bad_end(execution, facts)


def _bad_end(execution: Execution, facts: Facts) -> str:
    match execution.state:
        case State.FAILED:
            return f"failed{_after(execution)} on {_attempt(execution)}{_error(execution)}"
        case State.TIMED_OUT:
            limit = execution.recipe and (
                execution.recipe.soft_time_limit
                if execution.reason == "soft_time_limit"
                else execution.recipe.time_limit
            )
            which = "soft time limit" if execution.reason == "soft_time_limit" else "time limit"
            allowed = f" of {span(limit)}" if limit else ""
            return f"timed out: stopped by its {which}{allowed} on {_attempt(execution)}"
        case State.LOST:
            return _lost(execution, facts)
        case _:
            return _cancelled(execution, facts)


def _not_started(execution: Execution, facts: Facts) -> str:
    if execution.waits:
        what = f"execution {facts.blocker.id} ({facts.blocker.state})" if facts.blocker else "an earlier execution"
        return f"is recorded and waits for the end of {what}"
    if execution.dispatch_at > facts.now:
        return f"is recorded and starts at {moment(execution.dispatch_at, facts.zone)}"
    queue = f"queue '{execution.recipe.queue_name}'" if execution.recipe else "its queue"
    if execution.state is State.QUEUED:
        since = f" since {moment(execution.queued_at, facts.zone)}" if execution.queued_at else ""
        return f"was sent to {queue}{since} and waits for a worker to take it"
    return f"is due and waits for a daemon to send it to {queue}"


def _running(execution: Execution, facts: Facts) -> str:
    text = f"is running on {execution.host} (pid {execution.pid}), {_attempt(execution)}"
    if execution.attempt_started_at:
        text += f", for {span(facts.now - execution.attempt_started_at)}"
    if execution.progress_done is not None:
        total = f" of {execution.progress_total:g}" if execution.progress_total else ""
        text += f", {execution.progress_done:g}{total} done"
        text += f" ({execution.progress_message})" if execution.progress_message else ""
    if not execution.cancel_requested:
        return text
    return " ".join([f"{text}; it was asked to stop", *_by_whom(execution, facts)])


def _retrying(execution: Execution, facts: Facts) -> str:
    last = facts.attempts[-1] if facts.attempts else None
    ended = (
        f"{last.state.replace('_', ' ')} on attempt {last.attempt}" if last else f"failed {execution.failures} times"
    )
    if execution.waits:
        return f"{ended}{_error(execution)}; {_attempt(execution)} waits for the end of an earlier execution"
    when = moment(execution.dispatch_at, facts.zone)
    due = f"is due at {when}" if execution.dispatch_at > facts.now else f"has been due since {when}"
    return f"{ended}{_error(execution)}; {_attempt(execution)} {due}"


def _lost(execution: Execution, facts: Facts) -> str:
    why = _LOST.get(execution.reason or "", execution.error or "its end was not recorded")
    text = f"was lost on {_attempt(execution)}: {why}"
    if execution.host:
        text += f" (on {execution.host}, pid {execution.pid}"
        text += f"{_last_seen(execution, facts)})"
    allowed = execution.recipe.retry_on_lost if execution.recipe else 0
    return f"{text}; no attempt followed, retry_on_lost is {allowed}"


def _last_seen(execution: Execution, facts: Facts) -> str:
    """Return since when it is lost: the last word of a worker that fell silent; any other may go on reporting."""
    ended, heard = execution.finished_at, facts.last_heard
    if execution.reason == "no_heartbeat" and heard and (ended is None or heard <= ended):
        return f", last heard of at {moment(heard, facts.zone)}"
    return f", ended at {moment(ended, facts.zone)}" if ended else ""


def _cancelled(execution: Execution, facts: Facts) -> str:
    recorded = _CANCELLED.get(execution.reason or "", execution.reason or "no reason was recorded")
    why = " ".join(_by_whom(execution, facts)) or recorded
    started = f" on {_attempt(execution)}" if execution.started_at else " before it started"
    return f"was cancelled{started}: {why}"


def _by_whom(execution: Execution, facts: Facts) -> Iterator[str]:
    """Yield who asked to cancel it and when, and why if it was said; nothing where no person did."""
    deed = facts.cancelled_by
    if execution.reason == "cancelled_by_user" and deed is not None:
        yield f"by {deed.user} at {moment(deed.at, facts.zone)}"
        if deed.details.get("reason"):
            yield f"({deed.details['reason']})"


def _by(execution: Execution, facts: Facts) -> str:
    text = moment(execution.deadline, facts.zone) if execution.deadline else "its deadline"
    limit = execution.recipe.start_deadline if execution.recipe else None
    return f"{text} (start_deadline {span(limit)})" if limit else text


def _attempt(execution: Execution) -> str:
    most = most_attempts(execution)
    return f"attempt {execution.attempt} of {most}" if most else f"attempt {execution.attempt}"


def most_attempts(execution: Execution) -> int | None:
    """Return how many attempts it may have at most: retries after failures, and those after losses so far."""
    if execution.recipe is None:
        return None
    return max(
        execution.attempt, execution.recipe.max_retries + 1 + min(execution.losses, execution.recipe.retry_on_lost)
    )


def _tries(execution: Execution) -> str:
    return f" on {_attempt(execution)}" if execution.attempt > 1 else ""


def _after(execution: Execution) -> str:
    return f" after {span(execution.duration)}" if execution.duration is not None else ""


def _lateness(execution: Execution) -> str:
    late = execution.lateness
    return f", started {span(late)} late" if late is not None and late >= _LATE else ""


def _error(execution: Execution) -> str:
    return f": {execution.error.strip().splitlines()[0]}" if execution.error and execution.error.strip() else ""
