"""Owns the keys of a manifest that are no options: what they are called, what shape their values have, what they mean.

It never decodes a value; reading and the JSON Schema both go by these tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celsched.domain.definition import ScheduleType
from celsched.domain.options import DURATION_SCHEMA, INSTANT_SCHEMA, OPTIONS

VERSION = 1
Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_MAPPING: Schema = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a task, a schedule or the manifest itself, with the JSON Schema of its value."""

    schema: Schema
    about: str


@dataclass(frozen=True, slots=True)
class RuleKey:
    """One way to write a rule; `short` is the form that export writes and messages name."""

    type: ScheduleType
    short: str
    schema: Schema
    about: str


RULE_KEYS: Mapping[str, RuleKey] = {
    "every": RuleKey(ScheduleType.INTERVAL, "every", DURATION_SCHEMA, "period, such as 6h"),
    "interval_seconds": RuleKey(
        ScheduleType.INTERVAL, "every", {"type": "integer", "minimum": 1}, "period in seconds; the same as `every`"
    ),
    "cron": RuleKey(ScheduleType.CRON, "cron", _TEXT, 'five fields, quoted: "0 2 * * *"'),
    "cron_expression": RuleKey(ScheduleType.CRON, "cron", _TEXT, "the same as `cron`"),
    "at": RuleKey(ScheduleType.ONCE, "at", INSTANT_SCHEMA, "one instant; without an offset in the schedule's zone"),
    "run_at": RuleKey(ScheduleType.ONCE, "at", INSTANT_SCHEMA, "the same as `at`"),
}

TASK_KEYS: Mapping[str, Key] = {
    "task_path": Key(_TEXT, "package.module.function or package.module:function"),
    "task_type": Key(_TEXT, "a label of your own"),
    "description": Key(_TEXT, "what it does"),
    "default_params": Key(_MAPPING, "keyword arguments of the function"),
    "params_schema": Key(_MAPPING, "a JSON Schema that the arguments must fit"),
}

SCHEDULE_KEYS: Mapping[str, Key] = {
    "task": Key(_TEXT, "the name of a task, of this manifest or stored"),
    "schedule_type": Key({"enum": [kind.value for kind in ScheduleType]}, "may be left out: the rule says it"),
    "params": Key(_MAPPING, "replace values of default_params, key by key"),
}

MANIFEST_KEYS: Mapping[str, Key] = {
    "version": Key({"const": VERSION}, "of this format"),
    "set": Key(_TEXT, "owner of what this manifest creates; `--prune` touches only its own set"),
    "defaults": Key(_MAPPING, "options for what does not say otherwise"),
    "tasks": Key(_MAPPING, "tasks by name"),
    "schedules": Key(_MAPPING, "schedules by name"),
}

TASK_OPTIONS = tuple(key for key, option in OPTIONS.items() if option.on_task)
SCHEDULE_OPTIONS = tuple(key for key, option in OPTIONS.items() if option.on_schedule)
DEFAULTS_OPTIONS = SCHEDULE_OPTIONS
"""Whatever may stand on a schedule; what belongs to one task only has no default."""
