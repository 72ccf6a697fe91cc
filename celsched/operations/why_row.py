"""Owns the answer for a fire time that has a row in the ledger: how it ended or why it was skipped. It never writes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.domain.definition import Effective
from celsched.domain.execution import TERMINAL, Cause, Execution, Reason, State
from celsched.operations.evidence import facts_of, hands_for, skip_facts_of
from celsched.operations.fate import fate
from celsched.operations.skips import skip_reason
from celsched.operations.standing import Standing
from celsched.operations.wording import command, moment, sentence, times
from celsched.store import executions, overview
from celsched.store.store import Tx
from celsched.timing.instant import format_instant


@dataclass(frozen=True, slots=True)
class Case:
    """What a question is about: a schedule as it stands, when it was deleted, and the present."""

    tx: Tx
    now: datetime
    standing: Standing
    deleted_at: datetime | None
    heartbeat: timedelta

    @property
    def name(self) -> str:
        """The schedule's name."""
        return self.standing.schedule.name

    @property
    def policies(self) -> Effective:
        """The policies in force."""
        return self.standing.policies

    def when(self, instant: datetime) -> str:
        """Return an instant in the schedule's zone."""
        return moment(instant, self.policies.timezone)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a fire time. `verdict` is the state of its row, or a word for what has no row."""

    schedule: str
    verdict: str
    sentence: str
    fire_time: datetime | None = None
    details: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    execution: Execution | None = None
    before: datetime | None = None
    after: datetime | None = None
    repeated_by: tuple[int, ...] = field(default=())
    alerts: tuple[int, ...] = field(default=())


def answer_row(case: Case, row: Execution, at: datetime) -> Answer:
    """Return the answer for the fire time `at`, which `row` stands for."""
    said = _skipped(case, row, at) if row.state is State.SKIPPED else f"{_named(row)} {_fate(case, row)}"
    repeats = tuple(executions.repeats_of(case.tx, row.id))
    return Answer(
        case.name,
        row.state,
        f"{case.when(at)}: {sentence(said)}",
        at,
        tuple(_details(case, row, repeats)),
        tuple(_commands(case, row, at)),
        row,
        repeated_by=repeats,
    )


def _fate(case: Case, row: Execution) -> str:
    return fate(row, facts_of(case.tx, row, case.now, case.policies.timezone))


def _named(row: Execution) -> str:
    return f"execution {row.id}"


def _skipped(case: Case, row: Execution, at: datetime) -> str:
    return f"skipped ({row.reason}): {skip_reason(row, at, skip_facts_of(case.tx, row, at, case.policies))}"


def _details(case: Case, row: Execution, repeats: tuple[int, ...]) -> Iterator[str]:
    if row.until is not None and row.fire_time is not None:
        span = f"from {case.when(row.fire_time)} to {case.when(row.until)}"
        yield f"It is one of {times(row.count)} {span}, recorded together as row {row.id}."
    states = overview.states_of(case.tx, repeats)
    for one in repeats:
        yield f"It was repeated as execution {one} ({states.get(one, 'gone')})."
    if row.revision != case.standing.schedule.revision:
        yield (
            f"It was recorded under revision {row.revision} of the schedule; "
            f"now it has revision {case.standing.schedule.revision}, and its rule may have been another."
        )
    if row.state not in TERMINAL and row.state is not State.RUNNING and not row.waits:
        yield from _who_is_missing(case, row)


def _who_is_missing(case: Case, row: Execution) -> Iterator[str]:
    """Say where nobody is there to take the next step."""
    if row.dispatch_at > case.now:
        return
    queue = row.recipe.queue_name if row.recipe else None
    hands = hands_for(case.tx, queue, case.now, case.heartbeat)
    if row.state is not State.QUEUED and not hands.daemon:
        yield no_daemon(case)
    if not hands.worker:
        yield f"No worker that takes the queue '{queue}' is alive: start one with `{command('worker')}`."


def no_daemon(case: Case) -> str:
    """Return the sentence that says since when no daemon has run."""
    beat = overview.last_beat(case.tx, "daemon")
    since = f"has run since {case.when(beat)}" if beat else "has ever run on this store"
    return f"No daemon {since}: start one with `{command('run')}`."


def _commands(case: Case, row: Execution, at: datetime) -> Iterator[str]:
    if row.state is State.SKIPPED:
        if row.reason != Reason.DELETED and case.deleted_at is None:
            end = at + timedelta(seconds=1)
            yield command("backfill", case.name, "--from", format_instant(at), "--to", format_instant(end))
        return
    yield command("show", "execution", row.id)
    if row.started_at is not None:
        yield command("logs", row.id, *(["-f"] if row.state is State.RUNNING else []))
    if row.state in TERMINAL and row.state is not State.SUCCEEDED:
        yield command("retry", row.id)


def later_request(case: Case, row: Execution | None) -> str | None:
    """Return a line about the schedule's newest execution where a person asked for it after this fire time."""
    newest = executions.latest(case.tx, case.standing.schedule.id, with_skips=False)
    if newest is None or newest.cause is Cause.SCHEDULE or (row is not None and newest.id <= row.id):
        return None
    who = f" by {newest.requested_by.user}" if newest.requested_by else ""
    return f"Since then: {_named(newest)} ({newest.cause}{who}) {_fate(case, newest)}."
