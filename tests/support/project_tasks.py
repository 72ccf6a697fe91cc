# ruff: noqa: T201
"""The user code of whole-program tests: copied as `jobs.py` into a project. Tasks write down that they ran."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import celsched

HERE = Path(__file__).parent
log = logging.getLogger("shop")


def note(event: str, name: str) -> None:
    me = celsched.current()
    record: dict[str, Any] = {"event": event, "name": name, "at": time.time(), "pid": os.getpid()}
    if me is not None:
        record |= {"execution": me.execution_id, "attempt": me.attempt, "schedule": me.schedule}
    line = json.dumps(record, ensure_ascii=False) + "\n"
    descriptor = os.open(HERE / "notes.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def hello(name: str = "world") -> dict[str, str]:
    note("begin", name)
    print(f"hello, {name}")
    log.info("سلام %s", name)
    note("end", name)
    return {"greeted": name}


def unsteady(name: str = "unsteady", succeeds_at: int = 3) -> int:
    me = celsched.current()
    note("begin", name)
    if me is None or me.attempt < succeeds_at:
        raise ConnectionError("سرویس پاسخ نداد")
    return me.attempt


def naps(name: str = "naps", seconds: float = 60.0) -> str:
    note("begin", name)
    time.sleep(seconds)
    note("end", name)
    return name


def until(name: str) -> None:
    note("begin", name)
    while not (HERE / f"{name}.may-end").exists():
        time.sleep(0.05)
    note("end", name)


def floods(name: str, lines: int = 1000) -> None:
    note("begin", name)
    for number in range(lines):
        print(number, os.urandom(100).hex())
    note("end", name)


def counts(name: str = "counts", steps: int = 5, pause: float = 0.1) -> int:
    note("begin", name)
    for step in range(1, steps + 1):
        celsched.progress(step, steps, f"گام {step}")
        log.info("step %d", step)
        time.sleep(pause)
    note("end", name)
    return steps


def leaks(url: str = "https://reporter:hunter2secret@example.org/ping") -> dict[str, str]:
    note("begin", "leaks")
    log.warning("calling %s with token=abc123def456", url)
    print(f"password: pa55phrase9 for {url}")
    print("api_key=sk-verysecretkey77", file=sys.stderr)
    subprocess.run(["sh", "-c", "echo password=pa55phrase9"], check=True)
    if celsched.current():
        logging.getLogger("celery.app.trace").warning("celery says token=abc123def456")
    return {"password": "pa55phrase9", "note": "token=abc123def456"}


def leaks_and_fails() -> None:
    raise RuntimeError("cannot log in with password=pa55phrase9 at https://reporter:hunter2secret@example.org/")


def fails(name: str = "fails") -> None:
    note("begin", name)
    raise ValueError("it does not work")


def stubborn(name: str = "stubborn") -> None:
    note("begin", name)
    subprocess.run(["sh", "-c", "trap '' TERM; echo $$ > stubborn.pid; sleep 71; sleep 72"], cwd=HERE)


def spins(name: str = "spins") -> None:
    note("begin", name)
    while True:
        pass


def speaks(lines: int = 5) -> None:
    log.debug("a detail")
    for number in range(lines):
        log.info("line %d", number)
    log.warning("a warning")
    log.error("an error")
