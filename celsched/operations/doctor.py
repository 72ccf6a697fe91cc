"""Owns the doctor: which checks there are, in which order, and what is left of them when the store does not answer.

It never mends anything; each finding carries the command that does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from celsched.broker.check import check_broker
from celsched.broker.embedded import embedded_folder
from celsched.clock import Clock
from celsched.errors import BrokerUnreachable, CelschedError, StoreFull, StoreUnreachable, StoreVersionError
from celsched.operations import doctor_channels, doctor_code, doctor_machine, doctor_running
from celsched.operations.checks import CodeRules
from celsched.operations.checkup import Check, Found, failed, passed, skipped, warned
from celsched.operations.doctor_facts import Facts, facts_of
from celsched.operations.scope import Scope
from celsched.operations.wording import span
from celsched.settings import Settings
from celsched.store import migrate
from celsched.store.store import stored_version
from celsched.timing.zone_data import zone_data

CLOCKS_APART = timedelta(seconds=2)
"""How far the store's clock may be from this machine's."""

_RUNNING: dict[str, Callable[[Facts, Settings], Found]] = {
    "queues.consumed": doctor_running.queues,
    "daemon.alive": doctor_running.daemon,
    "watcher.alive": doctor_running.watcher,
    "instances.version": doctor_running.versions,
    "schedules.overdue": doctor_running.overdue,
    "schedules.next": doctor_running.next_times,
    "executions.stuck": doctor_running.stuck,
    "executions.sent": doctor_running.sent,
    "definitions.sound": doctor_running.definitions,
    "alerts.critical": doctor_running.critical,
    "channels.accept": doctor_channels.channels,
    "pings.known": doctor_channels.pings,
}
_CODE: dict[str, Callable[[Facts, CodeRules], Found]] = {
    "tasks.allowed": doctor_code.allowed,
    "tasks.resolvable": doctor_code.resolvable,
}


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined. `open_scope` opens the store and is called only where its schema is ours.

    `machine` is this machine's clock, whatever the store's says. `rules` say whether user code is imported.
    """

    settings: Settings
    open_scope: Callable[[], Scope]
    machine: Clock
    rules: CodeRules


def examine(patient: Patient) -> list[Check]:
    """Make every check; one that cannot be made is there as skipped."""
    return [Check(number, code, found) for number, (code, found) in enumerate(_checks(patient), start=1)]


def _checks(patient: Patient) -> Iterator[tuple[str, Found]]:
    settings = patient.settings
    reachable, schema = _store(settings)
    scope = facts = None
    if schema.verdict == "pass":
        try:
            scope = patient.open_scope()
            facts = facts_of(scope, settings)
        except CelschedError as error:
            reachable = _from_error(error)
    yield "store.reachable", reachable
    yield "store.schema", schema
    yield "store.clock", _clock(scope, patient.machine) if scope else skipped("the store was not opened")
    yield "broker.reachable", _broker(settings)
    for code, check in _RUNNING.items():
        yield code, check(facts, settings) if facts else _unread()
    for code, look in _CODE.items():
        yield code, look(facts, patient.rules) if facts else _unread()
    yield "data.private", doctor_machine.private(settings)
    yield "data.space", doctor_machine.space(settings)
    keys = {settings.timezone, *(one.timezone for one in (facts.schedules if facts else ()))}
    yield "zones.data", doctor_machine.zones(keys, zone_data(), patient.machine.now())
    yield "extras.installed", doctor_machine.extras(settings)


def _unread() -> Found:
    return skipped("the store was not read")


def _from_error(error: CelschedError) -> Found:
    away = isinstance(error, StoreUnreachable) and not isinstance(error, StoreFull | StoreVersionError)
    return failed(error.message, "celsched config database_url" if away else error.hint)


def _store(settings: Settings) -> tuple[Found, Found]:
    """Return whether the store answers, and whether its schema is ours; nothing is made and nothing upgraded."""
    try:
        version = stored_version(settings.database_url.reveal())
    except CelschedError as error:
        return _from_error(error), skipped("the store was not read")
    answers = passed(f"{settings.database_url} answers")
    if version is None:
        return warned(f"there are no tables of celsched at {settings.database_url} yet"), _upgrade("no schema yet")
    try:
        current = migrate.is_current(version, place=str(settings.database_url))
    except StoreVersionError as error:
        return answers, _from_error(error)
    return answers, passed(f"schema {version}") if current else _upgrade(f"schema {version}, {migrate.HEAD} is needed")


def _upgrade(seen: str) -> Found:
    return failed(seen, "celsched db upgrade")


def _clock(scope: Scope, machine: Clock) -> Found:
    apart = scope.now() - machine.now()
    if not scope.store.dialect.row_locks and abs(apart) <= CLOCKS_APART:
        return passed("the store is a file of this machine, and uses its clock")
    ahead = "ahead of" if apart > timedelta(0) else "behind"
    seen = f"the store's clock is {span(abs(apart))} {ahead} this machine's"
    return failed(seen, "timedatectl set-ntp true") if abs(apart) > CLOCKS_APART else passed(seen)


def _broker(settings: Settings) -> Found:
    folder = embedded_folder(settings.data_folder) if settings.embedded else None
    if folder is not None and not folder.exists():
        return skipped(f"the embedded broker has no folder yet; `celsched run` makes {folder}")
    try:
        url = settings.broker_url.reveal() if settings.broker_url else ""
        return passed(check_broker(url, embedded_folder=folder))
    except BrokerUnreachable as error:
        return failed(error.message, error.hint if folder else "celsched config")
    except CelschedError as error:
        return _from_error(error)
