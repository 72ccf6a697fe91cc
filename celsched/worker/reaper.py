"""Ends what bodies left behind when their worker's main process was killed. A script of its own, standard library only.

It is told the process groups of the pool children, and never acts before its standard input closes.
Usage: python -I -S reaper.py WORKER_ID FOLDER; lines `+PID` and `-PID` on standard input; FOLDER is removed at the end.
"""

import contextlib
import os
import shutil
import signal
import sys


def main() -> None:
    """Read until the end of input, then kill the groups and whatever carries the worker's mark."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    worker, folder = sys.argv[1], sys.argv[2]
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    mark = f"\0CELSCHED_BODY={worker}/".encode()
    for _ in range(20):
        found = sum([_kill_group(group) for group in groups]) + _kill_marked(mark)
        if not found:
            break
    shutil.rmtree(folder, ignore_errors=True)


def _kill_group(group: int) -> int:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)
        # A group of zombies can be signalled for ever; only living members are a reason to look again.
        return sum(_member_lives(name, group) for name in os.listdir("/proc") if name.isdigit())
    return 0


def _member_lives(name: str, group: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
        return int(fields[2]) == group and fields[0] not in (b"Z", b"X")
    return False


def _kill_marked(mark: bytes) -> int:
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/environ", "rb") as file:
                marked = mark in b"\0" + file.read()
            if marked:
                os.kill(int(name), signal.SIGKILL)
                count += 1
    return count


if __name__ == "__main__":
    main()
