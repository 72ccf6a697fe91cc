"""Owns the record of settings in force: typed, frozen, each value with its origin.

It never reads a file or the environment; `celsched.settings.load` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import LabelRule
from celsched.domain.message_template import MessageTemplate
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.policy import OnStoreOutage
from celsched.settings.secret import Secret, mask_after_scheme

SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """A channel: where it sends, the name by which commands call it, and which alerts it gets.

    `url` is empty where `command` is a program with its arguments. `key` signs what a webhook posts, `template`
    makes it. Alerts must have one of `severities` and of `kinds` (none: all), and carry all of `labels`.
    """

    name: str
    url: Secret = field(repr=False)
    severities: tuple[str, ...] = SEVERITIES
    kinds: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    command: tuple[str, ...] = field(default=(), repr=False)
    key: Secret | None = field(default=None, repr=False)
    template: MessageTemplate | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """Where it sends as it may be shown: the scheme, because in many services the path is the secret; a program."""
        return f"command:{self.command[0]}" if self.command else mask_after_scheme(self.url.reveal())


@dataclass(frozen=True, slots=True)
class PingTarget:
    """A dead man's switch outside: its name, and the URL that is called."""

    name: str
    url: Secret = field(repr=False)

    @property
    def shown(self) -> str:
        """Its URL as it may be shown: the path is the secret."""
        return mask_after_scheme(self.url.reveal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What design section 9 lists. Lengths of time are timedeltas, paths absolute.

    `broker_url` None is the embedded broker. `python_path` goes on `sys.path` before user code is imported.
    `origins` maps each setting's key to where its value came from; `warnings` are for standard error.
    `idle_variables` begin like ours and nothing reads them; they may belong to other programs.
    """

    config_file: Path | None
    project_folder: Path
    data_folder: Path
    database_url: Secret
    broker_url: Secret | None
    broker_key_prefix: str | None
    result_backend: Secret | None
    listen_url: Secret | None
    task_modules: tuple[str, ...]
    python_path: tuple[Path, ...]
    preload: tuple[str, ...]
    queues: tuple[str, ...]
    timezone: str
    cleanup_days: int
    alert_threshold: timedelta
    alerts: Mapping[AlertKind, Tuning]
    alert_rules: tuple[LabelRule, ...]
    default_max_retries: int
    misfire_after: timedelta
    on_store_outage: OnStoreOutage
    notify: tuple[NotifyTarget, ...]
    group_wait: timedelta
    group_interval: timedelta
    repeat_critical: timedelta
    repeat_warning: timedelta
    pings: tuple[PingTarget, ...]
    daemon_ping: str | None
    watch_ping: str | None
    redact: tuple[str, ...]
    lease: timedelta
    heartbeat: timedelta
    republish: timedelta
    drain: timedelta
    kill_grace: timedelta
    clock_offset_file: Path | None = None
    fault: str | None = None
    debug: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    idle_variables: tuple[str, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether the broker is the embedded one: a folder in the data folder, one machine."""
        return self.broker_url is None

    @property
    def notice_times(self) -> NoticeTimes:
        """How long messages about alerts wait, and when they are repeated."""
        return NoticeTimes(self.group_wait, self.group_interval, self.repeat_critical, self.repeat_warning)

    def fallback_layer(self) -> dict[str, Any]:
        """Return the options that settings decide where no definition does (`celsched.domain.definition.effective`)."""
        return {
            "max_retries": self.default_max_retries,
            "misfire_after": self.misfire_after,
            "timezone": self.timezone,
            "on_store_outage": self.on_store_outage,
        }
