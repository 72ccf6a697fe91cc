"""Owns the course of a fault run: start, calm, faults with calm between them, calm, wait for the end, judge.

It never decides what is right; `checker` does.
"""

import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.faults.checker import Violation, check
from tests.faults.facts import events_in, findings_in, rows_in, unfinished_in
from tests.faults.growth import growing
from tests.faults.history import SECOND, Fault, History, Planned
from tests.faults.mischief import Mischief, of_processes
from tests.faults.mischief_services import of_services
from tests.faults.observer import Observer, processes_left
from tests.faults.points import FaultPoints
from tests.faults.site import Site, StoreKind
from tests.faults.workload import plan_of

QUIET = 45.0
"""Seconds after the last fire time in which everything must have ended: a lease, and a publish that was put off."""

_APPLY = 15 * SECOND
"""For the command that puts the schedules in force, also on a loaded machine."""

_POINTS = 4
"""Deaths at named points in each round of all kinds."""


@dataclass(frozen=True, slots=True)
class Order:
    """What run is wanted. `calm` are the seconds without faults at both ends; `services`: no process is touched."""

    folder: Path
    store: StoreKind
    seed: int
    seconds: float
    calm: float = 6.0
    faults: Literal["all", "services", "none"] = "all"
    pace: float | None = None
    """Seconds from the end of a fault to the next one; by default a few, with a calm now and then."""
    planted: str | None = None
    least_faults: int = 0
    quiet: float = QUIET
    slower: int = 1
    """What the periods of the schedules are multiplied by."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave."""

    order: Order
    history: History
    violations: list[Violation]
    series: dict[str, list[float]]
    """What was looked at from time to time (see `growth`)."""
    settled: float
    """Seconds from the last fire time until nothing was left to do."""


def now() -> int:
    """Return the present instant in microseconds."""
    return time.time_ns() // 1000


def run(order: Order) -> Outcome:
    """Run it; whatever happens, everything that was started is ended."""
    site = Site(order.folder, order.store, order.planted)
    try:
        return _run(site, order)
    finally:
        site.close()


def _run(site: Site, order: Order) -> Outcome:
    site.start()
    begin = -(-now() // SECOND) * SECOND + _APPLY
    end = begin + int((order.seconds + 2 * order.calm) * SECOND)
    planned = plan_of(order.seed, begin, end, order.slower)
    site.apply(planned)
    assert now() < begin, "the machine is too slow: the manifest was not in force before its first fire time"
    observer = Observer(site)
    observer.start()
    _until(begin + int(order.calm * SECOND))
    faults = _break(site, order, end - int(order.calm * SECOND)) if order.faults != "none" else []
    _until(end)
    settled = _settle(site, order.quiet)
    observer.stop()
    site.crew.stop(25)
    return _outcome(site, order, planned, faults, observer, settled)


def _outcome(
    site: Site, order: Order, planned: list[Planned], faults: list[Fault], observer: Observer, settled: float
) -> Outcome:
    assert site.store is not None
    events, findings = events_in(site.records)
    rows, tries = rows_in(site.store)
    left = [("orphan", one) for one in processes_left(site.records)]
    logs = list(findings_in(site.logs(), (order.seconds + 2 * order.calm) / 60))
    grown = growing(observer.series) if order.faults != "all" else ()  # who is killed begins anew
    findings = [*findings, *observer.findings, *site.crew.findings, *left, *logs, *grown]
    fires = sum(len(one.fire_times()) for one in planned)
    history = History(
        planned, events, rows, tries, faults, findings, least_faults=order.least_faults, least_fires=fires // 3
    )
    return Outcome(order, history, check(history), observer.series, settled)


def _until(at: int) -> None:
    while (left := at - now()) > 0:
        time.sleep(min(left / SECOND, 0.2))


def _break(site: Site, order: Order, until: int) -> list[Fault]:
    chance = random.Random(order.seed)
    kinds = [*of_services(site)] if order.faults == "services" else [*of_services(site), *of_processes(site)]
    points = FaultPoints()
    bag: list[Mischief | None] = []
    faults: list[Fault] = []
    count = 0
    while now() < until:
        if not bag:
            places = [None] * _POINTS if order.faults == "all" else []
            bag = chance.sample([*kinds, *places], len(kinds) + len(places))
        one = bag.pop() or points.next(chance)
        began = now()
        pids = one.do(site, chance)
        if pids is not None:
            faults.extend(one.noted(began, now(), pids))
            count += 1
            _say(f"{one.kind} ({(now() - began) / SECOND:.1f} s)")
        # Now and then a calm long enough to be healthy in.
        rest = order.pace or (16.0 if count % 6 == 5 else chance.uniform(0.3, 3.0))
        _until(min(now() + int(rest * SECOND), until))
    with suppress(AssertionError):
        _wait_for_crew(site)
    return faults


def _wait_for_crew(site: Site) -> None:
    until = now() + 15 * SECOND
    while now() < until and not (site.crew.complete() and len(site.worker_mains()) == 2):
        time.sleep(0.1)


def _settle(site: Site, quiet: float) -> float:
    """Wait until every execution has ended; return how long it took."""
    assert site.store is not None
    began = now()
    while now() < began + int(quiet * SECOND):
        if not unfinished_in(site.store):
            break
        time.sleep(0.3)
    return (now() - began) / SECOND


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()
