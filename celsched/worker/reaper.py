"""Ends what bodies left behind when their worker's main process was killed. A script of its own, standard library only.

It is told the pool children, and never acts before its standard input closes.
Usage: python -I -S reaper.py WORKER_ID FOLDER; lines `+PID` and `-PID` on standard input; FOLDER is removed at the end.
"""

import contextlib
import os
import shutil
import signal
import sys
from typing import NamedTuple


class _Process(NamedTuple):
    state: bytes
    ppid: int
    group: int
    session: int
    born: int


def main() -> None:
    """Read until the end of input, then kill the children, all that descends from them, and whatever carries the mark
    of the worker."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    worker, folder = sys.argv[1], sys.argv[2]
    children = _told()
    # Stopped first and killed last: so they start nothing more, and inherit whatever their own children leave, also
    # what left their session and cleared its environment.
    _send(children, signal.SIGSTOP)
    mark = f"\0CELSCHED_BODY={worker}/".encode()
    for _ in range(20):
        found = _offspring(children, mark)
        if not found:
            break
        _send(found, signal.SIGKILL)
    _send(children, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _told() -> set[int]:
    """Return the children that are left, or whose group may be; a number that belongs to somebody else now is not.

    Nobody's child are 0 and 1: from the latter everything descends.
    """
    told: dict[int, int | None] = {}
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            told[pid] = _born(pid)
        else:
            told.pop(pid, None)
    # A number is not used again while a process group has it.
    return {pid for pid, born in told.items() if pid > 1 and _born(pid) in (None, born)}


def _born(pid: int) -> int | None:
    found = _look(pid)
    return None if found is None else found.born


def _offspring(children: set[int], mark: bytes) -> set[int]:
    table = {pid: seen for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if (seen := _look(pid))}
    found = {pid for pid, seen in table.items() if not children.isdisjoint((seen.group, seen.session))}
    found |= {pid for pid in table if _carries(pid, mark)}
    pending = found | children
    while pending:
        new = {pid for pid, seen in table.items() if seen.ppid in pending} - found
        found |= new
        pending = new
    return {pid for pid in found - children - {os.getpid()} if table[pid].state not in (b"Z", b"X")}


def _look(pid: int) -> _Process | None:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
        return _Process(fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))
    return None


def _carries(pid: int, mark: bytes) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return mark in b"\0" + file.read()
    return False


def _send(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


if __name__ == "__main__":
    main()
