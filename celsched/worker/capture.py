"""Owns the child's side of capturing: logging, print, and whatever the body's programs write to its standard output.

It never fails the body: what cannot be kept is dropped. The lines are stored by `shipping`, from outside the body.
"""

import contextlib
import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from celsched.redact import Redactor
from celsched.worker.output_files import OutputFiles, open_for_output, open_nothing
from celsched.worker.text import bounded, clean

MOST_LINES = 10_000
MOST_CHARACTERS = 1024 * 1024
LONGEST_LINE = 16 * 1024
_FORMATTER = logging.Formatter("%(message)s")


class Recorder:
    """Appends lines to the records file: one JSON list `[microseconds, level, source, text]` each, already redacted."""

    def __init__(self, files: OutputFiles, redactor: Redactor, now: Callable[[], datetime]) -> None:
        self.trouble: OSError | None = None
        """Why nothing is kept."""
        try:
            self._descriptor = open_for_output(files.records)
        except OSError as error:
            self.trouble, self._descriptor = error, open_nothing()
        self._redactor = redactor
        self._now = now
        self._lines = self._characters = 0
        self._busy = threading.local()

    def add(self, level: int, source: str, text: str, at: datetime | None = None) -> None:
        """Record a text of one or more lines. Beyond the bound only the fact is kept, so that the count is right."""
        if getattr(self._busy, "inside", False):
            return  # something below us logs; recording that would go round for ever
        self._busy.inside = True
        try:
            moment = int((at or self._now()).timestamp() * 1_000_000)
            lines = self._redactor.text(bounded(clean(text), MOST_CHARACTERS)).splitlines() or [""]
            os.write(self._descriptor, b"".join(self._encoded(moment, level, source, line) for line in lines))
        except Exception:  # a full disk, an odd object: never the body's problem
            return
        finally:
            self._busy.inside = False

    def _encoded(self, moment: int, level: int, source: str, line: str) -> bytes:
        self._lines += 1
        self._characters += len(line)
        if self._lines > MOST_LINES or self._characters > MOST_CHARACTERS:
            return b"0\n"
        line = bounded(line, LONGEST_LINE)
        return json.dumps([moment, level, source, line], ensure_ascii=False).encode() + b"\n"

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class CaptureHandler(logging.Handler):
    """Hands log records of the body to a recorder; `accepts` says which are the body's."""

    def __init__(self, recorder: Recorder, accepts: Callable[[], bool]) -> None:
        super().__init__(logging.INFO)
        self._recorder = recorder
        self._accepts = accepts

    def emit(self, record: logging.LogRecord) -> None:
        """Record it, with its traceback."""
        if not self._accepts():
            return
        try:
            self._recorder.add(record.levelno, record.name, _FORMATTER.format(record))
        except Exception:  # arguments that do not fit the message: logging would print; we keep what there is
            self._recorder.add(record.levelno, record.name, str(record.msg))


class _Bytes(io.FileIO):
    """A descriptor that drops what it cannot take."""

    def write(self, data: Any) -> int:
        """Write, and count what is dropped as written."""
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


class LineWriter(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr during a body: each whole line becomes a record with its time."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, recorder: Recorder, level: int, source: str, descriptor: int) -> None:
        self._recorder, self._level, self._source, self._descriptor = recorder, level, source, descriptor
        self._rest = ""
        # Libraries that write bytes go to the real descriptor, which is captured as well.
        self.buffer = _Bytes(descriptor, "w", closefd=False)

    def write(self, text: str) -> int:
        """Take text; a line without its end waits for it."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        whole, newline, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if newline:
            self._recorder.add(self._level, self._source, whole)
        elif len(rest) > LONGEST_LINE:
            self.finish()
        return len(text)

    def finish(self) -> None:
        """Record a last line that has no end."""
        if self._rest:
            rest, self._rest = self._rest, ""
            self._recorder.add(self._level, self._source, rest)

    def fileno(self) -> int:
        """Return the real descriptor, for subprocesses."""
        return self._descriptor

    def writable(self) -> bool:
        """Whether it takes text: yes."""
        return True


@contextlib.contextmanager
def capturing(recorder: Recorder, accepts: Callable[[], bool]) -> Iterator[None]:
    """Record what the body logs at INFO and above."""
    handler = CaptureHandler(recorder, accepts)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    if root.getEffectiveLevel() > logging.INFO:
        root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextlib.contextmanager
def redirecting(recorder: Recorder, files: OutputFiles) -> Iterator[OSError | None]:
    """Record what the whole process and its programs write to descriptors 1 and 2; for a process with one body.

    What loggers write to the worker's own output still goes there: their records are captured by themselves. Where the
    files take nothing it is dropped, since it may hold secrets that the worker's own output must not; yields why.
    """
    former_streams = sys.stdout, sys.stderr
    saved = [os.dup(1), os.dup(2)]
    writers = LineWriter(recorder, logging.INFO, "stdout", 1), LineWriter(recorder, logging.WARNING, "stderr", 2)
    moved = _move_handlers(dict(zip((1, 2), saved, strict=True)))
    trouble: OSError | None = None
    try:
        for path, descriptor in ((files.stdout, 1), (files.stderr, 2)):
            try:
                opened = open_for_output(path, reserve=True)
            except OSError as error:
                trouble, opened = error, open_nothing()
            os.dup2(opened, descriptor)
            os.close(opened)
        sys.stdout, sys.stderr = writers
        yield trouble
    finally:
        sys.stdout, sys.stderr = former_streams
        for writer in writers:
            writer.finish()
        for handler, stream in moved:
            handler.setStream(stream)
        for old, descriptor in zip(saved, (1, 2), strict=True):
            os.dup2(old, descriptor)
            os.close(old)


def _move_handlers(saved: dict[int, int]) -> list[tuple[logging.StreamHandler[Any], Any]]:
    """Let the root logger's handlers for descriptors 1 and 2 write to copies; return them with their former streams."""
    moved: list[tuple[logging.StreamHandler[Any], Any]] = []
    for handler in logging.getLogger().handlers:
        if not isinstance(handler, logging.StreamHandler):
            continue
        try:
            descriptor = handler.stream.fileno()
        except (AttributeError, OSError, ValueError):
            continue
        if descriptor in saved:
            stream = open(saved[descriptor], "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
            moved.append((handler, handler.setStream(stream) or handler.stream))
    return moved
