"""The tasks of a fault run, copied into its project as `jobs.py`. They write what they do, and nothing else counts.

Each record is one write of one line to a file that was opened for appending: a kill never leaves half of one.
"""

import functools
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import celsched

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The grandchild leaves the session, forks twice and ignores SIGTERM: what must not survive its execution.
_PIPELINE = r"""
trap '' TERM
tick() { printf '%s%s}\n' "$FAULTS_TICK" "$(date +%s%6N)" >>"$FAULTS_FILE"; }
( setsid sh -c '
    trap "" TERM
    i=0
    while [ $i -lt 60 ]; do
        printf "%s%s}\n" "$FAULTS_TICK" "$(date +%s%6N)" >>"$FAULTS_FILE"; sleep 0.2; i=$((i+1))
    done' & )
i=0
while [ $i -lt "$1" ]; do tick; sleep 0.2; i=$((i+1)); done | cat
"""


def _facts() -> dict[str, object]:
    current = celsched.current()
    assert current is not None
    assert current.fire_time is not None
    fire = (current.fire_time - _EPOCH) // timedelta(microseconds=1)
    return {
        "execution": current.execution_id,
        "attempt": current.attempt,
        "schedule": current.schedule,
        "fire": fire,
        "pid": os.getpid(),
        "worker": _worker(current.execution_id, current.attempt),
    }


@functools.lru_cache(maxsize=1)
def _worker(execution_id: int, attempt: int) -> int:
    """Return the worker of this body: whose child we were as it began. One that is killed leaves us to another."""
    del execution_id, attempt
    return os.getppid()


def _file() -> str:
    return os.path.join(os.environ["FAULTS_RECORDS"], f"{os.getpid()}.jsonl")


def _record(mark: str) -> None:
    line = {"mark": mark, **_facts(), "at": time.time_ns() // 1000, "monotonic": time.monotonic_ns() // 1000}
    file = os.open(_file(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line, ensure_ascii=False).encode() + b"\n")
    finally:
        os.close(file)


def short(seconds: float = 0.1) -> None:
    """Live for a while, in Python."""
    _record("start")
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        _record("alive")
    _record("end")


def pipeline(steps: int = 3) -> None:
    """Run a shell pipeline whose grandchild wants to live on."""
    _record("start")
    tick = json.dumps({"mark": "alive", **_facts(), "at": 0}, ensure_ascii=False)[: -len("0}")]
    environment = {**os.environ, "FAULTS_TICK": tick, "FAULTS_FILE": _file() + ".shell"}
    subprocess.run(["sh", "-c", _PIPELINE, "pipeline", str(steps)], env=environment, check=True)
    _record("end")


def flaky(times: int = 1) -> str:
    """Raise in the first attempts."""
    _record("start")
    sys.stdout.write("یک سطر\n")  # so that the next body of its process finds captured output there
    current = celsched.current()
    if current is not None and current.attempt <= times:
        _record("raise")
        raise RuntimeError("این بار نشد")
    _record("end")
    return "شد"


def busy(million: int = 10) -> None:
    """Hold the interpreter's lock in one call of C code."""
    _record("start")
    sum(range(million * 1_000_000))
    _record("end")
