"""Owns the embedded worker's process: starts it, starts it again when it dies, stops it first. It never talks to it."""

import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from celsched.clock import Clock

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY = 60.0
"""Seconds after which a child that ran counts as healthy again."""
_TOLD_APART = 0.5
"""Seconds between two signals of one kind, which would be one at the same moment."""


class EmbeddedWorker:
    """One child process. It watches its standard input, so that it also stops when we are killed."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], clock: Clock) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._again_at = 0.0
        self._pause = _FIRST_PAUSE
        self._asked = self._hurried = False
        self._begun = False
        self.refused = False
        """Whether the first child could not start with these settings or this store: no other one can."""

    def start(self) -> None:
        """Start the child, in a session of its own: Ctrl-C in our terminal is ours to handle."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdin=subprocess.PIPE, start_new_session=True
        )
        self._started = self._clock.monotonic()

    def look_after(self) -> None:
        """Start the child again where it died, with back-off; called at every scan."""
        process, moment = self._process, self._clock.monotonic()
        if process is not None and process.poll() is None:
            if moment - self._started > _STEADY:
                self._pause = _FIRST_PAUSE
            return
        if process is not None:
            self._process = None
            self._judge(process.returncode)
        if self.refused:
            return
        if process is not None:
            self._again_at = moment + self._pause
            log.error(
                "the embedded worker ended with %d; starting it again in %.1f s",
                process.returncode,
                self._pause,
                extra={"action": "worker_died"},
            )
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if moment >= self._again_at:
            self.start()

    def _judge(self, code: int) -> None:
        # Where one has worked before, it may be an upgrade half done, so the next is tried as after any death.
        self.refused = self.refused or (code == os.EX_CONFIG and not self._begun)
        self._begun = True

    def hurry(self) -> None:
        """Let `stop`, now or later, give tasks no time to end by themselves. Any thread may call."""
        self._hurried = True
        if self._asked and self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)  # its second one

    def stop(self, *, drain: float, grace: float) -> None:
        """Ask it to stop, give its tasks `drain` seconds, then `grace` to end them and record it; then kill it."""
        process = self._process
        if process is None:
            return
        for patience in (_TOLD_APART if self._hurried else drain, grace):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            self._asked = True
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
                break
        else:
            log.error("the embedded worker did not stop; killing it", extra={"action": "worker_killed"})
            process.kill()
            process.wait()
        if process.stdin:
            with suppress(OSError):
                process.stdin.close()
        self._judge(process.returncode)
        self._process = None
