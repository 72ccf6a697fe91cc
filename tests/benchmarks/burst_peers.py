"""Measures a burst: N schedules due at one instant, and when the last of their messages lies in Redis.

PYTHONPATH=. python tests/benchmarks/burst_peers.py [--schedules N] [--only NAME ...]

It is a program, not a test. Each scheduler runs as it is run in production, as a process of its own, with the same real
Redis; celsched and APScheduler keep their schedules in the same PostgreSQL, beat in its file, RedBeat in that Redis. No
worker takes anything. All of them together cost about two minutes each: a cron expression is due at a whole minute.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis

from tests.support.services import PostgresServer, RedisServer

_QUEUE = "burst"
_LEVELS = [_QUEUE, *(f"{_QUEUE}\x06\x16{level}" for level in (3, 6, 9))]
"""The lists of one queue: kombu keeps one for each level of priority."""
_PREPARATION = timedelta(seconds=40)
"""The most that any of them was seen to need from its start until it waits for the instant, with 5,000 schedules."""
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What a contender is given."""

    folder: Path
    redis_url: str
    postgres: PostgresServer
    schedules: int
    instant: datetime

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its processes; the peers' modules read the first four."""
        return {
            **os.environ,
            "BURST_REDIS": self.redis_url,
            "BURST_SCHEDULES": str(self.schedules),
            "BURST_INSTANT": self.instant.isoformat(),
            "BURST_DATABASE": self.postgres.url,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds from the instant until the first and the last message lay in Redis; CPU seconds of the whole process."""

    first: float
    last: float
    messages: int
    cpu: float


def celsched(ground: Ground) -> Sequence[str]:
    """celsched's own daemon, without a worker."""
    database = ground.postgres.create_database("burst")
    settings = {"database_url": database, "broker_url": ground.redis_url, "task_modules": ["jobs.*"]}
    (ground.folder / "celsched.toml").write_text("".join(f"{key} = {json.dumps(settings[key])}\n" for key in settings))
    (ground.folder / "jobs.py").write_text("def nothing(): pass\n")
    at = ground.instant
    lines = [
        "version: 1",
        "tasks:",
        f"  nothing: {{task_path: jobs.nothing, queue_name: {_QUEUE}}}",
        "schedules:",
        *(
            f"  s{n}: {{task: nothing, cron: '{at.minute} {at.hour} * * *', timezone: UTC}}"
            for n in range(ground.schedules)
        ),
    ]
    (ground.folder / "schedules.yaml").write_text("\n".join(lines) + "\n")
    _command(ground, "-m", "celsched", "db", "upgrade")
    _command(ground, "-m", "celsched", "apply", "-f", "schedules.yaml")
    return [sys.executable, "-m", "celsched", "run"]


def beat(_: Ground) -> Sequence[str]:
    """Celery's own."""
    return [sys.executable, "-m", "celery", "-A", "tests.benchmarks.burst_apps:beat", "beat"]


def redbeat(ground: Ground) -> Sequence[str]:
    """RedBeat; its entries lie in Redis before it starts, as they would after a deployment."""
    code = "import tests.benchmarks.burst_apps as apps; apps.fill_redbeat()"
    _command(ground, "-c", code)
    return [
        *(sys.executable, "-m", "celery", "-A", "tests.benchmarks.burst_apps:redbeat", "beat"),
        *("-S", "redbeat.RedBeatScheduler", "--max-interval", "1"),
    ]


def apscheduler(_: Ground) -> Sequence[str]:
    """APScheduler 3 with jobs in PostgreSQL that send a Celery message, as its users do."""
    return [sys.executable, "-c", "import tests.benchmarks.burst_apps as apps; apps.run_apscheduler()"]


CONTENDERS: dict[str, Callable[[Ground], Sequence[str]]] = {
    "celsched": celsched,
    "beat": beat,
    "redbeat": redbeat,
    "apscheduler": apscheduler,
}


def _command(ground: Ground, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=ground.folder, env=ground.environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def measure(name: str, folder: Path, server: RedisServer, postgres: PostgresServer, schedules: int) -> Burst:
    """Let one contender loose on an empty Redis."""
    client = server.client()
    client.flushall()
    folder.mkdir()
    instant = _whole_minute_after(datetime.now(UTC) + _PREPARATION)
    ground = Ground(folder, server.url, postgres, schedules, instant)
    words = CONTENDERS[name](ground)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, env=ground.environment, stdout=log, stderr=log)
        try:
            first, last, messages = _observed(client, ground)
        finally:
            process.terminate()
            process.wait(30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if messages != schedules:
        sys.stderr.write(f"{name}: {messages} messages for {schedules} schedules; the end of its log:\n")
        sys.stderr.write((folder / "log").read_text()[-2000:])
    return Burst(first, last, messages, cpu)


def _whole_minute_after(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _observed(client: "redis.Redis", ground: Ground) -> tuple[float, float, int]:
    """Poll the queue's length until all have come, or nothing came for a while; return first, last and how many."""
    first = last = float("nan")
    seen, changed = 0, time.monotonic()
    quiet = _PATIENCE
    while seen < ground.schedules and time.monotonic() - changed < quiet:
        with client.pipeline(transaction=False) as pipeline:
            for key in _LEVELS:
                pipeline.llen(key)
            now = sum(pipeline.execute())
        if now != seen:
            last = (datetime.now(UTC) - ground.instant).total_seconds()
            first = last if seen == 0 else first
            seen, changed, quiet = now, time.monotonic(), 20.0
        time.sleep(0.005)
    return first, last, seen


def main() -> int:
    """Measure those asked for and print a table; 1 where somebody did not send all, or sent too much."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--schedules", type=int, default=2000)
    options.add_argument("--only", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    given = options.parse_args()
    found: dict[str, Burst] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server, postgres = RedisServer(folder), PostgresServer(folder)
        server.start()
        postgres.start()
        try:
            for name in given.only:
                found[name] = measure(name, folder / name, server, postgres, given.schedules)
                _tell(name, found[name], found.get("celsched"))
        finally:
            postgres.stop()
            server.stop()
    return int(any(burst.messages != given.schedules for burst in found.values()))


def _tell(name: str, burst: Burst, ours: Burst | None) -> None:
    ratio = f"{burst.last / ours.last:6.2f} x celsched" if ours is not None else ""
    sys.stdout.write(
        f"{name:<12} {burst.messages:>6} messages: first after {burst.first:6.2f} s, last after {burst.last:6.2f} s"
        f" {ratio}, {burst.cpu:6.2f} s of CPU\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
