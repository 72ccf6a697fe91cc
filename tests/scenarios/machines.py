"""Owns machines that share nothing but store and broker: a folder, the code and a host name of each its own.

Where the kernel lets us, each is a network namespace too and can be cut off. It touches no address of the real machine.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import celsched
from tests.support.project import TASKS, Project

_CLONE_NEWNET = 0x40000000
_NETWORK = "10.213.77"
HUB = f"{_NETWORK}.1"
"""The address of store and broker."""
SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "4s"
republish = "1s"
drain = "1s"
kill_grace = "300ms"
"""
"""Of machines that are cut off for seconds, not minutes."""


class Lan:
    """Network namespaces on one bridge, which stands in the hub's; made and taken away as a whole."""

    def __init__(self) -> None:
        self._prefix = f"celsched-{os.getpid()}"
        self._names: list[str] = []

    @staticmethod
    def permitted() -> bool:
        """Return whether namespaces can be made here."""
        probe = f"celsched-{os.getpid()}-probe"
        try:
            made = subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode == 0
            alone = subprocess.run(["unshare", "--uts", "hostname"], capture_output=True).returncode == 0
        except FileNotFoundError:
            return False
        if made:
            _run("ip", "netns", "delete", probe)
        return made and alone

    def build(self, machines: Sequence[str]) -> None:
        """Make the hub and a namespace for each machine."""
        hub = self._add("hub")
        _run("ip", "-n", hub, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", hub, "address", "add", f"{HUB}/24", "dev", "bridge")
        _run("ip", "-n", hub, "link", "set", "bridge", "up")
        for number, machine in enumerate(machines, start=2):
            name = self._add(machine)
            port = f"to-{number}"
            _run("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _run("ip", "-n", hub, "link", "set", port, "master", "bridge", "up")
            _run("ip", "-n", name, "address", "add", f"{_NETWORK}.{number}/24", "dev", "eth0")
            _run("ip", "-n", name, "link", "set", "eth0", "up")

    def cut(self, machine: str) -> None:
        """Pull the machine's cable out of the bridge: nothing arrives, and nobody is told."""
        _run("ip", "-n", self._full("hub"), "link", "set", self._port(machine), "nomaster")

    def heal(self, machine: str) -> None:
        """Put the cable back."""
        _run("ip", "-n", self._full("hub"), "link", "set", self._port(machine), "master", "bridge")

    @contextlib.contextmanager
    def inside(self, machine: str) -> Iterator[None]:
        """What this thread connects to, and the processes it starts, are in the machine's namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self._full(machine)}") as there:
            _enter(libc, there.fileno())
            try:
                yield
            finally:
                _enter(libc, home.fileno())

    def close(self) -> None:
        """Take every namespace away, with all that is in it."""
        while self._names:
            _run("ip", "netns", "delete", self._names.pop())

    def _add(self, machine: str) -> str:
        name = self._full(machine)
        _run("ip", "netns", "add", name)
        self._names.append(name)
        _run("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def _full(self, machine: str) -> str:
        return f"{self._prefix}-{machine}"

    def _port(self, machine: str) -> str:
        return f"to-{self._names.index(self._full(machine)) + 1}"


def _enter(libc: ctypes.CDLL, namespace: int) -> None:
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


class Machine(Project):
    """A project on a machine of its own: processes started by it know only its folder, its code and its host name."""

    def __init__(self, folder: Path, host: str, lan: Lan | None) -> None:
        super().__init__(folder)
        self.host, self._lan = host, lan
        folder.mkdir()
        shutil.copytree(Path(celsched.__file__).parent, folder / "celsched", ignore=shutil.ignore_patterns(".*"))

    def start(self, *words: str, **how: Any) -> Any:
        """Start a command on this machine."""
        with self._lan.inside(self.host) if self._lan else contextlib.nullcontext():
            return super().start(*words, **how)

    def _command(self, words: Sequence[str], module: str = "celsched") -> list[str]:  # type: ignore[override]
        command = super()._command(words, module)
        if self._lan is None:
            return command
        named = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'
        return ["unshare", "--uts", "sh", "-c", named, self.host, *command]


class Fleet:
    """All machines of a test; `desk` is the one where its person sits, who hears of every body's notes."""

    def __init__(self, folder: Path, lan: Lan | None, hosts: Sequence[str], settings: str) -> None:
        self._machines = {host: Machine(folder / host, host, lan) for host in hosts}
        for machine in self._machines.values():
            machine.write("celsched.toml", f'task_modules = ["jobs.*"]\n{settings}')
            machine.write("jobs.py", TASKS.read_text() + UNTIL)

    def __getitem__(self, host: str) -> Machine:
        return self._machines[host]

    def notes(self, name: str) -> list[Any]:
        """Return what bodies of this name wrote down on all machines, with the machine, in order of time."""
        found = [note | {"on": host} for host, one in self._machines.items() for note in one.notes(name)]
        return sorted(found, key=lambda note: float(note["at"]))

    def close(self) -> None:
        """End what runs anywhere."""
        for machine in self._machines.values():
            machine.close()


# A body says every 50 ms that it lives and ends once there is a file: so a test, not a time, says when.
UNTIL = """

def until(name: str) -> str:
    me = celsched.current()
    note("begin", name)
    while not (HERE / f"{name}.may-end").exists():
        (HERE / f"{name}.{me.attempt}.alive").touch()
        time.sleep(0.05)
    note("end", name)
    return name
"""
