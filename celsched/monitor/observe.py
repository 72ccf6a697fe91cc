"""Owns what a watcher knows besides the store: how long who was silent, its machine's clock, the broker's answers.

It gathers the facts of work and machine for one look, and never judges them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from celsched.domain.health import duration_drift, queued, running
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Look
from celsched.domain.health.machine import JUDGES as MACHINE
from celsched.domain.health.machine_facts import ClockReading, MachineFacts, Openings, Seen
from celsched.domain.health.subjects import living_of, schedule_of, task_of
from celsched.domain.health.work import JUDGES as WORK
from celsched.domain.health.work_facts import Run, Success, WorkFacts
from celsched.domain.silence import Silence
from celsched.monitor.clocks import ClockWatch
from celsched.monitor.probe import Probe
from celsched.monitor.samples import QueueSamples
from celsched.monitor.waits import WaitMemory
from celsched.store import notices, watch_machine, watch_work
from celsched.store.readable import attempt
from celsched.store.store import Tx
from celsched.store.watch_machine import Unread

_FRESH = timedelta(minutes=10)
"""How far back the first look searches for successes."""
_AGAIN = timedelta(minutes=1)
"""How far each later one overlaps the one before: for commits that came late."""
_HISTORY = timedelta(minutes=10)
"""How long a schedule's past is remembered before it is read anew."""

_LIVES = 2
"""Heartbeats within which an instance was heard of that surely lives."""
_TELLS: Mapping[str, Sequence[AlertKind]] = {
    "daemon": (AlertKind.DAEMON_DOWN,),
    "watcher": (AlertKind.WATCH_DOWN,),
    "worker": (AlertKind.NO_WORKER, AlertKind.DUP_DELIVERY),
}
"""Which kinds tell that there is no such instance, or what it met."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a watcher has besides the store. `host`: of this process; None and empty where there is nothing to look at.

    `one_queue`: the queue through which the embedded broker serves all. `channels`: those that are in use, None for all
    that ever were.
    """

    host: str = ""
    clocks: ClockWatch | None = None
    broker: Probe | None = None
    one_queue: str | None = None
    channels: Collection[str] | None = None


@dataclass(slots=True)
class _Past:
    read_at: datetime
    successes: Sequence[Success] = ()


