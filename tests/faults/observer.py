"""Owns the look at a run while it lasts: do terminal states stay, how large do processes grow. It changes nothing."""

import threading
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from celsched.domain.execution import TERMINAL
from celsched.errors import CelschedError
from celsched.store.tables import executions
from tests.faults.crew import tree
from tests.faults.site import Site

_EVERY = 4.0


class Observer:
    """Looks every few seconds from a thread of its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self._ended: dict[int, tuple[object, ...]] = {}
        self.findings: list[tuple[str, str]] = []
        self.memory: dict[str, list[int]] = {}
        """Resident kilobytes of each member's processes together, in time."""
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
        for member in self._site.crew.members:
            if member.pid is not None:
                used = sum(_resident(pid) for pid in tree(member.pid))
                self.memory.setdefault(member.name, []).append(used)

    def _compare(self) -> None:
        assert self._site.store is not None
        table = executions.c
        query = select(table.id, table.state, table.finished_at, table.attempt).where(table.state.in_(tuple(TERMINAL)))
        found = {
            row.id: tuple(row[1:])
            for row in self._site.store.read(lambda tx: tx.execute(query).all(), patience=0)
        }  # fmt: skip
        for key, before in self._ended.items():
            if found.get(key) != before:
                self.findings.append(("changed", f"execution {key} was {before}, and became {found.get(key)}"))
        self._ended = found


def _resident(pid: int) -> int:
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
    return 0


def bodies_alive() -> list[str]:
    """Return the processes of bodies (by the mark that the tests put into their environment)."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and b"\0FAULTS_TICK=" in b"\0" + (folder / "environ").read_bytes():
                found.append(f"{folder.name}: {(folder / 'cmdline').read_bytes()[:80]!r}")
    return found
