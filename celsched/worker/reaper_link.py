"""Owns the main process's end of the reaper: starts it, tells it the children, starts it anew when it is gone.

It never waits for it. The pipe is the message: when this process dies, however it dies, the reaper acts.
"""

import contextlib
import logging
import subprocess
import sys
from pathlib import Path

from celsched.worker import reaper

logger = logging.getLogger(__name__)


class ReaperLink:
    """The running reaper of one worker. `folder` is removed by it at the end."""

    def __init__(self, worker_id: str, folder: Path) -> None:
        self._command = [sys.executable, "-I", "-S", str(reaper.__file__), worker_id, str(folder)]
        self._told: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, children: set[int]) -> None:
        """Say which pool children there are now; a reaper that has died is replaced and told everything."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        lines = [f"+{pid}\n" for pid in sorted(children - self._told)] + [
            f"-{pid}\n" for pid in sorted(self._told - children)
        ]
        if lines and self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write("".join(lines).encode())
                self._process.stdin.flush()
            self._told = set(children)

    def leave(self) -> None:
        """In a forked child: let go of the pipe, so that it closes when the main process dies."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process.returncode = 0  # not ours to wait for: no warning when the object goes

    def close(self) -> None:
        """Close the pipe and wait shortly; the reaper removes the folder."""
        if self._process is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._process.communicate(timeout=2)

    def _start(self) -> None:
        self._told = set()
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd="/", start_new_session=True
            )
        except OSError as error:
            self._process = None
            logger.warning("the reaper cannot be started (%s); if this worker is killed, orphans may stay", error)
