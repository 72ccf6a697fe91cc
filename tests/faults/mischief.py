"""Owns the ways to break an installation. Each returns when all is put right again; the driver notes from when to when.

It never judges; a fault that could not be done returns None and does not count.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tests.faults.crew import Member, kill, tree
from tests.faults.history import Fault
from tests.faults.site import Site

Harm = Callable[[Site, random.Random], frozenset[int] | None]


@dataclass(slots=True)
class Mischief:
    """One kind of fault, which `do` may name better; it returns the processes that it hit. For the rest see `Fault`."""

    kind: str
    do: Harm
    kills: bool = False
    frozen: bool = False
    stops: bool = False
    store: bool = False
    parts: list[Fault] = field(default_factory=list)
    """What was done on the way: it excuses no more than it hit, and does not count as a fault of its own."""

    def noted(self, began: int, ended: int, pids: frozenset[int]) -> list[Fault]:
        """Return what the checker is told of it."""
        whole = Fault(self.kind, began, ended, self.kills, self.frozen, pids, self.stops, self.store)
        parts, self.parts = self.parts, []
        return [whole, *parts]


def pause(seconds: float) -> None:
    """Let a fault last."""
    time.sleep(seconds)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to whatever of these still lives."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_of(site: Site, pids: list[int], *, whole: bool) -> frozenset[int]:
    """Kill these processes, or all that descend from them too; return all of them: what descends dies with them."""
    for member in site.crew.members:
        if member.pid in pids:
            member.excused.add(member.pid)
    family = [one for pid in pids for one in tree(pid)]
    kill(family if whole else pids)
    return frozenset([*pids, *family])


def _daemons(site: Site) -> list[int]:
    return [member.pid for member in site.crew.of_kind("daemon") if member.pid]


def _one(pids: list[int], chance: random.Random) -> list[int]:
    return [chance.choice(pids)] if pids else []


def _killing(choose: Callable[[Site], list[int]], *, whole: bool = False, everyone: bool = False) -> Harm:
    def harm(site: Site, chance: random.Random) -> frozenset[int] | None:
        found = choose(site)
        chosen = found if everyone else _one(found, chance)
        return kill_of(site, chosen, whole=whole) if chosen else None

    return harm


def _everything(site: Site, chance: random.Random) -> frozenset[int] | None:
    return kill_of(site, [*_daemons(site), *site.worker_mains()], whole=True)


def _terminating(kind: str) -> Harm:
    def harm(site: Site, chance: random.Random) -> frozenset[int] | None:
        members = site.crew.of_kind(kind)
        if not members:
            return None
        member = chance.choice(members)
        return terminate(member)

    return harm


def terminate(member: Member) -> frozenset[int] | None:
    """Ask a member to stop, and wait until it has; return its processes, None where it is not running."""
    process = member.process
    if process is None or member.pid is None:
        return None
    member.excused.add(process.pid)
    mine = frozenset(tree(process.pid))
    member.ask_to_stop()
    until = time.monotonic() + 25
    while process.poll() is None and time.monotonic() < until:
        pause(0.05)
    return mine


def _freezing(choose: Callable[[Site], list[int]], least: float, most: float, *, whole: bool) -> Harm:
    def harm(site: Site, chance: random.Random) -> frozenset[int] | None:
        chosen = _one(choose(site), chance)
        if not chosen:
            return None
        pids = tree(chosen[0]) if whole else chosen
        send(pids, signal.SIGSTOP)
        try:
            pause(chance.uniform(least, most))
        finally:
            send(reversed(pids), signal.SIGCONT)
        return frozenset(pids)

    return harm


def of_processes(site: Site) -> list[Mischief]:
    """Return what can be done to processes from outside."""
    embedded = site.redis is None
    # Who is stopped while it holds SQLite's one lock keeps everybody from the store.
    stopping = partial(Mischief, stops=True, store=embedded)
    found = [
        Mischief("kill daemon", _killing(_daemons), kills=embedded),
        Mischief("kill all daemons", _killing(_daemons, everyone=True), kills=embedded),
        Mischief("kill worker", _killing(Site.worker_mains), kills=True),
        Mischief("kill child", _killing(Site.pool_children), kills=True),
        Mischief("kill child", _killing(Site.pool_children), kills=True),
        Mischief("kill worker tree", _killing(Site.worker_mains, whole=True), kills=True),
        Mischief("kill all workers", _killing(Site.worker_mains, whole=True, everyone=True), kills=True),
        Mischief("kill everything", _everything, kills=True),
        Mischief("stop daemon", _terminating("daemon"), kills=embedded),
        stopping("freeze daemon", _freezing(_daemons, 1, 4, whole=False)),
        stopping("freeze worker", _freezing(Site.worker_mains, 1, 3.5, whole=True)),
        stopping("freeze worker long", _freezing(Site.worker_mains, 8, 11, whole=True), kills=True, frozen=True),
    ]
    if not embedded:
        found.append(Mischief("stop worker", _terminating("worker"), kills=True))
    return found
