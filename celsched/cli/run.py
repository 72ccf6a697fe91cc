"""Owns `celsched run`: the daemon, with the embedded worker and the watcher where no broker is configured.

It never plans or runs a task itself.
"""

import threading
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.daemon_parts import daemon_parts, embedded_worker, recovery_period, watcher_of
from celsched.cli.delivery_parts import delivery_of, heart_of, telling_of
from celsched.cli.log_output import log_to
from celsched.cli.metrics_option import MetricsOption, answering
from celsched.cli.render_summary import summary_table
from celsched.cli.scope import scope_of
from celsched.cli.storage import say_if_idle, store_of
from celsched.clock import Clock
from celsched.dispatcher.child import EmbeddedWorker
from celsched.dispatcher.daemon import Daemon
from celsched.domain.health.kinds import AlertKind
from celsched.errors import SettingsError
from celsched.monitor.loop import watch_until
from celsched.monitor.stand_in import StandIn
from celsched.operations.summary import mark, summarise
from celsched.runloop import stop_on_signals
from celsched.settings import Settings
from celsched.timing.duration import format_duration, parse_duration

_LAST_TASKS = timedelta(seconds=10)
"""How long `--for` lets running tasks end after its time is up."""
_ASK_BEFORE_KILL = 8.0
_REFUSED = "the embedded worker cannot start with these settings or this store"


def run(
    ctx: typer.Context,
    apply: Annotated[
        list[str] | None, typer.Option("--apply", metavar="FILE", help="Apply this manifest (or folder) first.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Stop after so long, and show what was done.")
    ] = None,
    metrics: MetricsOption = None,
) -> None:
    """Dispatch due schedules until stopped.

    Without a broker_url it also starts a worker on this machine and watches; with one it only dispatches: start
    workers with `celsched worker` and the watcher with `celsched watch`.
    """
    cli = CliContext.of(ctx)
    length = parse_duration(for_) if for_ else None
    settings = cli.settings
    log_to(cli.stderr, verbosity=cli.verbosity, zone=settings.timezone)
    store, scope = store_of(cli), scope_of(cli)
    _prepare(cli, apply)
    begin = mark(scope)
    stop = threading.Event()
    parts = daemon_parts(settings, store, cli.clock)
    drain = settings.drain if length is None else min(settings.drain, _LAST_TASKS)
    worker = embedded_worker(_draining(settings, drain), cli.clock, cli.verbosity) if settings.embedded else None
    telling = _telling(cli, stop)
    heart = heart_of(settings, settings.daemon_ping, "celsched run", cli.clock)
    daemon = Daemon(
        parts,
        recover_every=recovery_period(settings),
        extra=partial(_look_after, worker, stop) if worker else None,
        good=heart.beat if heart else None,
    )
    with stop_on_signals(stop, on_stop=daemon.wake, hurry=worker.hurry if worker else None), ExitStack() as background:
        background.enter_context(answering(cli, metrics))  # first: an address that is taken ends it all
        parts.presence.beat()  # before the watcher looks for a living daemon
        cli.say(_greeting(cli, length))  # from here on it can be stopped
        if worker:
            worker.start()
            background.callback(worker.stop, drain=drain.total_seconds(), grace=_ASK_BEFORE_KILL)
        background.enter_context(telling)
        if heart:
            background.enter_context(heart.running(stop))
        if length is not None:
            background.enter_context(_Alarm(length, cli.clock, stop, daemon))
        daemon.run(stop)
    if worker and worker.refused:
        raise SettingsError(_REFUSED, hint="what it said stands above; `celsched doctor` looks at the rest")
    if length is not None:
        summary_table(cli, summarise(scope, begin))


def _prepare(cli: CliContext, manifests: list[str] | None) -> None:
    if manifests:
        # Imported here: a daemon that applies nothing reads no YAML.
        from celsched.cli.apply import apply_files

        apply_files(cli, manifests)
    say_if_idle(cli)


def _look_after(worker: EmbeddedWorker, stop: threading.Event) -> None:
    worker.look_after()
    if worker.refused:
        stop.set()


def _draining(settings: Settings, drain: timedelta) -> Settings:
    """Return the settings of a worker that gives its tasks so long to end; it is told as if by a flag."""
    if drain == settings.drain:
        return settings
    return replace(settings, drain=drain, origins={**settings.origins, "drain": "--for"})


def _greeting(cli: CliContext, length: timedelta | None) -> str:
    settings = cli.settings
    how = "with a worker of its own" if settings.embedded else "for workers on the broker"
    end = "stop it with Ctrl-C" if length is None else f"for {format_duration(length)}"
    return f"celsched runs {how}; {end}"


def _telling(cli: CliContext, stop: threading.Event) -> AbstractContextManager[None]:
    """Return what tells people what is wrong: a watcher of our own, or who stands in for watchers elsewhere."""
    if cli.settings.embedded:
        return _Watching(cli, stop)
    if not cli.settings.notify:
        return nullcontext()
    deliver = partial(delivery_of, cli.settings, store_of(cli), cli.clock, news=AlertKind.WATCH_DOWN)
    return StandIn(store_of(cli), cli.clock, deliver).running(stop)


class _Alarm:
    """Sets `stop` after a length of time, unless the block ends before."""

    def __init__(self, length: timedelta, clock: Clock, stop: threading.Event, daemon: Daemon) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ring, args=(length, clock, stop, daemon), daemon=True)

    def _ring(self, length: timedelta, clock: Clock, stop: threading.Event, daemon: Daemon) -> None:
        if not clock.wait(self._over, length.total_seconds()):
            stop.set()
            daemon.wake()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


class _Watching(AbstractContextManager[None]):
    """Watches in a thread of this process until `stop` is set."""

    def __init__(self, cli: CliContext, stop: threading.Event) -> None:
        watcher, presence = watcher_of(cli.settings, store_of(cli), cli.clock)
        self._telling = telling_of(cli.settings, store_of(cli), cli.clock)
        self._stop = stop
        self._parts = ExitStack()
        self._thread = threading.Thread(
            target=watch_until,
            args=(stop, watcher, presence, cli.clock),
            kwargs={"listener": self._telling},
            name="watcher",
            daemon=True,
        )

    def __enter__(self) -> None:
        self._parts.enter_context(self._telling.running(self._stop))
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(timeout=10)
        self._parts.close()
