"""Owns the look at a run while it lasts: do terminal states stay, how much do processes and services hold.

It changes nothing, and judges nothing but states.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import redis
from sqlalchemy import select, text

from celsched.domain.execution import TERMINAL
from celsched.errors import CelschedError
from celsched.store.tables import executions
from tests.faults.crew import tree
from tests.faults.site import Site

_EVERY = 4.0
_COMPARED = 3000
"""How many of the newest executions are compared: a run of an hour has tens of thousands."""
_MEGA = 1024 * 1024


class Observer:
    """Looks every few seconds from a thread of its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self._ended: dict[int, tuple[object, ...]] = {}
        self.findings: list[tuple[str, str]] = []
        self.series: dict[str, list[float]] = {}
        """What each look saw, by name and unit (see `growth`)."""
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time, and end."""
        self._over.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        with suppress(CelschedError):
            self._compare()
        for name, value in self._measures():
            self.series.setdefault(name, []).append(value)

    def _measures(self) -> Iterator[tuple[str, float]]:
        for member in self._site.crew.members:
            if member.pid is not None:
                yield f"{member.name} MB", sum(_resident(pid) for pid in tree(member.pid)) / 1024
                yield f"{member.name} main MB", _resident(member.pid) / 1024
                yield f"{member.name} files", _files(member.pid)
        wal = self._site.database.with_name(self._site.database.name + "-wal")
        if wal.exists():
            yield "WAL MB", wal.stat().st_size / _MEGA
        with suppress(redis.RedisError, psycopg.Error, CelschedError):
            yield from self._of_services()

    def _of_services(self) -> Iterator[tuple[str, float]]:
        store = self._site.store
        if self._site.postgres and store:
            query = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            yield "PostgreSQL connections", store.read(lambda tx: int(tx.execute(query).scalar_one()), patience=0)
        if self._site.redis:
            with closing(self._site.redis.client()) as client:
                yield "Redis keys", float(str(client.dbsize()))
                yield "Redis connections", float(client.info("clients")["connected_clients"])

    def _compare(self) -> None:
        assert self._site.store is not None
        table = executions.c
        ended = table.state.in_(tuple(TERMINAL))
        query = select(table.id, table.state, table.finished_at, table.attempt).where(ended)
        query = query.order_by(table.id.desc()).limit(_COMPARED)
        found = {
            row.id: tuple(row[1:])
            for row in self._site.store.read(lambda tx: tx.execute(query).all(), patience=0)
        }  # fmt: skip
        oldest = min(found, default=0)
        for key, before in self._ended.items():
            if key >= oldest and found.get(key) != before:
                self.findings.append(("changed", f"execution {key} was {before}, and became {found.get(key)}"))
        self._ended = found


def _resident(pid: int) -> int:
    """Return the resident kilobytes of a process."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
    return 0


def _files(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def processes_left(records: Path, patience: float = 5.0) -> list[str]:
    """Return what lives of this run after its end, bodies and celsched's own (by what is in their environment).

    It waits a little for it to end: a reaper begins when its worker has gone.
    """
    until = time.monotonic() + patience
    while (found := _living(records)) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def _living(records: Path) -> list[str]:
    mark = f"\0FAULTS_RECORDS={records}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            environment = b"\0" + (folder / "environ").read_bytes() if folder.name.isdigit() else b""
            if mark in environment:
                found.append(f"{folder.name}: {(folder / 'cmdline').read_bytes()[:80]!r}")
    return found
