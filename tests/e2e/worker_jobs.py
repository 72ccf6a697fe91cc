# ruff: noqa: T201
"""The user code that worker tests run: copied as `jobs.py` into a project folder of its own."""

import asyncio
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from celery import shared_task
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

import celsched

HERE = Path(__file__).parent


def note(name: str, text: object = "yes") -> None:
    (HERE / name).write_text(str(text))


def hello(name: str = "x") -> dict[str, object]:
    note("ran", os.getpid())
    return {"said": name, "at": None}


def speaks() -> dict[str, object]:
    log = logging.getLogger("mine")
    log.info("سلام %s", "دنیا")
    print("from print")
    log.warning("two\nlines")
    subprocess.run(["sh", "-c", "echo from sh; echo error of sh >&2"], check=True)
    os.write(1, b"raw \xff bytes\n")
    log.error("password=hunter2 and DSN postgres://u:s3cr3t@host/x")
    print("token: abcdef0123456789", file=sys.stderr)
    log.debug("not kept")
    sys.stdout.write("no end of line")
    return {"password": "hunter2", "ok": 1}


def floods() -> None:
    for number in range(12_000):
        print("line", number)


def fails(times: int = 1) -> str:
    seen = len(list(HERE.glob("tried-*")))
    note(f"tried-{seen}")
    if seen < times:
        raise ValueError("کار نشد, password=hunter2")
    return "at last"


def waits(name: str = "waits", seconds: float = 60) -> None:
    note(name, os.getpid())
    time.sleep(seconds)
    note(f"{name}-done")


def spins(name: str = "spins") -> None:
    note(name, os.getpid())
    while True:
        pass


def holds_the_interpreter() -> None:
    note("holds")
    sys.set_int_max_str_digits(0)
    str(10**4_000_000)  # tens of seconds inside one C call that never lets go


def catches_soft() -> str | None:
    note("catches")
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        return "tidied up"
    return None


STUBBORN = """
trap "" TERM
echo stubborn
setsid sh -c 'trap "" TERM; echo $$ > escaped; sleep 61' &
sh -c 'trap "" TERM; echo $$ > inner; sleep 62'
"""


def stubborn_shell() -> None:
    note("stubborn", os.getpid())
    subprocess.run(["sh", "-c", STUBBORN], cwd=HERE)


def leaves_behind() -> str:
    subprocess.Popen(["sh", "-c", "setsid sh -c 'echo $$ > left; sleep 63' & exit 0"], cwd=HERE).wait()
    while not (HERE / "left").exists() or not (HERE / "left").read_text():
        time.sleep(0.01)
    return "done"


STUBBORN_LEFTOVER = """
setsid sh -c 'trap "echo yes > asked" TERM; echo $$ > left; while :; do sleep 0.05; done' &
exit 0
"""


def leaves_stubborn() -> str:
    """Return while a process of ours, which only notes that it is asked to end, lives on in a session of its own."""
    note("child", os.getpid())
    subprocess.Popen(["sh", "-c", STUBBORN_LEFTOVER], cwd=HERE).wait()
    while not (HERE / "left").exists() or not (HERE / "left").read_text():
        time.sleep(0.01)
    return "done"


def exits_hard() -> None:
    print("last words", flush=True)
    logging.getLogger("mine").info("last record")
    os.write(2, b"raw last words\n")
    os._exit(3)


def leaves_by_exit() -> None:
    sys.exit("I am leaving")


async def awaits(name: str) -> str:
    await asyncio.sleep(0.01)
    return f"awaited {name}"


@shared_task(bind=True)  # type: ignore[untyped-decorator]
def bound(self: Any, value: str) -> dict[str, object]:
    return {"id": self.request.id, "retries": self.request.retries, "value": value}


@shared_task(bind=True)  # type: ignore[untyped-decorator]
def retries_itself(self: Any) -> int:
    if self.request.retries == 0:
        raise self.retry(countdown=3600)
    return int(self.request.retries)


@shared_task  # type: ignore[untyped-decorator]
def ignores() -> None:
    raise Ignore


@shared_task  # type: ignore[untyped-decorator]
def rejects() -> None:
    raise Reject("not for me")


def progresses() -> dict[str, object]:
    for done in range(1, 4):
        celsched.progress(done, 3, f"گام {done}")
    note("progresses")
    while not (HERE / "go-on").exists():
        time.sleep(0.01)
    me = celsched.current()
    assert me is not None
    return {"execution_id": me.execution_id, "attempt": me.attempt, "task": me.task, "schedule": me.schedule}


def odd_result() -> set[int]:
    return {1, 2}


def typed(hours: int) -> int:
    return hours
