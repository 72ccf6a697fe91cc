"""Owns what the kernel says about processes: who lives, who descends from whom; and signals to all of them.

It never decides whom to end. Everything is read from /proc; a process that is gone meanwhile is simply not there.
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

BODY_VARIABLE = "CELSCHED_BODY"
"""Environment variable that every process started by a body inherits: `<worker id>/<execution>.<attempt>`."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_GONE = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table."""

    pid: int
    ppid: int
    group: int
    session: int
    state: str

    @property
    def lives(self) -> bool:
        """Whether it can still do anything; a zombie cannot."""
        return self.state not in _GONE


def look(pid: int) -> Process | None:
    """Return the process, or None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The name in the second field may hold blanks and parentheses.
    fields = line[line.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]), fields[0].decode())


def everything() -> dict[int, Process]:
    """Return the whole process table."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {found.pid: found for found in map(look, pids) if found is not None}


def has_children() -> bool:
    """Return whether this process has any child, zombies too; the kernel's word, at the price of one call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children() -> set[int]:
    """Return the children of this process, zombies too.

    Not from /proc/PID/task/TID/children: while others of them exit, the kernel may leave living ones out there
    (proc(5)), as it does when a frozen tree wakes up.
    """
    if not has_children():
        return set()
    me = os.getpid()
    return {one.pid for one in everything().values() if one.ppid == me}


def offspring(pid: int, mark: str | None = None) -> set[int]:
    """Return the living processes, `pid` itself left out, that descend from `pid`, belong to its group or session, or
    carry `mark` in their environment.

    Raises:
        ValueError: `pid` is 0, of which every process of the machine descends.
    """
    if pid <= 0:
        raise ValueError(f"no process has the id {pid}")
    table = everything()
    found = {one.pid for one in table.values() if pid in (one.group, one.session)}
    if mark is not None:
        found |= {one for one in table if one not in found and carries(one, mark)}
    pending = [pid, *found]
    while pending:
        parent = pending.pop()
        new = {one.pid for one in table.values() if one.ppid == parent} - found
        found |= new
        pending.extend(new)
    return {one for one in found - {pid, os.getpid()} if table[one].lives}


@contextlib.contextmanager
def marked(mark: str, *, alone: bool) -> Iterator[None]:
    """Let every program started meanwhile inherit the mark; only in a process with one body (`alone`)."""
    if not alone:
        yield
        return
    os.environ[BODY_VARIABLE] = mark  # noqa: TID251 # not read: it is how a program that left our session is found
    try:
        yield
    finally:
        os.environ.pop(BODY_VARIABLE, None)  # noqa: TID251


def carries(pid: int, mark: str) -> bool:
    """Return whether a process was started with `mark` as its body variable."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"\0{BODY_VARIABLE}={mark}\0".encode() in b"\0" + file.read()
    except OSError:
        return False


def of_workers(ids: Collection[str]) -> set[int]:
    """Return the living processes that bodies of these workers started, by the body variable in their environment."""
    wanted = {identity.encode() for identity in ids}
    found = set()
    for one in everything().values() if wanted else ():
        with contextlib.suppress(OSError), open(f"/proc/{one.pid}/environ", "rb") as file:
            _, _, value = (b"\0" + file.read()).partition(f"\0{BODY_VARIABLE}=".encode())
            if one.lives and value.partition(b"\0")[0].rpartition(b"/")[0] in wanted:
                found.add(one.pid)
    return found


def alive(pid: int) -> bool:
    """Return whether a process of this id lives."""
    found = look(pid)
    return found is not None and found.lives


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each; those that are gone, or belong to somebody else by now, are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_offspring(pid: int, mark: str | None = None) -> int:
    """Kill what descends from a process, again until no new ones appear; return how many were found."""
    count = 0
    for _ in range(20):
        found = offspring(pid, mark)
        if not found:
            break
        count += len(found)
        send(found, signal.SIGKILL)
    return count


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it, so that a body's double-forked child stays findable."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: signal.Signals | None) -> None:
    """Get this signal when the thread that forked this process ends; None: live on."""
    _prctl(_PR_SET_PDEATHSIG, int(number) if number else 0)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
