"""Owns how a daemon is put together from settings. It runs nothing."""

import os
import socket
import sys
from dataclasses import replace
from datetime import timedelta

from celsched.broker.app import make_app
from celsched.broker.check import check_broker
from celsched.broker.embedded import EMBEDDED_QUEUE, embedded_folder
from celsched.broker.publisher import Publisher
from celsched.cli.scope import requester
from celsched.clock import Clock, SystemClock
from celsched.dispatcher.child import EmbeddedWorker
from celsched.dispatcher.daemon import Parts
from celsched.dispatcher.housekeeping import Housekeeping
from celsched.dispatcher.publish import Outbox
from celsched.dispatcher.recover import Recovery
from celsched.dispatcher.tick import DueScan
from celsched.domain.health.kinds import AlertKind, Value
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RuleBook
from celsched.monitor.check import Watcher
from celsched.monitor.clocks import ClockWatch
from celsched.monitor.observe import Surroundings
from celsched.monitor.probe import Probe
from celsched.monitor.watchers import WatcherCheck
from celsched.service import ServiceManager
from celsched.settings import Settings, subprocess_environment
from celsched.settings.fault import fault_of
from celsched.settings.load import notify_socket
from celsched.store.meta import store_word
from celsched.store.notices import PING
from celsched.store.presence import Presence
from celsched.store.store import Store
from celsched.store.wake import Doorbell

_UNSENT = timedelta(seconds=30)
"""How long what is due may go unsent at least, however short `republish` is: a daemon may be busy, or starting."""


def daemon_parts(settings: Settings, store: Store, clock: Clock) -> Parts:
    """Return the parts of `celsched run`; the broker is not spoken to yet.

    Raises:
        SettingsError: the broker's URL is unusable, or `fault` names no fault point.
    """
    app = make_app(
        settings.broker_url.reveal() if settings.broker_url else "",
        embedded_folder=embedded_folder(settings.data_folder) if settings.embedded else None,
        role="daemon",
        global_keyprefix=settings.broker_key_prefix,
    )
    fault = fault_of(settings.fault)
    watchers = WatcherCheck(store, clock, rules=rule_book(settings), heartbeat=settings.heartbeat)
    outbox = Outbox(
        store,
        clock,
        Publisher(app),
        word=store.write(store_word),
        republish=settings.republish,
        one_queue=EMBEDDED_QUEUE if settings.embedded else None,
        fault=fault,
    )
    presence = Presence(store, clock, "daemon", every=settings.heartbeat)
    recovery = Recovery(
        store,
        clock,
        lease=settings.lease,
        period=recovery_period(settings),
        prove=presence.prove,
        fault=fault,
    )
    return Parts(
        store=store,
        clock=clock,
        scan=DueScan(store, clock, settings.fallback_layer(), requester(), fault=fault),
        outbox=outbox,
        recovery=recovery,
        housekeeping=Housekeeping(store, clock, settings.fallback_layer(), keep=timedelta(days=settings.cleanup_days)),
        presence=presence,
        doorbell=Doorbell(store, clock, listen_url=settings.listen_url.reveal() if settings.listen_url else None),
        service=ServiceManager(notify_socket()),
        chores=[(settings.heartbeat, watchers.run_once)],
    )


def recovery_period(settings: Settings) -> timedelta:
    """Return how often recovery looks: a few times in a heartbeat, so that a lease is measured closely."""
    return min(settings.heartbeat / 4, timedelta(seconds=2))


def watcher_of(settings: Settings, store: Store, clock: Clock, *, once: bool = False) -> tuple[Watcher, Presence]:
    """Return the watcher and its row among the instances; with `once` it has heard the broker before its first look."""
    around = surroundings(settings, clock)
    if once and around.broker is not None:
        around.broker.hear()
    watcher = Watcher(
        store,
        clock,
        rules=rule_book(settings),
        heartbeat=settings.heartbeat,
        settings=settings.fallback_layer(),
        around=around,
    )
    return watcher, Presence(store, clock, "watcher", every=settings.heartbeat)


def surroundings(settings: Settings, clock: Clock) -> Surroundings:
    """Return what a watcher of this process looks at besides the store; `clock` is that of fire times."""
    url = settings.broker_url.reveal() if settings.broker_url else ""
    folder = embedded_folder(settings.data_folder) if settings.embedded else None
    return Surroundings(
        host=socket.gethostname(),
        clocks=ClockWatch(clock if isinstance(clock, SystemClock) else SystemClock(), clock),
        broker=Probe("broker", lambda: check_broker(url, embedded_folder=folder), clock),
        one_queue=EMBEDDED_QUEUE if settings.embedded else None,
        channels=frozenset(
            [target.name for target in settings.notify] + [f"{PING}{target.name}" for target in settings.pings]
        ),
    )


def rule_book(settings: Settings) -> RuleBook:
    """Return the alert rules that the settings make, with the defaults that follow other settings."""
    follow: dict[AlertKind, dict[str, Value]] = {
        AlertKind.LATE_START: {"threshold": settings.alert_threshold},
        AlertKind.OUTBOX_STUCK: {"after": max(2 * settings.republish, _UNSENT)},
    }
    said = {kind: settings.alerts.get(kind, Tuning()) for kind in follow}
    tuned = {kind: replace(said[kind], parameters={**follow[kind], **said[kind].parameters}) for kind in follow}
    return RuleBook({**settings.alerts, **tuned}, settings.alert_rules)


def embedded_worker(settings: Settings, clock: Clock, verbosity: int) -> EmbeddedWorker:
    """Return the child process that runs executions where no broker is configured."""
    cores = len(os.sched_getaffinity(0))
    command = [
        sys.executable,
        "-m",
        "celsched",
        *_verbosity(verbosity),
        "worker",
        "--embedded",
        "-c",
        str(min(4, cores)),
    ]
    return EmbeddedWorker(command, subprocess_environment(settings), clock)


def _verbosity(verbosity: int) -> list[str]:
    return ["-q"] if verbosity < 0 else ["-v"] * verbosity
