"""The user code of body scenarios: copied beside `jobs.py`, which re-exports it. It resists, crashes and multiplies.

It judges one thing itself: a try that begins while processes of an earlier try live writes the event `overlap`.
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from jobs import note  # type: ignore[import-not-found]  # the module beside which this is copied

import celsched

HERE = Path(__file__).parent


def frozen(name: str = "frozen", seconds: float = 600.0) -> None:
    """Wait in one C call that keeps the interpreter's lock and goes on after every signal."""
    library = ctypes.PyDLL(None)
    mutex, until = ctypes.create_string_buffer(64), (ctypes.c_long * 2)(int(time.time() + seconds), 0)
    assert library.pthread_mutex_lock(mutex) == 0
    note("begin", name)
    library.pthread_mutex_timedlock(mutex, until)
    note("end", name)


def spins(name: str = "spins") -> None:
    note("begin", name)
    while True:
        pass


def swallows(name: str = "swallows") -> None:
    """Go on whatever is raised in it."""
    note("begin", name)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def fails(name: str = "fails") -> None:
    note("begin", name)
    raise ValueError("کار نشد")


# One process in the body's group, one that left the session, one that left by a double fork and without our
# environment, and a pipe of two: none of them heeds SIGTERM.
_PIPELINE = """
trap '' TERM
echo $$ >>"$PIDS"
setsid sh -c 'echo $$ >>"$PIDS"; sleep 61' &
(env -i PATH="$PATH" PIDS="$PIDS" setsid sh -c 'echo $$ >>"$PIDS"; sleep 62' &)
sh -c 'echo $$ >>"$PIDS"; sleep 63' | sh -c 'echo $$ >>"$PIDS"; sleep 64'
"""


def pipeline(name: str = "pipeline") -> None:
    me = celsched.current()
    assert me is not None
    for earlier in range(1, me.attempt):
        pids = (HERE / f"{name}.{earlier}.pids").read_text().split()
        if any(map(_lives, pids)):
            note("overlap", name)
    note("begin", name)
    subprocess.run(["sh", "-c", _PIPELINE], env={**os.environ, "PIDS": str(HERE / f"{name}.{me.attempt}.pids")})


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def segfaults(name: str = "segfaults") -> None:
    note("begin", name)
    ctypes.string_at(0)


def exits(name: str = "exits") -> None:
    note("begin", name)
    os._exit(0)


def over_its_limit(name: str = "over its limit") -> None:
    """Be killed by the kernel, as for too much memory."""
    note("begin", name)
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    while True:
        pass


def kills_itself(name: str = "poison") -> None:
    note("begin", name)
    os.kill(os.getpid(), signal.SIGKILL)
