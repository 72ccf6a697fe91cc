"""Owns `celsched worker`: a Celery worker of ours in this process, from start to a clean stop.

It never parses a command line.
"""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from celery.apps.worker import Worker
from celery.platforms import SecurityWarning
from celery.worker import state

from celsched.broker.app import BrokerApp, Timing, make_app
from celsched.broker.embedded import embedded_folder
from celsched.callables.resolve import prepare_imports
from celsched.clock import SystemClock
from celsched.settings import Settings
from celsched.store.store import Store
from celsched.worker.install import install
from celsched.worker.pool import SteadyPool
from celsched.worker.quiet import Voice, log_quietly
from celsched.worker.side import WorkerSide

logger = logging.getLogger("celsched.worker")

_PATIENCE = 10.0
"""Seconds that Celery gets to end once nothing runs any more; then this process ends without it."""
_PATIENCE_AFTER_KILLS = 1.0
"""The same where bodies were killed: Celery goes on waiting for them."""
_LOST_WAIT = 1.0
"""Seconds for which Celery waits for the answer of a dead child; as long its place is not given to another task."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a worker is and what it serves. `embedded`: it ends when its standard input closes."""

    concurrency: int
    queues: Sequence[str]
    name: str | None = None
    embedded: bool = False


def run_worker(
    settings: Settings,
    store: Store,
    shape: Shape,
    voice: Voice = Voice(),  # noqa: B008  # frozen
) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code (0 after a clean stop).

    The first signal lets bodies end for `settings.drain`; what still runs then, or at a second signal, is ended and
    recorded as lost (`worker_shutdown`). `embedded`: also stop when standard input closes, since the daemon is gone.

    Raises:
        SettingsError: the broker's URL or a preload module is unusable.
    """
    log_quietly(voice)
    # Celery's warning is about pickle; our worker takes JSON only, and many containers run as root.
    warnings.simplefilter("ignore", SecurityWarning)
    app = _app(settings)
    side = install(app, settings, shape.name)
    side.given_store = store
    side.service = voice.service
    # Here already: an error in it must end the start with a message.
    prepare_imports(tuple(map(str, settings.python_path)), settings.preload)
    worker = _OurWorker(
        app=app,
        hostname=f"{shape.name or 'celsched'}-{os.getpid()}@{side.host}",
        concurrency=shape.concurrency,
        queues=list(shape.queues),
        pool_cls=SteadyPool,
        task_events=False,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="INFO",
    )
    worker.side = side
    side.on_deaf = worker.give_up
    finished = threading.Event()
    _in_background("celsched-exit", lambda: _leave_anyway(worker, finished))
    if shape.embedded:
        _in_background("celsched-parent", _stop_without_parent)
    worker.start()
    side.close()
    finished.set()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Everything is recorded: an impatient signal while Python tidies up must not spoil the exit code.
        signal.signal(number, signal.SIG_IGN)
    logger.info("worker %s has stopped", side.name)
    return worker.code


def _app(settings: Settings) -> BrokerApp:
    app = make_app(
        "" if settings.broker_url is None else settings.broker_url.reveal(),
        embedded_folder=embedded_folder(settings.data_folder) if settings.embedded else None,
        role="worker",
        global_keyprefix=settings.broker_key_prefix,
        result_backend=None if settings.result_backend is None else settings.result_backend.reveal(),
        timing=Timing(drain=settings.drain.total_seconds()),
    )
    app.conf.update(worker_lost_wait=_LOST_WAIT)
    return app


class _OurWorker(Worker):  # type: ignore[misc] # Celery carries no types
    """A Celery worker with our answer to signals."""

    side: WorkerSide
    code = os.EX_OK

    def give_up(self) -> None:
        """Stop as at SIGTERM, and end with 75, for whoever started us to start another one."""
        self.code = os.EX_TEMPFAIL
        state.should_stop = self.code
        self.side.drain(self.side.settings.drain.total_seconds())

    def install_platform_tweaks(self, worker: Any) -> None:
        """Stop at SIGTERM and SIGINT: drain at the first, at once at the second. SIGHUP restarts nothing."""

        def stop(*_: object) -> None:
            again = state.should_stop is not None and state.should_stop is not False
            state.should_stop = os.EX_OK
            if again:
                self.side.hurry()
            else:
                self.side.drain(self.side.settings.drain.total_seconds())

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _in_background(name: str, do: Callable[[], None]) -> None:
    threading.Thread(target=do, name=name, daemon=True).start()


def _stop_without_parent() -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _leave_anyway(worker: _OurWorker, finished: threading.Event) -> None:
    """End the process where Celery does not manage to, once every body is gone or could not be recorded in time."""
    clock, side = SystemClock(), worker.side
    quiet_since: float | None = None
    while not clock.wait(finished, 0.2):
        runtime = side.runtime
        if runtime is None or not runtime.slots.draining:
            continue
        now = clock.monotonic()
        quiet_since = (quiet_since or now) if not runtime.slots.busy() else None
        killed = side.gave_up_at is not None and now > side.gave_up_at
        patience = _PATIENCE_AFTER_KILLS if killed else _PATIENCE
        late = side.gave_up_at is not None and now > side.gave_up_at + 2 * _PATIENCE
        if late or (quiet_since is not None and now > quiet_since + patience):
            side.close()
            logger.info("worker %s has stopped", side.name)
            os._exit(worker.code)
