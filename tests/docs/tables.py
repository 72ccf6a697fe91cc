"""Owns the README's tables that are made from the code's own tables. `python -m tests.docs.tables` writes them."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import Enum
from typing import Any

from celsched.cli.commands import COMMANDS
from celsched.cli.exits import ExitCode
from celsched.domain.health.kinds import KINDS, Kind
from celsched.domain.health.wishes import AlertWishes
from celsched.domain.options import OPTIONS
from celsched.domain.policy import RetryPolicy
from celsched.manifest.keys import MANIFEST_KEYS, RULE_KEYS, SCHEDULE_KEYS, TASK_KEYS
from celsched.monitor.metric_table import METRICS
from celsched.settings.table import SETTINGS, Setting
from celsched.timing.duration import format_duration
from tests.docs.readme import README

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.S)
_MOST_USED = (
    "task_modules",
    "database_url",
    "broker_url",
    "timezone",
    "python_path",
    "preload",
    "queues",
    "cleanup_days",
    "default_max_retries",
    "redact",
    "notify",
    "alert_threshold_minutes",
    "drain",
)
_MEANING = {
    ExitCode.DONE: "done, or the answer is yes; a daemon after a clean stop",
    ExitCode.NO: "the answer is no: `diff` found differences, `watch --once` found trouble",
    ExitCode.USAGE: "usage, settings, or an invalid manifest",
    ExitCode.NOT_FOUND: "there is no such thing",
    ExitCode.NOT_PERMITTED: "not permitted",
    ExitCode.CONFLICT: "the present state of the store forbids it",
    ExitCode.UNREACHABLE: "store or broker does not answer",
    ExitCode.FAILED: "`--wait`: the execution failed or timed out",
    ExitCode.NOT_RUN: "`--wait`: it was skipped, expired, cancelled or lost",
    ExitCode.FAULT: "a fault of celsched itself",
    ExitCode.WATCHDOG: "`worker` was stopped by its own watchdog; start it again",
    ExitCode.CONFIGURATION: "the store needs an upgrade or a newer celsched; a daemon cannot start with these settings",
    ExitCode.TIMEOUT: "`--timeout` was reached",
    ExitCode.INTERRUPTED: "interrupted",
}


def _rows(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heading), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    cells = ((cell.replace("|", r"\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def plain(value: Any) -> str:
    """Return a default as the tables show it."""
    if isinstance(value, RetryPolicy):
        delay, longest = format_duration(value.delay), format_duration(value.max_delay)
        return f"{{delay: {delay}, factor: {value.factor:g}, max_delay: {longest}, jitter: {plain(value.jitter)}}}"
    if isinstance(value, timedelta):
        return format_duration(value) if value else "0s"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value in (None, {}, AlertWishes()) else str(value)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _keys() -> str:
    places = (("manifest", MANIFEST_KEYS), ("task", TASK_KEYS), ("schedule", SCHEDULE_KEYS), ("schedule", RULE_KEYS))
    rows = [(_code(key), place, entry.about) for place, keys in places for key, entry in keys.items()]
    return _rows(("key", "of a", "meaning"), rows)


def _options() -> str:
    mark = {True: "yes", False: ""}
    rows = [
        (_code(key), mark[one.on_task], mark[one.on_schedule], _code(plain(one.default)), one.about)
        for key, one in OPTIONS.items()
    ]
    return _rows(("option", "task", "schedule", "default", "meaning"), rows)


def _commands() -> str:
    rows = [(_code(name), entry.help) for name, entry in COMMANDS.items() if not entry.hidden]
    return _rows(("command", "does"), rows)


def _exits() -> str:
    return _rows(("code", "meaning"), [(str(int(code)), _MEANING[code]) for code in ExitCode])


def _settings() -> str:
    def place(one: Setting) -> int:
        return _MOST_USED.index(one.key) if one.key in _MOST_USED else len(_MOST_USED)

    shown = sorted((one for one in SETTINGS.values() if not one.hidden), key=place)
    special = {"database_url": "`celsched.db` in the data folder"}
    rows = [(_code(one.key), special.get(one.key) or _code(plain(one.default)), one.about) for one in shown]
    return _rows(("setting", "default", "meaning"), rows)


def _kinds() -> str:
    rows = [
        (_code(one.kind), one.severity + ("" if one.enabled else ", off"), one.about, one.over, ", ".join(_tuned(one)))
        for one in KINDS.values()
    ]
    return _rows(("kind", "severity", "opens when", "is over with", "defaults"), rows)


def _tuned(kind: Kind) -> Iterable[str]:
    values = {name: plain(value) for name, value in kind.parameters.items() if value is not None}
    return [f"{name} {value}" for name, value in values.items()] + ([f"held {plain(kind.hold)}"] if kind.hold else [])


def _metrics() -> str:
    rows = [(_code(one.name), ", ".join(map(_code, one.labels)), one.about) for one in METRICS.values()]
    return _rows(("metric", "labels", "tells"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "keys": _keys,
    "options": _options,
    "commands": _commands,
    "exits": _exits,
    "settings": _settings,
    "kinds": _kinds,
    "metrics": _metrics,
}


def filled(text: str) -> str:
    """Return the README's text with its tables as the code has them now."""
    return _TABLE.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
