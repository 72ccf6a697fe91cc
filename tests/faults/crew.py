"""Owns the processes of a fault run, as a service manager would: what died is started again a second later.

It never judges; an end that nobody caused is noted.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from celsched.cli.exits import ExitCode
from celsched.worker import processes

_RESTART = 1.0
_START = 20.0
"""Seconds in which a start has looked for its store and given up, on a loaded machine too."""


@dataclass
class Member:
    """One service: a command that is to run all the time."""

    name: str
    kind: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    extra: dict[str, str] = field(default_factory=dict)
    """Environment of the next start only."""
    process: "subprocess.Popen[bytes] | None" = None
    excused: set[int] = field(default_factory=set)
    """Processes whose end is our doing."""
    died: float | None = None
    started: float = 0.0
    unprepared: bool = False
    """Whether it was told to stop before it had a handler for that: then SIGTERM just kills."""

    @property
    def clean(self) -> tuple[int, ...]:
        """The exit codes of an end that was our doing."""
        return (0, -signal.SIGKILL, -signal.SIGTERM) if self.unprepared else (0, -signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        assert self.process is not None
        self.unprepared = not _catches(self.process.pid, signal.SIGTERM)
        self.process.send_signal(signal.SIGTERM)

    @property
    def found_no_store(self) -> bool:
        """Whether it ended as a start without a store has to: with 6, for the service manager to start it again."""
        refused = self.process is not None and self.process.returncode == ExitCode.UNREACHABLE
        return refused and time.monotonic() - self.started < _START

    @property
    def log(self) -> Path:
        """Where it writes."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def start(self) -> None:
        """Start it; its standard input is closed, its output goes to its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**self.environment, **self.extra},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.extra, self.died, self.unprepared = {}, None, False
        self.started = time.monotonic()


class Crew:
    """All members, looked after by a thread."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.findings: list[tuple[str, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="crew", daemon=True)

    def start(self) -> None:
        """Start everything, and keep it running."""
        for member in self.members:
            member.start()
        self._thread.start()

    def of_kind(self, kind: str) -> list[Member]:
        """Return the members of a kind that live."""
        return [member for member in self.members if member.kind == kind and member.pid is not None]

    def complete(self) -> bool:
        """Whether all live."""
        return all(member.pid is not None for member in self.members)

    def stop(self, patience: float) -> None:
        """Ask all to stop, and note who did not do so cleanly."""
        self._over.set()
        self._thread.join()
        told = [member for member in self.members if member.pid is not None]
        for member in told:
            member.ask_to_stop()
        for member in told:
            assert member.process is not None
            try:
                code = member.process.wait(patience)
                if code not in member.clean:
                    self.findings.append(("exit code", f"{member.name} ended with {code} after SIGTERM"))
            except subprocess.TimeoutExpired:
                self.findings.append(("hangs", f"{member.name} still runs {patience:.0f} s after SIGTERM"))
                kill(tree(member.process.pid))
                member.process.wait()

    def abandon(self) -> None:
        """End whatever is left, after an error of the test itself."""
        self._over.set()
        for member in self.members:
            if member.pid is not None:
                kill(tree(member.pid))

    def _look_after(self) -> None:
        while not self._over.is_set():
            for member in self.members:
                self._look_at(member)
            self._over.wait(0.05)

    def _look_at(self, member: Member) -> None:
        process = member.process
        if process is None or process.poll() is None:
            return
        now = time.monotonic()
        if member.died is None:
            member.died = now
            if process.pid not in member.excused and not member.found_no_store:
                self.findings.append(("died", f"{member.name} ended by itself with {process.returncode}"))
            elif process.pid in member.excused and process.returncode not in member.clean:
                self.findings.append(("exit code", f"{member.name} ended with {process.returncode} when told to stop"))
        elif now - member.died >= _RESTART:
            member.start()


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
        return bool(int(caught, 16) >> (number - 1) & 1)
    return False


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it, parents first."""
    table = processes.everything()
    found = [pid]
    for parent in found:
        found.extend(one.pid for one in table.values() if one.ppid == parent and one.pid not in found)
    return found


def kill(pids: Sequence[int]) -> None:
    """Stop all first, so that none sees another die and reacts; then kill all."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def children(pid: int) -> list[tuple[int, str]]:
    """Return the children of a process with their command lines."""
    found = []
    for child in (one.pid for one in processes.everything().values() if one.ppid == pid):
        with suppress(OSError):
            found.append((child, Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()))
    return found
