"""Captured output: what becomes a line, in which order, how many, and with what masked."""

import logging
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from celsched.redact import Redactor
from celsched.worker.capture import CaptureHandler, LineWriter, Recorder, capturing
from celsched.worker.output_files import OutputFiles, files_of, make_folder
from celsched.worker.shipping import Shipper
from celsched.worker.slots import Marks, Occupant, SlotState
from tests.support.clock import ManualClock

START = datetime(2026, 3, 1, tzinfo=UTC)
OCCUPANT = Occupant(SlotState.BODY, 5, 2, "t" * 32)


@pytest.fixture
def files(tmp_path: Path) -> OutputFiles:
    made = files_of(tmp_path, 0)
    made.begin()
    return made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def recorder(files: OutputFiles, clock: ManualClock) -> Recorder:
    return Recorder(files, Redactor(), clock.now)


def shipper(clock: ManualClock) -> Shipper:
    return Shipper(Redactor(), clock.now)


def test_records_are_numbered_and_taken_once(files: OutputFiles, recorder: Recorder, clock: ManualClock) -> None:
    recorder.add(20, "a", "first\nsecond")
    lines, marks = shipper(clock).collect(files, OCCUPANT)
    assert [(line.seq, line.text, line.at, line.execution_id, line.attempt) for line in lines] == [
        (0, "first", START, 5, 2),
        (1, "second", START, 5, 2),
    ]
    recorder.add(40, "b", "third")
    more, _ = shipper(clock).collect(files, Occupant(SlotState.BODY, 5, 2, "t", marks=marks))
    assert [(line.seq, line.level, line.source, line.text) for line in more] == [(2, 40, "b", "third")]


def test_a_line_without_its_end_waits_for_it_unless_it_is_the_last(files: OutputFiles, clock: ManualClock) -> None:
    files.stdout.write_bytes("سلام\nنیم".encode()[:-1])
    lines, marks = shipper(clock).collect(files, OCCUPANT)
    assert [line.text for line in lines] == ["سلام"]
    rest, _ = shipper(clock).collect(files, Occupant(SlotState.BODY, 5, 2, "t", marks=marks), final=True)
    assert [line.text for line in rest] == ["نی\ufffd"]


def test_sources_are_merged_by_time(files: OutputFiles, recorder: Recorder, clock: ManualClock) -> None:
    recorder.add(20, "early", "one")
    files.stderr.write_text("raw\n")
    recorder.add(20, "late", "two", at=START + timedelta(seconds=5))
    clock.advance(timedelta(seconds=1))
    lines, _ = shipper(clock).collect(files, OCCUPANT)
    assert [line.source for line in lines] == ["early", "stderr", "late"]


def test_secrets_and_what_the_store_cannot_hold_are_masked(
    files: OutputFiles, recorder: Recorder, clock: ManualClock
) -> None:
    recorder.add(20, "a", "password=hunter2 \0 \ud800")
    files.stdout.write_text("token: abc123456\n")
    key = "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----"
    recorder.add(20, "a", key)
    texts = "\n".join(line.text for line in shipper(clock).collect(files, OCCUPANT)[0])
    assert "hunter2" not in texts
    assert "abc123456" not in texts
    assert "MIIsecret" not in texts
    assert "\0" not in texts
    texts.encode()


def test_output_beyond_the_bound_is_counted_not_kept(files: OutputFiles, clock: ManualClock) -> None:
    files.stdout.write_text("".join(f"{number}\n" for number in range(12_000)))
    lines, marks = shipper(clock).collect(files, OCCUPANT, final=True)
    assert len(lines) == 10_001
    assert marks.dropped == 2_000
    assert lines[-1].source == "celsched"
    assert "2000 more lines" in lines[-1].text


def test_a_program_that_never_stops_writing_cannot_fill_the_disk(files: OutputFiles, clock: ManualClock) -> None:
    files.stdout.write_text("x" * 200 + "\n")
    marks = Marks()
    with files.stdout.open("ab", buffering=0) as program:
        for _ in range(60):
            program.write(b"y" * 99_999 + b"\n")
            for _ in range(3):
                lines, marks = shipper(clock).collect(files, Occupant(SlotState.BODY, 5, 2, "t", marks=marks))
                assert len(lines) <= 60
        assert files.stdout.stat().st_size < 2_000_000
        program.write(b"after\n")
    assert marks.stored <= 1024 * 1024


def test_a_file_that_vanished_or_holds_rubbish_is_no_error(files: OutputFiles, clock: ManualClock) -> None:
    files.records.write_bytes(b'{"not": "ours"}\n[1]\nrubbish\n[1, 20, "a", "good"]\n[1, 20, "cut')
    files.stdout.unlink()
    lines, _ = shipper(clock).collect(files, OCCUPANT, final=True)
    assert [line.text for line in lines if line.source != "celsched"] == ["good"]


def test_logging_of_the_body_only(files: OutputFiles, recorder: Recorder, clock: ManualClock) -> None:
    mine = True
    log = logging.getLogger("tests.worker.body")
    with capturing(recorder, lambda: mine):
        log.info("kept %d", 1)
        log.debug("too quiet")
        mine = False
        log.warning("somebody else's")
    log.warning("afterwards")
    texts = [line.text for line in shipper(clock).collect(files, OCCUPANT)[0]]
    assert texts == ["kept 1"]


def test_a_record_whose_arguments_do_not_fit_is_kept_as_it_is(
    files: OutputFiles, recorder: Recorder, clock: ManualClock
) -> None:
    record = logging.LogRecord("a", 20, "f.py", 1, "arguments that do not fit %d", ("x",), None)
    CaptureHandler(recorder, lambda: True).emit(record)
    assert [line.text for line in shipper(clock).collect(files, OCCUPANT)[0]] == ["arguments that do not fit %d"]


def test_a_printed_line_comes_whole(files: OutputFiles, recorder: Recorder, clock: ManualClock) -> None:
    writer = LineWriter(recorder, 20, "stdout", 1)
    writer.write("half ")
    writer.write("and half\nnext\nrest")
    assert [line.text for line in shipper(clock).collect(files, OCCUPANT)[0]] == ["half and half", "next"]
    writer.finish()
    assert [line.text for line in shipper(clock).collect(files, OCCUPANT)[0]] == ["half and half", "next", "rest"]
    with pytest.raises(TypeError):
        writer.write(b"bytes")  # type: ignore[arg-type]


def test_a_full_disk_drops_lines_and_nothing_else(files: OutputFiles, clock: ManualClock) -> None:
    full = OutputFiles(Path("/dev/full"), files.stdout, files.stderr)
    Recorder(full, Redactor(), clock.now).add(20, "a", "lost")
    assert shipper(clock).collect(files, OCCUPANT)[0] == []


def test_a_worker_without_any_folder_for_its_files_starts_and_makes_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    folder = make_folder()
    try:
        assert not folder.exists()
        files_of(folder, 0).begin()
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_that_others_may_enter_is_not_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(PermissionError, match="closed to others"):
        files_of(tmp_path, 0).begin()
    assert not list(tmp_path.iterdir())
