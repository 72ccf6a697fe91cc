"""Owns the course of a fault run: start, calm, faults with calm between them, calm, wait for the end, judge.

It never decides what is right; `checker` does.
"""

import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import TERMINAL, Violation, check
from tests.faults.facts import events_in, findings_in, rows_in
from tests.faults.history import SECOND, Fault, History, Planned
from tests.faults.mischief import Mischief
from tests.faults.mischief_services import mischiefs_for
from tests.faults.observer import Observer, bodies_alive
from tests.faults.site import Site, StoreKind
from tests.faults.workload import plan_of

QUIET = 45.0
"""Seconds after the last fire time in which everything must have ended: a lease, and a publish that was put off."""


@dataclass(frozen=True, slots=True)
class Order:
    """What run is wanted. `calm` are the seconds without faults at both ends; no `faults`: nothing is broken."""

    folder: Path
    store: StoreKind
    seed: int
    seconds: float
    calm: float = 6.0
    faults: bool = True
    planted: str | None = None
    least_faults: int = 0
    quiet: float = QUIET


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave."""

    order: Order
    history: History
    violations: list[Violation]
    memory: dict[str, list[int]]
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
    begin = -(-now() // SECOND) * SECOND + 5 * SECOND
    end = begin + int((order.seconds + 2 * order.calm) * SECOND)
    planned = plan_of(order.seed, begin, end)
    site.apply(planned)
    assert now() < begin, "the machine is too slow: the manifest was not in force before its first fire time"
    observer = Observer(site)
    observer.start()
    _until(begin + int(order.calm * SECOND))
    faults = _break(site, order, end - int(order.calm * SECOND)) if order.faults else []
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
    left = [("orphan", one) for one in bodies_alive()]
    logs = list(findings_in(site.logs(), (order.seconds + 2 * order.calm) / 60))
    findings = [*findings, *observer.findings, *site.crew.findings, *left, *logs]
    fires = sum(len(one.fire_times()) for one in planned)
    history = History(
        planned, events, rows, tries, faults, findings, least_faults=order.least_faults, least_fires=fires // 3
    )
    return Outcome(order, history, check(history), observer.memory, settled)


def _until(at: int) -> None:
    while (left := at - now()) > 0:
        time.sleep(min(left / SECOND, 0.2))


def _break(site: Site, order: Order, until: int) -> list[Fault]:
    chance = random.Random(order.seed)
    kinds = mischiefs_for(site)
    bag: list[Mischief] = []
    faults: list[Fault] = []
    while now() < until:
        if not bag:
            bag = chance.sample(kinds, len(kinds))
        one = bag.pop()
        began = now()
        pids = one.do(site, chance)
        if pids is not None:
            faults.append(Fault(one.kind, began, now(), one.kills, one.frozen, pids))
            _say(f"{one.kind} ({(now() - began) / SECOND:.1f} s)")
        # Now and then a calm long enough to be healthy in.
        rest = 16.0 if len(faults) % 6 == 5 else chance.uniform(0.3, 3.0)
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
        rows, _ = rows_in(site.store)
        if all(row.state in TERMINAL for row in rows):
            break
        time.sleep(0.3)
    return (now() - began) / SECOND


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()
