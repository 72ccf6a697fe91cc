"""Owns what a fault run schedules: several dozen schedules by seed, as a plan for the checker and as a manifest.

It knows nothing of celsched's code: the manifest is text.
"""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Literal

from tests.faults.history import MINUTE, SECOND, Planned

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TASKS = {
    "short": ("short", {"seconds": 0.1}, 1, 0),
    "quick": ("short", {"seconds": 0.02}, 1, 0),
    "long": ("short", {"seconds": 3.0}, 1, 0),
    "pipeline": ("pipeline", {"steps": 3}, 1, 0),
    "flaky": ("flaky", {"times": 1}, 2, 1),
    "hopeless": ("flaky", {"times": 9}, 1, 9),
    "busy": ("busy", {"million": 8}, 1, 0),
    "limited": ("pipeline", {"steps": 40}, 1, 0),
}
"""Name: function, parameters, max_retries, how many of its first attempts raise."""

_LIMITS = {"limited": SECOND}
"""The time limit of a task; its body ignores whatever asks it to stop, and would live for many times as long."""

_DELAY = SECOND // 2
"""From the end of an attempt until the next one is due, always."""

_PATTERN = (
    ("quick", (1, 2, 3), 6),
    ("short", (2, 3, 4, 5, 7), 7),
    ("flaky", (5, 6, 7), 3),
    ("hopeless", (7,), 1),
    ("busy", (5, 6), 2),
    ("pipeline", (9, 11), 3),
    ("long", (11, 13), 3),
    ("limited", (12, 14), 2),
)
"""Task, periods in seconds, how many schedules.

The four pool children must be free most of the time: a start that waits for a child says nothing of celsched.
"""


def plan_of(seed: int, start: int, end: int, slower: int = 1) -> list[Planned]:
    """Return the schedules of a seed between two instants; half of them have their lost executions repeated.

    `slower` stretches the periods: on a loaded machine a queue that only grows would tell of nothing else.
    """
    chance = random.Random(seed)
    found: list[Planned] = []
    for task, periods, count in _PATTERN:
        for number in range(count):
            overlap = ("allow", "skip", "queue_one")[(number + seed) % 3]
            if task == "long":
                overlap = ("skip", "queue_one", "skip")[number]
            lost = 3 if (number + seed) % 2 else 0
            every = chance.choice(periods) * SECOND * slower
            # Spread, and on no whole second: a crowd at one instant would only measure the length of the queue.
            first = start + chance.randrange(every) % (end - start)
            found.append(_planned(f"{task} شمارهٔ {number}", task, "interval", every, first, end, overlap, lost))
    for number, (overlap, lost) in enumerate((("allow", 0), ("skip", 3))):
        found.append(_planned(f"each minute {number}", "quick", "cron", MINUTE, start, end, overlap, lost))
    return found


def _planned(
    name: str,
    task: str,
    kind: Literal["interval", "cron"],
    every: int,
    start: int,
    end: int,
    overlap: str,
    lost: int,
) -> Planned:
    _, _, retries, fails = _TASKS[task]
    return Planned(name, task, kind, every, start, end, overlap, retries, lost, fails, _DELAY, _LIMITS.get(task))


def manifest_of(planned: list[Planned]) -> str:
    """Return the manifest (JSON is YAML)."""
    tasks = {
        name: {
            "task_path": f"jobs.{function}",
            "default_params": params,
            "max_retries": retries,
            "retry": {"delay": f"{_DELAY // 1000}ms", "factor": 1, "jitter": False},
        }
        | ({"time_limit": f"{_LIMITS[name] // SECOND}s"} if name in _LIMITS else {})
        for name, (function, params, retries, _) in _TASKS.items()
    }
    schedules = {one.name: _schedule(one) for one in planned}
    document = {"version": 1, "set": "faults", "tasks": tasks, "schedules": schedules}
    return json.dumps(document, ensure_ascii=False, indent=1)


def _schedule(one: Planned) -> dict[str, object]:
    rule: dict[str, object] = {"cron": "* * * * *"} if one.kind == "cron" else {"every": f"{one.every // SECOND}s"}
    return rule | {
        "task": one.task,
        "overlap": one.overlap,
        "retry_on_lost": one.retry_on_lost,
        "start_at": _text(one.start),
        "end_at": _text(one.end),
    }


def _text(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat()
