"""Decides whether the keys of one definition fit together; each misfit is a `Fault` that names its key.

It never imports user code, never looks anything up in a store, and never stops at the first fault.
"""

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from celsched.domain.definition import (
    Effective,
    ScheduleDefinition,
    TaskDefinition,
    effective,
)
from celsched.domain.health.kinds import SETTINGS_ONLY, SWITCH_ONLY
from celsched.domain.health.wishes import AlertWishes, tuned_where
from celsched.domain.names import clean_name, suggestion
from celsched.domain.options import OPTIONS, Layer
from celsched.errors import InvalidDefinition, InvalidRule
from celsched.timing.cron import Cron
from celsched.timing.duration import format_duration
from celsched.timing.instant import format_instant
from celsched.timing.once import Once
from celsched.timing.rule import Rule

RULE_KEY = "rule"
"""The key of faults of the rule itself, whichever of its forms (`every`, `cron`, `at`, ...) was written."""
_LIMIT_KEYS = ("soft_time_limit", "time_limit")
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfit: `key` (dotted below an option or a parameter), one sentence, and the next step or None."""

    key: str
    message: str
    hint: str | None = None
    warning: bool = False


def check_task(task: TaskDefinition) -> list[Fault]:
    """Return every fault of a task definition on its own, in the order of its keys."""
    return [
        *_names({"name": task.name}),
        *_task_path(task.task_path),
        *_json_mapping("default_params", task.default_params),
        *([] if task.params_schema is None else _json_mapping("params_schema", task.params_schema)),
        *_placement(task.options, on_task=True),
        *_placement(task.defaults, on_task=False),
        *_limits(task, None),
    ]


def check_schedule(
    schedule: ScheduleDefinition, task: TaskDefinition | None, settings: Layer, now: datetime
) -> list[Fault]:
    """Return every fault of a schedule with what its task and `settings` give it.

    `task` is None where the task is not at hand; what depends on it is then not checked. `now` is aware.
    """
    in_force = effective(task or TaskDefinition(schedule.task, "unknown.task"), schedule, settings)
    rule, faults = _build(schedule, in_force, now)
    return [
        *_names({"name": schedule.name, "task": schedule.task}),
        *faults,
        *(_rule_faults(rule, in_force, now) if rule else ()),
        *_json_mapping("params", schedule.params),
        *_placement(schedule.options, on_task=False),
        *_placement(schedule.defaults, on_task=False),
        *_limits(task, schedule),
        *_window(in_force),
    ]


def split_task_path(task_path: str) -> tuple[str, ...] | None:
    """Return the parts of `package.module.function` or `package.module:function`; None where it has neither form."""
    module, colon, rest = task_path.partition(":")
    parts = (*module.split("."), *(rest.split(".") if colon else ()))
    fits = len(parts) >= 2 and all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    return parts if fits else None


def json_faults(key: str, value: object, depth: int = 0) -> Iterator[Fault]:
    """Yield what keeps `value` from being kept as JSON and given back unchanged by both databases."""
    if depth > _DEEPEST:
        yield Fault(key, f"nested more than {_DEEPEST} levels deep")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _json_key_faults(key, name)
            yield from json_faults(f"{key}.{name}", item, depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from json_faults(f"{key}.{index}", item, depth + 1)
    elif isinstance(value, str):
        yield from _text_faults(key, value)
    elif not (value is None or isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value))):
        yield Fault(key, f"{value!r} cannot be written as JSON", "use text, numbers, true, false, lists, mappings")


def _json_key_faults(key: str, name: object) -> Iterator[Fault]:
    if isinstance(name, str):
        yield from _text_faults(f"{key}.{name}", name)
    else:
        yield Fault(key, f"the key {name!r} is not text", "quote it")


def _text_faults(key: str, text: str) -> Iterator[Fault]:
    bad = next((c for c in text if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if bad is not None:
        yield Fault(key, f"this text holds U+{ord(bad):04X}, which no database keeps")


def _names(names: Mapping[str, object]) -> Iterator[Fault]:
    for key, name in names.items():
        try:
            clean = clean_name(name, key)
        except InvalidDefinition as error:
            yield Fault(key, error.message, error.hint)
        else:
            if clean != name:
                yield Fault(key, f"the {key} {name!r} is not NFC-normalised")


def _task_path(task_path: str) -> Iterator[Fault]:
    if split_task_path(task_path) is None:
        yield Fault(
            "task_path",
            f"{task_path!r} is not the path of a function",
            "write package.module.function or package.module:function",
        )


def _json_mapping(key: str, value: object) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        yield from json_faults(key, value)
    else:
        yield Fault(key, f"`{key}` must be a mapping, not {value!r}")


def _placement(layer: Layer, *, on_task: bool) -> Iterator[Fault]:
    """Yield the keys that may not stand in the layer of a task, or in that of a schedule (and `defaults`)."""
    for key in layer:
        option = OPTIONS.get(key)
        if option is None:
            yield Fault(key, f"unknown option `{key}`", suggestion(key, OPTIONS))
        elif on_task and not option.on_task:
            yield Fault(key, f"`{key}` may not stand on a task", "put it on a schedule or in `defaults`")
        elif not on_task and not option.on_schedule:
            yield Fault(key, f"`{key}` may stand on a task only", "move it to the task")
        elif key == "alerts":
            yield from _idle_wishes(layer[key])


def _idle_wishes(wishes: AlertWishes) -> Iterator[Fault]:
    """Yield what is said of alerts that no definition has a say in; whoever wrote it waits for it in vain."""
    for kind, said in wishes.tunings.items():
        if kind in SETTINGS_ONLY:
            message = f"`{kind}` is about a queue, a process, a machine or a channel: a definition has no say in it"
            yield Fault(f"alerts.{kind}", message, tuned_where(kind))
        elif kind in SWITCH_ONLY:
            for name in ("severity", "hold", "runbook"):
                if getattr(said, name) is not None:
                    message = f"`{kind}` is about a queue: a definition can only switch it on or off"
                    yield Fault(f"alerts.{kind}.{name}", message, tuned_where(kind))


def _limits(task: TaskDefinition | None, schedule: ScheduleDefinition | None) -> Iterator[Fault]:
    """Yield a soft limit that is not below the hard one; of a schedule, only if its task alone is not to blame."""
    layers: list[Layer] = [schedule.options] if schedule else []
    layers += [task.options] if task else []
    layers += [schedule.defaults] if schedule else []
    layers += [task.defaults] if task else []
    soft, hard = (next((layer[key] for layer in layers if key in layer), None) for key in _LIMIT_KEYS)
    if soft is None or hard is None or soft < hard or (schedule and task and any(_limits(task, None))):
        return
    yield Fault(
        "soft_time_limit",
        f"the soft limit ({format_duration(soft)}) is not shorter than the hard one ({format_duration(hard)})",
        "the task is killed at `time_limit`; leave it time to clean up after `soft_time_limit`",
    )


def _build(schedule: ScheduleDefinition, in_force: Effective, now: datetime) -> tuple[Rule | None, list[Fault]]:
    try:
        # Any base makes the same kind of grid; the real one is known once the schedule is stored.
        return schedule.rule.build(in_force.timezone, in_force.start_at or now), []
    except InvalidRule as error:
        return None, [Fault("timezone" if error.field == "timezone" else RULE_KEY, error.message, error.hint)]


def _rule_faults(rule: Rule, in_force: Effective, now: datetime) -> Iterator[Fault]:
    period = rule.shortest_period()
    if in_force.jitter and period is not None and 2 * in_force.jitter >= period:
        yield Fault(
            "jitter",
            f"a jitter of {format_duration(in_force.jitter)} is not less than half the shortest period "
            f"({format_duration(period)})",
        )
    if isinstance(rule, Cron):
        for warning in rule.warnings():
            yield Fault(RULE_KEY, warning, warning=True)
    if isinstance(rule, Once):
        yield from _once_faults(rule.at, in_force, now)


def _once_faults(at: datetime, in_force: Effective, now: datetime) -> Iterator[Fault]:
    start, end, shown = in_force.start_at, in_force.end_at, format_instant(at, in_force.timezone)
    if at <= now:
        yield Fault(RULE_KEY, f"{shown} is past: a new schedule of it never fires", warning=True)
    elif (start and at < start) or (end and at > end):
        yield Fault(RULE_KEY, f"{shown} is outside `start_at` to `end_at`: it never fires", warning=True)


def _window(in_force: Effective) -> Iterator[Fault]:
    start, end = in_force.start_at, in_force.end_at
    if start and end and start > end:
        first, last = (format_instant(one, in_force.timezone) for one in (start, end))
        yield Fault("end_at", f"the end ({last}) is before the start ({first})", "swap them?")
