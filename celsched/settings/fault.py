"""Owns the test hook behind CELSCHED_FAULT: a process that kills itself at a named point. It is off unless asked for.

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
    }
)

Fault = Callable[[str], None]
"""Told each point that is passed."""


def no_fault(point: str) -> None:
    """Pass every point."""


def fault_of(setting: str | None) -> Fault:
    """Return what `POINT` or `POINT:COUNT` asks for: SIGKILL to this process when it passes there the COUNTth time.

    Raises:
        SettingsError: there is no such point.
    """
    if setting is None:
        return no_fault
    name, _, times = setting.partition(":")
    if name not in POINTS or not (times or "1").isdecimal():
        raise SettingsError(f"`fault` must be one of {', '.join(sorted(POINTS))}, or one with :COUNT, not {setting!r}")
    left = int(times or 1)

    def fault(point: str) -> None:
        nonlocal left
        if point == name:
            left -= 1
            if left == 0:
                os.write(2, f"fault point {name} reached by {os.getpid()}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

    return fault
