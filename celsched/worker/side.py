"""Owns what `install` adds to a Celery app: our tasks, and our part in each stage of its worker's life.

It never starts a worker; in a process that is no worker it does nothing.
"""

import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from billiard.process import current_process
from celery import signals

from celsched.broker.errors import ForeignMessage
from celsched.broker.message import TASK_EXECUTE, Message
from celsched.callables.resolve import prepare_imports
from celsched.errors import CelschedError, StoreUnreachable
from celsched.redact import Redactor
from celsched.service import ServiceManager
from celsched.settings import Settings
from celsched.store import claims, instances
from celsched.store.store import Store, Tx, open_store
from celsched.worker import processes
from celsched.worker.desk_store import DeskStore
from celsched.worker.execute import execute
from celsched.worker.guard import Guard, Timing
from celsched.worker.hearing import Hearing
from celsched.worker.identity import identify
from celsched.worker.instance import instance_of
from celsched.worker.keeper import Keeper, Turns
from celsched.worker.ledger import Desk, Ledger
from celsched.worker.orphans import end_orphans
from celsched.worker.output_files import make_folder
from celsched.worker.pool import has_processes
from celsched.worker.reaper_link import ReaperLink
from celsched.worker.runtime import Runtime
from celsched.worker.slots import MOST_SLOTS, Occupant, Slots, SlotState

logger = logging.getLogger("celsched.worker")

_SHARED_TASKS = "celsched.tasks"
_LOOK_AFTER_POOL = 0.5  # seconds
_SILENCE = 0.75
"""Part of a lease without the store after which bodies of which a second copy could start are killed."""


