"""Owns the worker's end of the reaper: starts it, tells it the children, starts it anew when it is gone.

It never waits for it. The pipe is the message: when this process dies, however it dies, the reaper acts.
"""

import contextlib
import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from celsched.worker import reaper

logger = logging.getLogger(__name__)

_AGAIN = 5.0
"""Seconds between two starts, so that one that cannot live is not started ten times a second."""


class ReaperLink:
    """The running reaper of one worker. `folder` is removed by it at the end."""

    def __init__(self, worker_id: str, folder: Path, monotonic: Callable[[], float]) -> None:
        self._command = [sys.executable, "-I", "-S", str(reaper.__file__), worker_id, str(folder)]
        self._monotonic = monotonic
        self._again_at = -math.inf
        self._failure = ""
        self._told: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        # A bare descriptor: a buffered file has a lock, and a child forked while it is held could never let go of it.
        self._pipe: int | None = None

    def start(self) -> None:
        """Start it, so that children can introduce themselves; where that fails it is tried again at `tell`."""
        self._start()

    def introduce(self, pid: int) -> bool:
        """In a forked child: tell the reaper of this child and `leave`; return whether it was told."""
        told = False
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                told = os.write(self._pipe, f"+{pid}\n".encode()) > 0
        self.leave()
        return told

    def tell(self, children: set[int]) -> None:
        """Say which pool children there are now; a reaper that has died is replaced and told everything."""
        dead = self._process is None or self._process.poll() is not None
        if dead and self._monotonic() >= self._again_at:
            self._start()
        if self._pipe is None or children == self._told:
            return
        lines = [f"+{pid}\n" for pid in sorted(children - self._told)]
        lines += [f"-{pid}\n" for pid in sorted(self._told - children)]
        with contextlib.suppress(OSError):
            os.write(self._pipe, "".join(lines).encode())
            self._told = set(children)

    def leave(self) -> None:
        """In a forked child: let go of the pipe, so that it closes when the main process dies."""
        self._hang_up()
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for: no warning when the object goes

    def close(self) -> None:
        """Close the pipe and wait shortly; the reaper removes the folder."""
        self._hang_up()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)

    def _hang_up(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            with contextlib.suppress(OSError):
                os.close(pipe)

    def _start(self) -> None:
        self._hang_up()
        self._told = set()
        self._again_at = self._monotonic() + _AGAIN
        reading, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(
                self._command, stdin=reading, stdout=subprocess.DEVNULL, cwd="/", start_new_session=True
            )
        except OSError as error:
            self._process = None
            self._hang_up()
            if str(error) != self._failure:  # said once, tried on
                self._failure = str(error)
                logger.warning("the reaper cannot be started (%s); if this worker is killed, orphans may stay", error)
        finally:
            os.close(reading)
