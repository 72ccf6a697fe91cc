"""Owns the actors of races: daemons, workers and people as threads, each with its own store, on a clock that runs fast.

It never judges; what actors saw and did lies in `Diary` for the test that does.
"""

import itertools
import queue
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from celsched.broker.message import Message
from celsched.clock import SystemClock
from celsched.dispatcher.publish import Outbox
from celsched.dispatcher.recover import Recovery
from celsched.dispatcher.tick import DueScan
from celsched.domain.execution import TERMINAL, Execution, State
from celsched.domain.policy import Overlap
from celsched.errors import Conflict, NotFound, StoreUnreachable, UsageError
from celsched.operations import control
from celsched.operations.control import Cancelled
from celsched.operations.requests import RunNow, retry, run_now
from celsched.operations.scope import Scope
from celsched.store import executions
from celsched.store.engine import make_engine, parse_url
from celsched.store.executions import Filter
from celsched.store.store import Store
from tests.support.actors import DAEMON, all_executions, end, try_claim
from tests.support.factories import add_schedule, scope_of

SECOND = timedelta(seconds=1)
_ENOUGH_STARTS = 60
_EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


class FastClock(SystemClock):
    """Runs many times as fast as the machine's, from a date of its own; `ahead` seconds of it show two that differ."""

    def __init__(self, began: float, speed: float, ahead: float = 0.0) -> None:
        super().__init__()
        self._began, self._speed, self._ahead = began, speed, ahead

    def now(self) -> datetime:
        return _EPOCH + timedelta(seconds=(self.monotonic() - self._began) * self._speed + self._ahead)


@dataclass
class Diary:
    """What happened, as those who did it saw it."""

    starts: "Counter[tuple[int, int]]" = field(default_factory=Counter)
    """How often a body began, by execution and attempt."""
    cancelled: set[int] = field(default_factory=set)
    """Executions that somebody was told would not start (again)."""
    terminal: dict[int, State] = field(default_factory=dict)
    side_by_side: list[int] = field(default_factory=list)
    """Executions that began while another one of a schedule that forbids it was inside its body."""
    done: "Counter[str]" = field(default_factory=Counter)
    refused: "Counter[str]" = field(default_factory=Counter)
    by_daemon: "Counter[int]" = field(default_factory=Counter)
    """Fire times that each daemon recorded."""
    faults: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    inside: "Counter[int]" = field(default_factory=Counter)


class Letterbox:
    """A broker: each message comes once, or twice to whoever is quick."""

    def __init__(self, seed: int) -> None:
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._random = random.Random(seed)

    def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
        """Deliver it."""
        for _ in range(self._random.choice((1, 1, 2))):
            self.messages.put(message)

    def close(self) -> None:
        """Nothing is held."""


class Crowd:
    """Actors at one database, each a thread with its own connections, and the stop of them all."""

    def __init__(self, url: str, seed: int, *, speed: float = 10.0) -> None:
        self.diary, self.box, self.seed = Diary(), Letterbox(seed), seed
        self.stop = threading.Event()
        self._url, self._speed = url, speed
        self._began = SystemClock().monotonic()
        self._threads: list[threading.Thread] = []
        self._stores: list[Store] = []
        self.scope = self.join()

    def join(self, ahead: float = 0.0) -> Scope:
        """Return a new person's (or process's) own way to the store."""
        engine, dialect = make_engine(parse_url(self._url))
        store = Store(engine, dialect, clock=FastClock(self._began, self._speed, ahead))
        self._stores.append(store)
        return scope_of(store)

    def start(self, step: Callable[[], bool | None]) -> threading.Thread:
        """Repeat `step` in a thread until it returns False or all stop; what it raises ends everything."""

        def loop() -> None:
            try:
                while not self.stop.is_set() and step() is not False:
                    pass
            except BaseException as error:  # handed to the test, which fails with it
                self.diary.faults.append(error)
                self.stop.set()

        thread = threading.Thread(target=loop, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def rest(self) -> None:
        """Stop every actor and wait for their ends."""
        self.stop.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads), "an actor hangs"

    def end(self) -> None:
        """Stop every actor and close what it held."""
        self.rest()
        for store in self._stores:
            store.close()

    def daemon(self, number: int, *, ahead: float = 0.0) -> None:
        """A daemon: due scan, publisher and recovery by turns."""
        store = self.join(ahead).store
        scan = DueScan(store, store.clock, {}, DAEMON)
        outbox = Outbox(store, store.clock, self.box, word="abc", republish=60 * SECOND)
        recovery = Recovery(store, store.clock, lease=600 * SECOND, period=SECOND, prove=lambda: None)

        def step() -> None:
            try:
                result = scan.run_once()
                self.diary.by_daemon[number] += result.fires
                sent = outbox.run_once(self.stop).sent
                recovery.run_once()
            except StoreUnreachable:  # a loaded machine is slower than the server's limits: as the daemon does, again
                self.diary.refused["daemon"] += 1
                return
            self.stop.wait(0 if result.full or sent else 0.02)

        self.start(step)

    def worker(self, number: int, *, ahead: float = 0.0) -> None:
        """A worker whose bodies write down that they began, and fail one time in three."""
        store, chance = self.join(ahead).store, random.Random(f"worker {self.seed} {number}")

        def step() -> None:
            try:
                message = self.box.messages.get(timeout=0.05)
            except queue.Empty:
                return
            found = try_claim(store, message.execution_id, message.attempt)
            if isinstance(found, Execution):
                self._body(found)
                end(store, found, chance.choice((State.SUCCEEDED, State.SUCCEEDED, State.FAILED)))

        self.start(step)

    def _body(self, execution: Execution) -> None:
        alone = execution.recipe is not None and execution.recipe.overlap is not Overlap.ALLOW
        key = execution.schedule_id if alone else None
        with self.diary.lock:
            self.diary.starts[execution.id, execution.attempt] += 1
            if key is not None:
                self.diary.inside[key] += 1
                if self.diary.inside[key] > 1:
                    self.diary.side_by_side.append(execution.id)
        self.stop.wait(0.002)
        if key is not None:
            with self.diary.lock:
                self.diary.inside[key] -= 1

    def onlooker(self) -> None:
        """One who remembers each final state as it was first seen."""
        store = self.join().store

        def step() -> None:
            for one in all_executions(store):
                if one.state in TERMINAL:
                    self.diary.terminal.setdefault(one.id, one.state)
            self.stop.wait(0.5)

        self.start(step)


