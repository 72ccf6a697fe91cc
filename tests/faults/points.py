"""Owns the faults at named points: a process is started anew so that it kills itself where a transition can be cut.

It never counts a point that no process came to; that one was a restart, and is called so.
"""

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress

from celsched.settings.fault import POINTS
from tests.faults.crew import Member, tree
from tests.faults.history import Fault
from tests.faults.mischief import Mischief, kill_of, pause, terminate
from tests.faults.site import Site
from tests.support.waiting import wait_until

_PATIENCE = 16.0
"""Seconds for a boot, and for the lease after which a daemon writes `lost`."""


OF_WATCHERS = frozenset(point for point in POINTS if point.startswith("notice"))
"""Those that neither daemons nor workers pass."""


class FaultPoints:
    """All points in random order, again and again, so that none is left to luck."""

    def __init__(self) -> None:
        self._left: list[str] = []

    def next(self, chance: random.Random) -> Mischief:
        """Return the fault at the next point."""
        if not self._left:
            self._left = chance.sample(sorted(POINTS - OF_WATCHERS), len(POINTS - OF_WATCHERS))
        return at_point(self._left.pop())


def at_point(point: str) -> Mischief:
    """Return the fault that is one death at this point."""

    def harm(site: Site, chance: random.Random) -> frozenset[int] | None:
        member = _whose(point, site, chance)
        if member is None:
            return None
        pids = _let_it_die(point, member, site, chance, fault.parts)
        fault.kind = f"point {point}" if pids else "restart"
        return pids

    fault = Mischief("restart", harm, kills=True)
    return fault


def _whose(point: str, site: Site, chance: random.Random) -> Member | None:
    workers = point.startswith(("claim", "body", "end")) and site.redis is not None
    members = site.crew.of_kind("worker" if workers else "daemon")
    return chance.choice(members) if members else None


def _let_it_die(point: str, member: Member, site: Site, chance: random.Random, parts: list[Fault]) -> frozenset[int]:
    """Return who died at the point, and what went with them; the restarts around it are parts of the fault."""
    once = point.startswith("lost")
    member.extra = {"CELSCHED_FAULT": f"{point}:{1 if once else chance.randint(1, 4)}"}
    died = _died_at(member, point)
    parts.append(_part("restart", lambda: terminate(member)))
    if once:
        parts.append(_part("kill all workers", lambda: _leave_something_silent(member, site)))
    families: dict[int, set[int]] = {}

    def reached() -> bool:
        # Whoever dies takes along what descends from it, and the log names only the one.
        if _excused(member) and member.pid is not None:
            families.setdefault(member.pid, set()).update(tree(member.pid))
        return bool(died())

    with suppress(AssertionError):
        wait_until(reached, timeout=_PATIENCE, message=point, every=0.1)
    # Its children would go on dying.
    parts.append(_part("restart", lambda: terminate(member)))
    return frozenset(died().union(*(families.get(pid, set()) for pid in died())))


def _part(kind: str, do: Callable[[], frozenset[int] | None]) -> Fault:
    began = time.time_ns() // 1000
    pids = do() or frozenset()
    return Fault(kind, began, time.time_ns() // 1000, kills=True, pids=pids, part=True)


def _excused(member: Member) -> bool:
    if member.process is not None:
        member.excused.add(member.process.pid)
    return True


def _died_at(member: Member, point: str) -> Callable[[], set[int]]:
    """Return what tells which processes of this member have said, from now on, that they die at the point."""
    before = member.log.stat().st_size
    said = re.compile(rf"fault point {re.escape(point)} reached by (\d+)".encode())

    def died() -> set[int]:
        with member.log.open("rb") as log:
            log.seek(before)
            return {int(pid) for pid in said.findall(log.read())}

    return died


def _leave_something_silent(member: Member, site: Site) -> frozenset[int]:
    """Kill the workers once the daemon is back: only a daemon notices the death of a whole worker."""
    wait_until(lambda: _excused(member) and member.pid is not None, timeout=10, message="the daemon is started again")
    pause(2)
    return kill_of(site, site.worker_mains(), whole=True)
