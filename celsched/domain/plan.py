"""The heart: decides what becomes of every due fire time of one schedule. It never reads a clock or a store.

`plan` takes the schedule, its cursor, the present instant and what is active, and returns which fire times become
executions, which are skipped and why, and the next fire time. Fire times are instants; bounds here are in whole
microseconds, so "strictly before t" is "up to t - 1 us".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from celsched.domain.execution import Reason
from celsched.domain.policy import Misfire, Overlap
from celsched.domain.state import ScheduleState
from celsched.timing.jitter import jitter_delay
from celsched.timing.rule import Rule, upcoming

TICK = timedelta(microseconds=1)
CATCH_UP_CAP = 100
"""How many misfired fire times `run_all` takes: the newest so many."""
BATCH = 500
"""How many fire times one plan decides at most one by one; the rest stays due for the next scan."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What of a schedule its plan depends on."""

    name: str
    rule: Rule
    misfire: Misfire
    misfire_after: timedelta
    catch_up_window: timedelta
    overlap: Overlap
    jitter: timedelta
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None


@dataclass(frozen=True, slots=True)
class Active:
    """Executions of the schedule that block others: `claimed` are running, `open` are active but not running.

    Chain rows (of `run_all` and backfills) are counted in `chain`, not in the other two; `waiting` counts the
    ordinary rows that wait.
    """

    open: int = 0
    claimed: int = 0
    chain: int = 0
    waiting: int = 0

    @property
    def any(self) -> bool:
        """Whether something blocks."""
        return bool(self.open or self.claimed or self.chain)


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire time that becomes an execution. With `cancels` the ordinary earlier ones are cancelled first."""

    fire_time: datetime
    due_at: datetime
    waits: bool = False
    chain: bool = False
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """Fire times from `first` to `last` (inclusive) that make no execution; `count` of them."""

    first: datetime
    last: datetime
    count: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What to record in one transaction. All up to `cursor` is decided then; `next_fire_time` None: the end.

    `overlapped`: a fire time was skipped because of what was active before the plan, and not of its own fires alone.
    """

    fires: tuple[Fire, ...]
    skips: tuple[Skip, ...]
    cursor: datetime
    next_fire_time: datetime | None
    overlapped: bool = False


@dataclass(slots=True)
class _Ledger:
    """What a plan has put together so far."""

    subject: Subject
    active: Active
    runs: int
    fires: list[Fire] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)

    @property
    def spent(self) -> bool:
        limit = self.subject.max_runs
        return limit is not None and self.runs + len(self.fires) >= limit

    def fire(self, at: datetime, *, waits: bool = False, chain: bool = False, cancels: bool = False) -> None:
        due = at + jitter_delay(self.subject.name, at, self.subject.jitter)
        self.fires.append(Fire(at, due, waits=waits, chain=chain, cancels=cancels))

    def skip(self, after: datetime, until: datetime, reason: Reason) -> None:
        found = skipped(self.subject.rule, after, until, reason)
        if found:
            self.skips.append(found)

    def skip_one(self, at: datetime, reason: Reason) -> None:
        last = self.skips[-1] if self.skips else None
        follows = last is not None and last.reason is reason and not any(last.last < f.fire_time for f in self.fires)
        if last is not None and follows:
            self.skips[-1] = Skip(last.first, at, last.count + 1, reason)
        else:
            self.skips.append(Skip(at, at, 1, reason))


def skipped(rule: Rule, after: datetime, until: datetime, reason: Reason) -> Skip | None:
    """Return the fire times in (after, until] as one range, counted by arithmetic; None where there are none."""
    if until <= after:
        return None
    count = rule.count(after, until)
    if not count:
        return None
    first = rule.next_after(after)
    (last,) = rule.latest(until, after, 1)
    if first is None:
        raise AssertionError("a rule that counts a fire time must name it")
    return Skip(first, last, count, reason)


def next_fire_time(subject: Subject, after: datetime, runs: int) -> datetime | None:
    """Return the first fire time after `after` within start, end and max_runs; None where the schedule has ended."""
    if subject.max_runs is not None and runs >= subject.max_runs:
        return None
    coming = subject.rule.next_after(_from_start(subject, after))
    return None if coming is None or (subject.end_at and coming > subject.end_at) else coming


def _from_start(subject: Subject, after: datetime) -> datetime:
    return max(after, subject.start_at - TICK) if subject.start_at else after


def plan(subject: Subject, cursor: datetime, runs: int, now: datetime, active: Active) -> Plan:
    """Decide the fire times in (cursor, now].

    `runs` is the number of executions that count against max_runs. Work is bounded: at most `BATCH` fire times are
    decided one by one, the rest by arithmetic or in the next call (the returned cursor then lies before `now`).
    """
    lower = _from_start(subject, cursor)
    upper = min(now, subject.end_at) if subject.end_at else now
    ledger = _Ledger(subject, active, runs)
    if upper <= lower or ledger.spent:
        return Plan((), (), max(cursor, now), next_fire_time(subject, max(cursor, now), runs))
    too_old = min(max(lower, now - subject.catch_up_window - TICK), upper)
    misfired = min(max(too_old, _misfire_edge(subject, now)), upper)
    ledger.skip(lower, too_old, Reason.TOO_LATE)
    young = upcoming(subject.rule, misfired, BATCH + 1, upper)
    batch = list(young)
    _catch_up(ledger, too_old, misfired, stand_in=bool(batch))
    reached = max(cursor, now)
    if len(batch) > BATCH:
        batch.pop()
        reached = batch[-1]
    _go_through(ledger, batch)
    total = runs + len(ledger.fires)
    overlapped = active != Active() and any(skip.reason is Reason.OVERLAP for skip in ledger.skips)
    return Plan(tuple(ledger.fires), tuple(ledger.skips), reached, next_fire_time(subject, reached, total), overlapped)