class WorkerSide:
    """One Celery app's connection to celsched. `runtime` exists only inside its worker and the pool children."""

    def __init__(self, app: Any, settings: Settings, name: str | None = None) -> None:
        self.app = app
        self.settings = settings
        self.runtime: Runtime | None = None
        self.keeper: Keeper | None = None
        self.host = socket.gethostname()
        self.given_store: Store | None = None
        """The store for the pool children, where the caller has opened one."""
        self.gave_up_at: float | None = None
        """When bodies that still run are ended (monotonic seconds), because the worker stops."""
        self.service = ServiceManager(None)
        self.on_deaf: Callable[[], None] | None = None
        """What to do when the consumer is dead; an application's own worker is left alone."""
        self._hearing: Hearing | None = None
        self._name = name
        self._reaper: ReaperLink | None = None

    def attach(self) -> None:
        """Register the task and listen to the worker's life."""

        def on_message(task: Any, **kwargs: Any) -> None:
            self._on_message(str(task.request.id), kwargs)

        self.app.task(on_message, name=TASK_EXECUTE, bind=True, acks_late=False, ignore_result=True)
        for moment, receiver in (
            (signals.worker_init, self._on_worker_init),
            (signals.worker_ready, self._on_ready),
            (signals.worker_process_init, self._on_child),
            (signals.task_received, self._on_received),
            (signals.worker_shutting_down, self._on_shutting_down),
            (signals.worker_shutdown, self._on_shutdown),
        ):
            # Weak references would let the bound methods go at once.
            moment.connect(receiver, weak=False)

    def _on_message(self, task_id: str, kwargs: Mapping[str, Any]) -> None:
        runtime = self.runtime
        if runtime is None:
            logger.error("a message of celsched is left: celsched is not running in this worker")
            return
        try:
            message = Message.from_kwargs(kwargs)
        except ForeignMessage as error:
            logger.warning("%s; it is left", error.message)
            return
        what = f"the message of execution {message.execution_id}.{message.attempt}"
        try:
            word = runtime.word
        except StoreUnreachable as error:  # a child whose first message this is has not asked yet
            logger.warning("%s was not claimed: %s", what, error.message)
            return
        if message.store != word:
            logger.warning(
                "a message for execution %d of the store %s is left: this worker's store is %s (two installations share"
                " a broker's queues, and take each other's messages: give each its own `broker_key_prefix`, Redis"
                " database or queues)",
                message.execution_id,
                message.store,
                word,
            )
            return

        def claim(tx: Tx, by: claims.Claimant) -> Any:
            return claims.claim(tx, message.execution_id, message.attempt, by, runtime.store.clock.now())

        def twice(tx: Tx) -> bool:
            return claims.came_twice(tx, message.execution_id, message.attempt)

        execute(runtime, claim, what=what, task_id=task_id, twice=twice)

    def _on_worker_init(self, sender: Any, **_: Any) -> None:
        if sender.app is not self.app or self.runtime is not None:
            return
        try:
            store = self.given_store or self._open()
            # Another one for the main process: a connection must not be shared over a fork.
            desk_store = self._open()
        except CelschedError as error:
            logger.error("celsched does not run in this worker: %s (%s)", error.message, error.hint)
            return
        prepare_imports(tuple(map(str, self.settings.python_path)), self.settings.preload)
        theirs, ours = _key_prefix(self.app), self.settings.broker_key_prefix
        if theirs != ours and not self.settings.embedded:
            logger.warning(
                "this worker's keys in Redis begin with %r and `broker_key_prefix` of celsched is %r: it hears nothing"
                " of celsched's daemons; make the application's `global_keyprefix` the same",
                theirs or "",
                ours or "",
            )
        if not has_processes(sender.pool_cls):
            logger.warning("the pool of this worker is not prefork: celsched cannot end its tasks by limit or cancel")
        # By name, because it is on a floor above; an app that only called `install` need not import it itself.
        self.app.loader.import_task_module(_SHARED_TASKS)
        self._begin(store, desk_store, sender)

    def _open(self) -> Store:
        return open_store(self.settings.database_url.reveal(), clock_offset_file=self.settings.clock_offset_file)

    def _begin(self, store: Store, desk_store: Store, worker: Any) -> None:
        """Make what main process and children share; called before the pool forks."""
        concurrency = _most_children(worker)
        identity = identify(self._name or str(worker.hostname))
        folder = make_folder()
        slots = Slots(min(MOST_SLOTS, max(16, 2 * concurrency)))
        self.runtime = Runtime(self.settings, store, identity, slots, folder)
        timing = Timing(self.settings.kill_grace.total_seconds(), _SILENCE * self.settings.lease.total_seconds())
        with suppress(StoreUnreachable):  # as it may be after all; then they live until their own end
            end_orphans(desk_store.read(lambda tx: instances.running(tx, "worker")), identity.host)
        store.close()  # no connection may cross the fork; children open their own
        clock = self.runtime.clock
        guard = Guard(slots, folder, identity.id, timing, clock.monotonic)
        desk = Desk(DeskStore(desk_store), slots, folder, Redactor(self.settings.redact), clock.monotonic)
        queues = list(self.app.amqp.queues.consume_from)
        ledger = Ledger(desk, guard, instance_of(identity, queues, concurrency, desk_store.clock.now()))
        self._reaper = ReaperLink(identity.id, folder, clock.monotonic)
        self._reaper.start()
        self._hearing = Hearing(desk.store, slots, clock.monotonic, self._served(queues), self.settings.republish)
        turns = Turns(self._tell_alive, self._check_hearing)
        self.keeper = Keeper(guard, ledger, self._reaper, clock, self.settings.heartbeat.total_seconds(), turns)

    def _on_ready(self, sender: Any, **_: Any) -> None:
        if self.keeper is None or sender.app is not self.app:
            return
        self.keeper.start()
        if self.given_store is not None and sender.hub is not None:
            # Celery looks each 5 s; so long the place of a child that was killed would take no message.
            sender.hub.call_repeatedly(_LOOK_AFTER_POOL, sender.pool.maintain_pool)
        self.service.ready()

    def _served(self, queues: Sequence[str]) -> Sequence[str] | None:
        return None if self.settings.embedded else queues

    def _on_received(self, **_: Any) -> None:
        if self._hearing is not None:
            self._hearing.note()

    def _tell_alive(self) -> None:
        runtime = self.runtime
        self.service.alive(f"{len(runtime.slots.busy()) if runtime else 0} executions running")

    def _check_hearing(self) -> None:
        """Stop a worker that is up but does not hear its queues any more; who restarts it is the service manager."""
        if self._hearing is not None and self.on_deaf is not None and self._hearing.deaf():
            logger.error("this worker has free processes but receives nothing from its queues: it stops")
            self.on_deaf()

    def _on_child(self, **_: Any) -> None:
        runtime = self.runtime
        index = getattr(current_process(), "index", None)
        if runtime is None or index is None or os.getpid() == runtime.identity.pid:
            return  # the process of another app, or a pool without processes
        _become_session_leader()
        _leave_to(self._reaper)
        if self.given_store is not None:
            _read_nothing()
        runtime.slots.after_fork()
        runtime.store.forget_connections()
        self.keeper = None
        if index >= runtime.slots.count:
            logger.error("this worker has more pool processes than celsched can watch (%d)", runtime.slots.count)
            self.runtime = None
            return
        runtime.index = index
        with runtime.slots.lock(index):
            # So that the reaper learns of a child before its first body; a dead predecessor's claim stays to be buried.
            if runtime.slots.read(index).state is SlotState.FREE:
                runtime.slots.write(index, Occupant(pid=os.getpid()))

    def _on_shutting_down(self, **_: Any) -> None:
        self.drain(self.settings.drain.total_seconds())

    @property
    def name(self) -> str:
        """What people call this worker."""
        return self._name or (self.runtime.identity.name if self.runtime else "worker")

    def drain(self, seconds: float) -> None:
        """Claim nothing more; bodies have this long to end. Safe in a signal handler; may be called again."""
        self.service.stopping()
        if self.runtime is not None:
            self.runtime.slots.start_draining()
        if self.keeper is not None:
            self.gave_up_at = self.keeper.drain(seconds)

    def hurry(self) -> None:
        """End what still runs at once. Safe in a signal handler."""
        self.drain(0.0)
        if self.keeper is not None:
            self.keeper.hurry()

    def _on_shutdown(self, sender: Any, **_: Any) -> None:
        if sender.app is self.app:
            self.close()

    def close(self) -> None:
        """Record what is left and leave; once."""
        keeper, self.keeper = self.keeper, None
        if keeper is not None and self.runtime is not None:
            keeper.close(5.0)
            shutil.rmtree(self.runtime.folder, ignore_errors=True)


