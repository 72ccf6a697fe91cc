"""Owns the table of settings: name, reader, default and one line about each. It never holds a value in force."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from celsched.domain.health.watched import LabelRule
from celsched.settings import alerting, channels
from celsched.settings import decode as read
from celsched.settings.decode import Reader
from celsched.settings.model import NotifyTarget, PingTarget
from celsched.settings.secret import Secret
from celsched.timing.duration import format_duration

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
QUEUES = ["default", "scheduler", "maintenance", "monitoring", "notifications"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is raw, read like a written value; None means that it has none of its own."""

    key: str
    read: Reader
    default: Any
    about: str
    attribute: str = ""
    hidden: bool = False
    """Only from the environment and only for tests and diagnosis; not in `celsched config` unless it is set."""

    @property
    def field(self) -> str:
        """The attribute of `Settings` that holds it."""
        return self.attribute or self.key

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"CELSCHED_{self.key.upper()}"


_WAIT = read.length(least=timedelta(0), most=HOUR)
_INTERVAL = read.length(least=SECOND, most=12 * HOUR)  # an end must be told before the purge of its alert

_ROWS = (
    Setting("data_folder", read.path, ".celsched", "where the default store and the embedded broker live"),
    Setting("database_url", read.database, None, "the store: sqlite:///file or postgresql://user@host/name"),
    Setting(
        "listen_url",
        read.url("postgresql://user@host/name"),
        None,
        "a direct connection for LISTEN where database_url goes through a pooler",
    ),
    Setting("broker_url", read.broker, "embedded", "Celery's broker; `embedded` needs no server, one machine"),
    Setting("broker_key_prefix", read.key_prefix, None, "before every key in Redis: two installations in one database"),
    Setting(
        "result_backend",
        read.url("redis://host:6379/1"),
        None,
        "Celery's result backend; results live in the store anyway",
    ),
    Setting("task_modules", read.many(read.pattern), [], "patterns of the task paths that may run: files.tasks.*"),
    Setting("python_path", read.many(read.path, separator=os.pathsep), ["."], "folders put on sys.path for tasks"),
    Setting("preload", read.many(read.module), [], "modules imported before any task, as one that sets up Django"),
    Setting("queues", read.some(read.many(read.queue)), QUEUES, "the queues of a worker"),
    Setting("timezone", read.timezone, "UTC", "zone of rules that name none, and of times shown"),
    Setting("cleanup_days", read.whole(1, 36_500), 30, "days that ended executions are kept"),
    Setting("alert_threshold_minutes", read.minutes, 5, "how late a start may be before an alert", "alert_threshold"),
    Setting("alerts", alerting.tunings, {}, "alert kinds switched and tuned, as `alerts:` of a task"),
    Setting("alert_rules", alerting.label_rules, [], "the same for what carries labels: `labels` and `alerts` of each"),
    Setting("default_max_retries", read.whole(0, 1_000_000), 3, "retries of a task that names none"),
    Setting("misfire_after", read.length(), "60s", "a fire time found due later than this is a misfire"),
    Setting("on_store_outage", read.outage, "auto", "running tasks while the store is away: auto, kill, continue"),
    Setting("notify", read.many(channels.channel, separator=None), [], "channels: URLs, each with the alerts it gets"),
    Setting("group_wait", _WAIT, "30s", "how long a new group of alerts waits for more of its kind"),
    Setting("group_interval", _INTERVAL, "5m", "from one message of a group to the next with news"),
    Setting("repeat_critical", read.length(least=MINUTE), "4h", "a critical alert still open is told again after this"),
    Setting("repeat_warning", read.length(least=MINUTE), "1d", "a warning still open is told again after this"),
    Setting("pings", channels.pings, {}, "dead man's switches outside (healthchecks): name and URL of each"),
    Setting(
        "daemon_ping",
        read.word,
        None,
        "the ping by which `run` says every minute that it is alive; a failure while it can send nothing",
    ),
    Setting(
        "watch_ping",
        read.word,
        None,
        "the ping by which `watch` says every minute that it is alive; a failure while it sees but a part",
    ),
    Setting("redact", read.many(read.word), [], "further words whose values are masked before they are stored"),
    Setting("lease", read.length(), "60s", "silence after which a running execution counts as lost"),
    Setting("heartbeat", read.length(), "10s", "how often a worker reports its executions"),
    Setting("republish", read.length(), "30s", "an execution that nobody claimed is sent again after this"),
    Setting("drain", read.length(least=timedelta(0)), "30s", "how long a stopping worker waits for running tasks"),
    Setting("kill_grace", read.length(least=timedelta(0)), "5s", "from asking a task to stop to killing it"),
    Setting("clock_offset_file", read.path, None, "test hook: a file with seconds added to the clock", hidden=True),
    Setting("fault", read.word, None, "test hook: the fault point at which a process dies or freezes", hidden=True),
    Setting("debug", read.boolean, False, "show tracebacks of unexpected errors", hidden=True),
)
SETTINGS = {setting.key: setting for setting in _ROWS}


def to_text(value: Any) -> str:
    """Return a value in force as the text of an environment variable, from which the same value is read."""
    if isinstance(value, tuple) and value and isinstance(value[0], PingTarget):
        return json.dumps({ping.name: ping.url.reveal() for ping in value}, ensure_ascii=False)
    if isinstance(value, tuple):
        return json.dumps([_plain(item) for item in value], ensure_ascii=False)
    if isinstance(value, Mapping):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(_plain(value))


def shown(key: str, value: Any) -> Any:
    """Return a value in force as it may be shown: passwords masked, lengths of time short, None for none."""
    if isinstance(value, NotifyTarget):
        return channels.shown(value)
    if key == "pings":
        return {ping.name: ping.shown for ping in value}
    if isinstance(value, tuple):
        return [shown(key, item) for item in value]
    if key == "broker_url" and value is None:
        return "embedded"
    if isinstance(value, Secret | Path):
        return str(value)
    return _minutes(value) if key == "alert_threshold_minutes" else _plain(value)


def _plain(value: Any) -> Any:
    rules: tuple[tuple[type, Callable[[Any], Any]], ...] = (
        (Secret, Secret.reveal),
        (Path, str),
        (timedelta, format_duration),
        (Enum, lambda word: word.value),
        (NotifyTarget, channels.written),
        (LabelRule, alerting.written_rule),
        (Mapping, alerting.written_tunings),
    )
    return next((convert(value) for kind, convert in rules if isinstance(value, kind)), value)


def _minutes(value: timedelta) -> int | float:
    found = value / timedelta(minutes=1)
    return int(found) if found == int(found) else found


def variable_text(key: str, value: Any) -> str:
    """Return what the setting's own environment variable must hold for `value`."""
    if key == "broker_url" and value is None:
        return "embedded"
    return str(_minutes(value)) if key == "alert_threshold_minutes" else to_text(value)