class Person:
    """One of several who meddle with the same store by chance; each edits only schedules of its own."""

    def __init__(self, crowd: Crowd, number: int, mine: list[str], all_names: list[str], wishes: int) -> None:
        self._crowd, self._mine, self._all = crowd, mine, all_names
        self._scope = crowd.join(ahead=0.05 * number)
        self._random = random.Random(f"person {crowd.seed} {number}")
        self._generations = itertools.count(1)
        self._left = wishes
        self._known: list[int] = []
        self._wishes: tuple[Callable[[], None], ...] = (
            self._run_now,
            self._run_now,
            self._cancel,
            self._cancel,
            self._cancel_any,
            self._pause,
            self._resume,
            self._edit,
            self._edit,
            self._retry,
            self._delete_and_make_anew,
        )

    def step(self) -> bool:
        """Fulfil one wish; a refusal is an answer like any other. Quick people go on until enough has begun."""
        wish = self._random.choice(self._wishes)
        diary = self._crowd.diary
        try:
            wish()
            diary.done[wish.__name__] += 1
        except (Conflict, NotFound, UsageError):
            diary.refused[wish.__name__] += 1
        self._left -= 1
        return self._left > 0 or len(diary.starts) < _ENOUGH_STARTS

    def edit(self, name: str) -> None:
        """Give a schedule a new rule, and parameters that tell its fire times from those of the rule before."""
        add_schedule(
            self._scope,
            name,
            every=self._random.choice((1, 2, 3)) * SECOND,
            overlap=self._random.choice(list(Overlap)),
            max_retries=self._random.choice((0, 0, 2)),
            params={"generation": next(self._generations)},
        )

    def _run_now(self) -> None:
        overlap = self._random.choice((None, *Overlap))
        self._known.append(run_now(self._scope, RunNow(self._random.choice(self._all), overlap=overlap)))

    def _cancel(self) -> None:
        self._known.append(run_now(self._scope, RunNow(self._random.choice(self._all), overlap=Overlap.ALLOW)))
        self._cancelled(self._known[-1])

    def _cancel_any(self) -> None:
        newest = self._scope.store.read(lambda tx: executions.listing(tx, Filter(), 20))
        if newest:
            self._cancelled(self._random.choice(newest).id)

    def _cancelled(self, execution_id: int) -> None:
        if control.cancel(self._scope, execution_id).outcome is Cancelled.BEFORE_START:
            self._crowd.diary.cancelled.add(execution_id)

    def _pause(self) -> None:
        control.pause(self._scope, [self._random.choice(self._all)])

    def _resume(self) -> None:
        control.resume(self._scope, [self._random.choice(self._all)])

    def _edit(self) -> None:
        self.edit(self._random.choice(self._mine))

    def _retry(self) -> None:
        if self._known:
            self._known.append(retry(self._scope, self._random.choice(self._known), overlap=Overlap.ALLOW))

    def _delete_and_make_anew(self) -> None:
        name = self._random.choice(self._mine)
        control.delete_schedule(self._scope, name)
        self.edit(name)
