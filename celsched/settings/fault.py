"""Owns the test hook behind CELSCHED_FAULT: a process dies or freezes at a named point. It is off unless asked for.

The points lie where the state machine's transitions can be cut in two; `tests/faults` sets them one by one.
"""

import os
import signal
from collections.abc import Callable

from celsched.errors import SettingsError

POINTS = frozenset(
    {
        "fires.recorded",  # T1: executions inserted, not committed
        "fires.committed",  # T1: committed, not published
        "publish.leased",  # T2: the lease is committed, nothing sent
        "publish.sent",  # T2: the broker has the message, the row is not marked
        "publish.marked",  # T3: marked as queued
        "claim.before",  # T4: the message is taken from the broker, nothing claimed
        "claim.taken",  # T4: claimed, not committed
        "claim.committed",  # T4: claimed, the body has not begun
        "body.ended",  # T6: the body is through, its end not recorded
        "end.recorded",  # T6: recorded
        "lost.written",  # T9: lost or retrying, not committed
        "lost.committed",  # T9: committed
        "notice.leased",  # a message is leased, not sent
        "notice.sent",  # the channel took it, that is not recorded
    }
)

Fault = Callable[[str], None]
"""Told each point that is passed."""


def no_fault(point: str) -> None:
    """Pass every point."""


def fault_of(setting: str | None) -> Fault:
    """Return what `POINT[:COUNT][:stop]` asks for, the COUNTth time that this process passes the point.

    It is SIGKILL to this process; with `:stop` it is SIGSTOP, so that the process is frozen there until somebody
    else lets it go on.

    Raises:
        SettingsError: there is no such point, or what follows it is neither a count nor `stop`.
    """
    if setting is None:
        return no_fault
    name, *rest = setting.split(":")
    how = signal.SIGSTOP if rest[-1:] == ["stop"] else signal.SIGKILL
    counts = rest[:-1] if how is signal.SIGSTOP else rest
    if name not in POINTS or len(counts) > 1 or not all(count.isdecimal() and int(count) > 0 for count in counts):
        raise SettingsError(
            f"`fault` must be one of {', '.join(sorted(POINTS))}, "
            f"perhaps with :COUNT, perhaps with :stop, not {setting!r}"
        )
    left = int(counts[0]) if counts else 1

    def fault(point: str) -> None:
        nonlocal left
        if point == name:
            left -= 1
            if left == 0:
                os.write(2, f"fault point {name} reached by {os.getpid()}\n".encode())
                os.kill(os.getpid(), how)

    return fault