@dataclass(slots=True)
class Observer:
    """Remembers between looks; for one watcher only. `heartbeat`: how often instances report."""

    around: Surroundings
    heartbeat: timedelta
    _claims: Silence = field(init=False)
    _instances: Silence = field(init=False)
    _past: dict[int, _Past] = field(default_factory=dict)
    _samples: QueueSamples = field(default_factory=QueueSamples)
    _waits: WaitMemory = field(default_factory=WaitMemory)
    _looked_at: datetime | None = None
    _clock: ClockReading | None = None
    _monotonic: float = 0.0

    def __post_init__(self) -> None:
        longest = 2 * self.heartbeat.total_seconds()
        self._claims, self._instances = Silence(longest), Silence(longest)

    def begin(self, monotonic: float) -> None:
        """Look at what is outside of the store, before a transaction; this is the look at that monotonic second."""
        self._monotonic = monotonic
        self._clock = self.around.clocks.read() if self.around.clocks else None

    def facts(self, tx: Tx, look: Look, gaps: list[Gap]) -> Look:
        """Return the look with the facts of work and machine, read in this transaction; it may be run again.

        Of facts among which something cannot be read nothing is said, and their kinds are not judged; rows of which
        the rest can do without are added to `gaps`.
        """
        unread = dict(look.unread)
        everybody = watch_machine.everybody(tx, look.now - look.rule(AlertKind.DUP_DELIVERY).length("quiet"), gaps)
        seen = heard(self._instances, everybody.seen, look.now, self._monotonic)
        unread |= hidden(everybody.unread, seen, self.heartbeat)
        work = attempt(lambda: self._work(tx, look, seen, everybody.unread), WORK, unread)
        asked = watch_work.task_layers(tx, _tasks_alone(look, work), gaps)
        machine = attempt(lambda: self._machine(tx, look, seen, everybody), MACHINE, unread)
        return replace(look, work=work, machine=machine, task_layers=asked, unread=unread)

    def failed(self) -> None:
        """The store could not be read: since the last look nobody could be heard, who lives has still to say so."""
        for silence in (self._claims, self._instances):
            silence.interrupt(self.heartbeat.total_seconds())

    def end(self, now: datetime, failed: Collection[AlertKind] = ()) -> None:
        """The look at `now` was judged but for the kinds that failed, and what was found is stored."""
        if WORK.keys().isdisjoint(failed):
            self._looked_at = now
        if self.around.clocks and AlertKind.CLOCK_JUMP not in failed:
            self.around.clocks.told()

    def _work(self, tx: Tx, look: Look, seen: Sequence[Seen], unread: Sequence[Unread]) -> WorkFacts:
        since = look.now - _FRESH if self._looked_at is None else max(self._looked_at - _AGAIN, look.now - _FRESH)
        workers = [one for one in seen if one.kind == "worker"]
        # One that cannot be read is not taken to be silent: what it runs is, if that says nothing from now on.
        beats = {one.id: look.now for one in unread} | {one.id: one.beat_at for one in workers}
        runs = self._silent(watch_work.running(tx), beats, look.now)
        fresh, waiting = watch_work.successes(tx, since), watch_work.waiting(tx, look.now)
        drifts = duration_drift.needs_history(look, fresh)
        return WorkFacts(
            waiting=waiting,
            running=runs,
            fresh=fresh,
            history=self._history(tx, look, {*running.needs_history(look, runs, fresh), *drifts}),
            waits=self._waits.of(tx, queued.needs_waits(look, waiting), look.now),
            workers=workers,
            one_queue=self.around.one_queue,
            samples=self._samples.take(waiting, look.now, self._monotonic),
        )

    def _silent(self, runs: Sequence[Run], beats: Mapping[str, datetime], now: datetime) -> list[Run]:
        before = {
            run.token: (now - max(run.started_at, beats.get(run.worker, run.started_at))).total_seconds()
            for run in runs
        }
        silent = self._claims.look({run.token: run.beats for run in runs}, self._monotonic, before)
        return [replace(run, silent=timedelta(seconds=silent[run.token])) for run in runs]

    def _history(self, tx: Tx, look: Look, wanted: set[int]) -> Mapping[int, Sequence[Success]]:
        """Return the past of these schedules, read anew where it is old, or where the newest success decides."""
        judged = {schedule_of(alert.scope) for alert in living_of(look, AlertKind.TOO_SHORT)}
        self._past = {key: past for key, past in self._past.items() if abs(look.now - past.read_at) < _HISTORY}
        missing = {key for key in wanted if key in judged or key not in self._past}
        read = watch_work.history(tx, missing)
        self._past |= {key: _Past(look.now, read.get(key, ())) for key in missing}
        return {key: self._past[key].successes for key in wanted}

    def _machine(self, tx: Tx, look: Look, seen: Sequence[Seen], everybody: watch_machine.Instances) -> MachineFacts:
        running_now = [one for one in seen if one.stopped_at is None]
        return MachineFacts(
            host=self.around.host,
            active_schedules=watch_machine.active_schedules(tx),
            daemons=[one for one in running_now if one.kind == "daemon"],
            daemon_stopped_at=everybody.daemon_stopped_at,
            watchers=[one for one in running_now if one.kind == "watcher"],
            watcher_stopped_at=everybody.watcher_stopped_at,
            clock=self._clock,
            broker=self.around.broker.answer() if self.around.broker else None,
            openings=_openings(tx, look),
            channels=notices.channel_health(tx, self.around.channels),
        )


def _tasks_alone(look: Look, work: WorkFacts | None) -> set[int]:
    """Return the tasks that findings may be about: of executions without a schedule, of functions not found."""
    found = {one.task_id for one in look.troubles if one.unknown_task}
    found |= {one.id for one in look.edited if one.kind == "task"}
    if work is not None:
        found |= {one.task_id for one in work.waiting if one.schedule_id is None}
        found |= {one.task_id for one in work.running if one.schedule_id is None}
    return found | {number for alert in look.living.values() if (number := task_of(alert.scope)) is not None}


def heard(silence: Silence, seen: Sequence[Seen], now: datetime, monotonic: float) -> list[Seen]:
    """Return instances with how long they have been silent; only at the first look their last beats are believed."""
    before = {one.id: (now - one.beat_at).total_seconds() for one in seen}
    silent = silence.look({one.id: one.beat_at for one in seen}, monotonic, before)
    return [replace(one, silent=timedelta(seconds=silent[one.id])) for one in seen]


def hidden(unread: Iterable[Unread], seen: Sequence[Seen], heartbeat: timedelta) -> dict[AlertKind, Exception]:
    """Return the kinds of which nobody can say, and why: those that tell of instances none of which is known to live.

    Of workers each counts: it may be the only one at its queue.
    """
    living = {one.kind for one in seen if one.kind != "worker" and one.lives(_LIVES * heartbeat)}
    return {kind: one.error for one in unread if one.kind not in living for kind in _TELLS.get(one.kind, ())}


def _openings(tx: Tx, look: Look) -> list[Openings]:
    rules = [
        look.rule(AlertKind.FLAPPING),
        *{id(one.rules): one.rules[AlertKind.FLAPPING] for one in look.schedules.values()}.values(),
    ]
    since = look.now - max(rule.length("within") for rule in rules)
    flapping = [alert.scope for alert in living_of(look, AlertKind.FLAPPING)]
    return watch_machine.openings(tx, since, int(min(rule.number("opens") for rule in rules)), flapping)