def _most_children(worker: Any) -> int:
    autoscale = worker.options.get("autoscale")
    if autoscale:
        return int(str(autoscale).split(",")[0]) if isinstance(autoscale, str) else int(max(autoscale))
    return worker.concurrency if isinstance(worker.concurrency, int) else os.cpu_count() or 1


def _key_prefix(app: Any) -> str | None:
    return dict(app.conf.broker_transport_options or {}).get("global_keyprefix") or None


def _become_session_leader() -> None:
    try:
        os.setsid()
    except OSError:
        logger.debug("this pool child leads its session already")
    processes.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave_to(reaper: ReaperLink | None) -> None:
    """Let the reaper end this child when its parent is killed, instead of the kernel.

    Celery asks the kernel to kill it at once. Then what its body had put into the background, in a session of its own
    and without our environment, would be nobody's child any more and could not be found.
    """
    told = reaper is not None and reaper.introduce(os.getpid())
    # By "parent" the kernel means the forking thread, and the one that replaces children ends before them at a stop.
    if told or not _forked_by_main_thread():
        processes.die_with_parent(None)


def _forked_by_main_thread() -> bool:
    return type(threading.current_thread()).__name__ == "_MainThread"


def _read_nothing() -> None:
    """Give bodies an empty standard input: the worker's own is the daemon's, or a terminal."""
    with suppress(OSError):
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)
