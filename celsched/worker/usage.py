"""Owns what a body used: processor time of it and of the programs it waited for, and its peak memory. No limits."""

import contextlib
import resource
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class Usage:
    """Measures from its making to `read`."""

    def __init__(self) -> None:
        # Without the reset the peak would be that of an earlier body of this child.
        with contextlib.suppress(OSError):
            _CLEAR.write_text(_RESET_PEAK)
        self._cpu = _cpu_seconds()

    def read(self) -> tuple[float, int]:
        """Return processor seconds and peak bytes of memory so far."""
        return round(max(0.0, _cpu_seconds() - self._cpu), 6), _peak_bytes()


def _cpu_seconds() -> float:
    used = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        used += usage.ru_utime + usage.ru_stime
    return used


def _peak_bytes() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