def _misfire_edge(subject: Subject, now: datetime) -> datetime:
    """Return the last instant whose fire times are misfires: their start, jitter included, was due too long ago."""
    edge = now - subject.misfire_after - TICK
    if subject.jitter:
        # Jitter is less than half the shortest period, so at most one fire time can be due later than its instant says.
        for at in subject.rule.latest(edge, edge - subject.jitter, 1):
            if at + jitter_delay(subject.name, at, subject.jitter) > edge:
                return at - TICK
    return edge


def _catch_up(ledger: _Ledger, after: datetime, until: datetime, *, stand_in: bool) -> None:
    """Decide the misfired fire times in (after, until]; `stand_in`: a younger one is due and stands for them."""
    subject = ledger.subject
    if until <= after:
        return
    if subject.misfire is Misfire.SKIP:
        ledger.skip(after, until, Reason.MISFIRE_SKIP)
        return
    if subject.misfire is Misfire.RUN_ALL:
        newest = subject.rule.latest(until, after, CATCH_UP_CAP)
        if newest:
            ledger.skip(after, newest[0] - TICK, Reason.CATCH_UP_CAP)
        _chain(ledger, newest)
        return
    newest = [] if stand_in else subject.rule.latest(until, after, 1)
    ledger.skip(after, newest[0] - TICK if newest else until, Reason.COALESCED)
    _go_through(ledger, newest)


def _chain(ledger: _Ledger, fire_times: list[datetime]) -> None:
    """Record fire times that run one at a time, in order, whatever the overlap; only the first may start at once."""
    blocked = ledger.subject.overlap is not Overlap.ALLOW and ledger.active.any
    for at in fire_times:
        if ledger.spent:
            return
        ledger.fire(at, waits=blocked, chain=True)
        blocked = True
    if fire_times:
        active = ledger.active
        ledger.active = Active(active.open, active.claimed, active.chain + 1, active.waiting)


def _go_through(ledger: _Ledger, fire_times: list[datetime]) -> None:
    """Decide ordinary fire times by overlap, oldest first."""
    for at, newest in _with_newest(fire_times):
        if ledger.spent:
            return
        _overlap(ledger, at, newest=newest)


def _with_newest(fire_times: list[datetime]) -> Iterator[tuple[datetime, bool]]:
    final = len(fire_times) - 1
    return ((at, position == final) for position, at in enumerate(fire_times))


def _overlap(ledger: _Ledger, at: datetime, *, newest: bool) -> None:
    active = ledger.active
    match ledger.subject.overlap:
        case Overlap.ALLOW:
            ledger.fire(at)
        case Overlap.CANCEL_RUNNING if not newest:
            # It would be cancelled by the younger one before it could start.
            ledger.skip_one(at, Reason.OVERLAP)
        case Overlap.CANCEL_RUNNING:
            # Open ones are cancelled for certain; running and chain rows have to end first.
            earlier = bool(active.open or active.claimed or active.waiting)
            ledger.fire(at, waits=bool(active.claimed or active.chain), cancels=earlier)
        case Overlap.QUEUE_ONE if active.waiting or not active.any:
            if active.waiting:
                ledger.skip_one(at, Reason.OVERLAP)
            else:
                ledger.fire(at)
                ledger.active = Active(1, active.claimed, active.chain, 0)
        case Overlap.QUEUE_ONE:
            ledger.fire(at, waits=True)
            ledger.active = Active(active.open, active.claimed, active.chain, 1)
        case _ if active.any:
            ledger.skip_one(at, Reason.OVERLAP)
        case _:
            ledger.fire(at)
            ledger.active = Active(1, active.claimed, active.chain, active.waiting)


def decide(subject: Subject, state: ScheduleState, now: datetime, active: Active) -> Plan:
    """Decide what is due for a schedule in the given state; a pause that has run out by `now` is ended.

    Fire times before the pause's end are `paused`, those from it on follow the misfire policy, also if no daemon
    looked at that moment. A pause that goes on decides nothing: its fire times are summed when it ends.
    """
    if state.paused_at is None:
        return plan(subject, state.cursor, state.runs, now, active)
    if state.paused_until is None or state.paused_until > now:
        return Plan((), (), state.cursor, None)
    resumed = max(state.cursor, state.paused_until - TICK)
    slept = paused_range(subject, state.cursor, state.runs, resumed)
    rest = plan(subject, resumed, state.runs, now, active)
    return replace(rest, skips=(slept, *rest.skips)) if slept else rest


def paused_range(
    subject: Subject, cursor: datetime, runs: int, until: datetime, reason: Reason = Reason.PAUSED
) -> Skip | None:
    """Return the fire times in (cursor, until] of a schedule that was paused, disabled or deleted, as one range.

    A schedule whose `runs` have reached max_runs has ended: it has no fire times any more.
    """
    if subject.max_runs is not None and runs >= subject.max_runs:
        return None
    upper = min(until, subject.end_at) if subject.end_at else until
    return skipped(subject.rule, _from_start(subject, cursor), upper, reason)
