"""Owns what people write: task and schedule definitions, and how the value in force is found through their layers.

It never holds what happened (schedule states and executions are other records) and never reads the clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from celsched.domain.health.wishes import AlertWishes, merged_wishes
from celsched.domain.options import OPTIONS, Layer
from celsched.domain.policy import Misfire, OnStoreOutage, Overlap, RetryPolicy
from celsched.timing.cron import cron
from celsched.timing.duration import format_duration, parse_period
from celsched.timing.instant import format_instant
from celsched.timing.interval import Interval
from celsched.timing.once import Once
from celsched.timing.rule import Rule


class ScheduleType(StrEnum):
    """The three kinds of rule."""

    ONCE = "once"
    INTERVAL = "interval"
    CRON = "cron"


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule as stored: its kind and canonical text (an RFC 3339 instant, a duration, or a cron expression)."""

    type: ScheduleType
    text: str

    @classmethod
    def at(cls, instant: datetime) -> "RuleSpec":
        """Return the spec of one instant (aware)."""
        return cls(ScheduleType.ONCE, format_instant(instant))

    @classmethod
    def every(cls, period: timedelta) -> "RuleSpec":
        """Return the spec of an interval; whole seconds, at least 1."""
        return cls(ScheduleType.INTERVAL, format_duration(parse_period(period.total_seconds())))

    @classmethod
    def cron(cls, expression: str) -> "RuleSpec":
        """Return the spec of a cron expression; it is checked when a rule is built from it."""
        return cls(ScheduleType.CRON, " ".join(expression.split()))

    def in_zone(self, zone: str) -> "RuleSpec":
        """Return the same rule as people read it: a single instant with the offset of the zone."""
        if self.type is not ScheduleType.ONCE:
            return self
        return replace(self, text=format_instant(datetime.fromisoformat(self.text), zone))

    @property
    def period(self) -> timedelta:
        """The period of an interval; ValueError for the other kinds."""
        if self.type is not ScheduleType.INTERVAL:
            raise ValueError(f"a {self.type} rule has no period")
        return parse_period(self.text)

    def build(self, zone: str, base: datetime) -> Rule:
        """Return the rule; `base` is the first fire time of an interval, `zone` the key for a cron expression.

        Raises:
            InvalidRule: the text is no rule.
        """
        if self.type is ScheduleType.CRON:
            return cron(self.text, zone)
        if self.type is ScheduleType.INTERVAL:
            return Interval(self.period, base)
        return Once(datetime.fromisoformat(self.text))


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A named unit of work. `owner` is the set of its manifest; None belongs to no set."""

    name: str
    task_path: str
    task_type: str | None = None
    description: str | None = None
    default_params: Mapping[str, Any] = field(default_factory=dict)
    params_schema: Mapping[str, Any] | None = None
    options: Layer = field(default_factory=dict)
    defaults: Layer = field(default_factory=dict)
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleDefinition:
    """Name + task + rule + policies. `defaults` is the layer of the manifest it came from."""

    name: str
    task: str
    rule: RuleSpec
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Layer = field(default_factory=dict)
    defaults: Layer = field(default_factory=dict)
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Effective:
    """Every option in force, and where each came from ("schedule", "task", "defaults", "settings", "built in")."""

    queue_name: str
    priority: int
    max_retries: int
    retry: RetryPolicy
    retry_on_lost: int
    soft_time_limit: timedelta | None
    time_limit: timedelta | None
    start_deadline: timedelta | None
    labels: Mapping[str, str]
    alerts: AlertWishes
    misfire: Misfire
    misfire_after: timedelta
    catch_up_window: timedelta
    overlap: Overlap
    jitter: timedelta
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None
    pause_after_failures: int | None
    timezone: str
    enabled: bool
    on_store_outage: OnStoreOutage
    origins: Mapping[str, str]


def effective(task: TaskDefinition, schedule: ScheduleDefinition | None, settings: Layer) -> Effective:
    """Return what is in force: schedule, else task, else the manifest's `defaults`, else settings, else built in.

    Where task and schedule come from different manifests, the schedule's `defaults` go before the task's.
    """
    layers: list[tuple[str, Layer]] = []
    if schedule is not None:
        layers.append(("schedule", schedule.options))
    layers.append(("task", task.options))
    if schedule is not None:
        layers.append(("defaults", schedule.defaults))
    layers += [("defaults", task.defaults), ("settings", settings)]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, option in OPTIONS.items():
        origin, layer = next(((where, layer) for where, layer in layers if key in layer), ("built in", None))
        values[key] = option.default if layer is None else layer[key]
        origins[key] = origin
    said = [(where, layer["alerts"]) for where, layer in layers if "alerts" in layer]
    if len(said) > 1:
        # Of these a nearer one wins key by key, not as a whole.
        values["alerts"] = merged_wishes(wishes for _, wishes in reversed(said))
        origins["alerts"] = ", ".join(dict.fromkeys(where for where, _ in said))
    return Effective(**values, origins=origins)


def merged_params(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layers joined key by key at the top level, later ones winning."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    return merged
