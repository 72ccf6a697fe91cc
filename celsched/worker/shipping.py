"""Owns how captured output becomes numbered log lines: read from where it was left, bounded, in order of time.

It never writes to the store: whoever stores the lines moves the slot's marks afterwards.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celsched.domain.execution import LogLine
from celsched.redact import Redactor
from celsched.worker.capture import LONGEST_LINE, MOST_CHARACTERS, MOST_LINES
from celsched.worker.output_files import OutputFiles, empty_if_large, read_from
from celsched.worker.slots import Marks, Occupant
from celsched.worker.text import bounded, clean

_AT_ONCE = 256 * 1024  # bytes read of one file in one go
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Raw = tuple[datetime, int, str, str]


class Shipper:
    """Turns a slot's files into lines."""

    def __init__(self, redactor: Redactor, now: Callable[[], datetime]) -> None:
        self._redactor = redactor
        self._now = now

    def collect(self, files: OutputFiles, occupant: Occupant, *, final: bool = False) -> tuple[list[LogLine], Marks]:
        """Return the lines since the occupant's marks and the marks after them.

        `final` takes everything that is left, an unfinished last line too, and says how many lines were dropped.
        """
        lines: list[LogLine] = []
        marks = occupant.marks
        while True:
            found, after = self._once(files, occupant, marks, final=final)
            lines.extend(found)
            if not final or after == marks:
                break
            marks = after
        marks = after
        if final and marks.dropped:
            said = f"celsched: {marks.dropped} more lines were dropped (limit {MOST_LINES} lines, 1 MiB)"
            lines.append(_line(occupant, marks.next_seq, (self._now(), logging.WARNING, "celsched", said)))
            marks = replace(marks, next_seq=marks.next_seq + 1)
        return lines, marks

    def _once(
        self, files: OutputFiles, occupant: Occupant, marks: Marks, *, final: bool
    ) -> tuple[list[LogLine], Marks]:
        records, taken = _whole_lines(read_from(files.records, marks.records, _AT_ONCE), final=final)
        raw = list(_decoded(records))
        dropped = len(records) - len(raw)
        marks = replace(marks, records=marks.records + taken)
        out, moved = self._stream(files.stdout, marks.stdout, logging.INFO, "stdout", final=final)
        err, moved_err = self._stream(files.stderr, marks.stderr, logging.WARNING, "stderr", final=final)
        marks = replace(marks, stdout=moved, stderr=moved_err)
        return _numbered(occupant, marks, sorted([*raw, *out, *err], key=lambda one: one[0]), dropped)

    def _stream(self, path: Path, offset: int, level: int, source: str, *, final: bool) -> tuple[list[_Raw], int]:
        """Return the lines that programs wrote since `offset`, with the time of this look, and the new offset."""
        chunk = read_from(path, offset, _AT_ONCE)
        lines, taken = _whole_lines(chunk, final=final)
        offset += taken
        if not chunk and offset and empty_if_large(path, MOST_CHARACTERS):
            offset = 0
        if not lines:
            return [], offset
        at = self._now()
        text = self._redactor.text(clean(b"\n".join(lines).decode("utf-8", "replace")))
        return [(at, level, source, bounded(line, LONGEST_LINE)) for line in text.split("\n")], offset


def _whole_lines(chunk: bytes, *, final: bool) -> tuple[list[bytes], int]:
    """Return the whole lines of a chunk and how many bytes they take; a line that fills the chunk counts as whole."""
    end = chunk.rfind(b"\n") + 1
    if final or (end == 0 and len(chunk) >= _AT_ONCE):
        end = end if end and len(chunk) >= _AT_ONCE else len(chunk)
    lines = [line.rstrip(b"\r") for line in chunk[:end].removesuffix(b"\n").split(b"\n")] if end else []
    return lines, end


def _decoded(records: list[bytes]) -> Iterator[_Raw]:
    for record in records:
        try:
            moment, level, source, text = json.loads(record)
            yield _EPOCH + timedelta(microseconds=moment), level, source, text
        except (ValueError, TypeError):
            continue  # `0`: dropped by the recorder; anything else: cut off by a kill


def _numbered(occupant: Occupant, marks: Marks, raw: list[_Raw], dropped: int) -> tuple[list[LogLine], Marks]:
    lines: list[LogLine] = []
    seq, stored = marks.next_seq, marks.stored
    for one in raw:
        if seq >= MOST_LINES or stored + len(one[3]) > MOST_CHARACTERS:
            dropped += 1
            continue
        lines.append(_line(occupant, seq, one))
        seq, stored = seq + 1, stored + len(one[3])
    return lines, replace(marks, next_seq=seq, stored=stored, dropped=marks.dropped + dropped)


def _line(occupant: Occupant, seq: int, raw: _Raw) -> LogLine:
    at, level, source, text = raw
    return LogLine(occupant.execution_id, occupant.attempt, seq, at, level, source, text)
