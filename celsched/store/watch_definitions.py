"""Owns how the watcher decodes the definitions of schedules. It never reads their states, and judges nothing.

Ten thousand schedules are decoded at the first look: those that are written alike are decoded once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Text, cast, select

from celsched.domain.health.gap import Gap
from celsched.domain.health.watched import RuleBook, Watched
from celsched.domain.health.wishes import decode_wishes
from celsched.domain.options import OPTIONS, Layer
from celsched.domain.state import ScheduleState
from celsched.store.batches import batches
from celsched.store.readable import readable
from celsched.store.tables import schedules, tasks

WHAT = "schedule"
"""The word for a row that cannot be read."""
_OPTIONS = ("queue_name", "labels", "enabled", "timezone", "end_at", "max_runs")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_STATE = ScheduleState(0, 0, _EPOCH, _EPOCH, None, None)
"""Stands in a kept definition for the state, which each look reads anew."""

_DEFINITIONS = select(
    schedules.c.id,
    schedules.c.name,
    schedules.c.task_id,
    schedules.c.revision,
    schedules.c.schedule_type,
    schedules.c.rule,
    cast(schedules.c.options, Text).label("options"),
    cast(schedules.c.defaults, Text).label("defaults"),
    schedules.c.created_at,
    schedules.c.updated_at,
)
_TASKS = select(tasks.c.id, tasks.c.revision, tasks.c.name, tasks.c.options, tasks.c.defaults)


@dataclass(frozen=True, slots=True)
class Kept:
    """A decoded definition under the revisions it was made of; `fault`: why it could not be decoded."""

    key: tuple[int, int, int]
    watched: Watched
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """What the watcher needs of a task, as it is stored."""

    revision: int
    name: str
    options: Mapping[str, Any]
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Written:
    """A row of a definition; those written alike share their parsed `options` and `defaults`."""

    row: RowMapping
    options: Mapping[str, Any]
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _InForce:
    """What is in force for a schedule, its alert rules apart; `fault`: why it is not what was written."""

    policies: Mapping[str, Any]
    layers: Sequence[Any]
    fault: str | None = None


@dataclass(slots=True)
class _Batch:
    """What was read and decoded so far: tasks, texts, and what is in force by a task and the texts of a schedule."""

    tasks: dict[int, _Task] = field(default_factory=dict)
    parsed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    in_force: dict[tuple[int, str, str], _InForce] = field(default_factory=dict)

    def written(self, row: RowMapping) -> _Written:
        """Parse a row; raise ValueError of one that is not JSON."""
        return _Written(row, self._parse(row["options"]), self._parse(row["defaults"]))

    def _parse(self, text: str) -> Mapping[str, Any]:
        if text not in self.parsed:
            self.parsed[text] = json.loads(text)
        return self.parsed[text]


class Decoder:
    """Decodes definitions; `settings` is the layer below all of them."""

    def __init__(self, rules: RuleBook, settings: Layer) -> None:
        self._rules = rules
        self._settings = settings

    def decode(self, tx: Connection, ids: Sequence[int], gaps: list[Gap] | None) -> Iterator[Kept]:
        """Yield these schedules; one that cannot be read is left out, and added to `gaps`."""
        so_far = _Batch()
        for part in batches(ids):
            query = _DEFINITIONS.where(schedules.c.id.in_(part))
            found = readable(tx, query, schedules.c.id, WHAT, so_far.written, gaps)
            missing = {one.row["task_id"] for one in found} - so_far.tasks.keys()
            needed = _TASKS.where(tasks.c.id.in_(missing))
            for task in readable(tx, needed, tasks.c.id, "task", dict) if missing else ():
                so_far.tasks[task["id"]] = _Task(task["revision"], task["name"], task["options"], task["defaults"])
            for one in found:
                if one.row["task_id"] in so_far.tasks:
                    yield self._kept_of(one, so_far)
                elif gaps is not None:
                    place = f"read the task of {WHAT} {one.row['id']}"
                    gaps.append(Gap(place, LookupError(one.row["task_id"]), told=True, key=one.row["id"]))

    def _kept_of(self, one: _Written, so_far: _Batch) -> Kept:
        row = one.row
        task, alike = so_far.tasks[row["task_id"]], (row["task_id"], row["options"], row["defaults"])
        if alike not in so_far.in_force:
            so_far.in_force[alike] = self._in_force(one, task)
        found = so_far.in_force[alike]
        watched = Watched(
            id=row["id"],
            name=row["name"],
            task_id=row["task_id"],
            task=task.name,
            schedule_type=row["schedule_type"],
            rule=row["rule"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            state=_NO_STATE,
            recent="",
            rules=self._rules.rules(found.policies["labels"], found.layers),
            **found.policies,
        )
        return Kept((row["revision"], row["task_id"], task.revision), watched, found.fault)

    def _in_force(self, one: _Written, task: _Task) -> _InForce:
        """Return what `effective` says of the options that are watched, and everybody's wishes, weakest first."""
        try:
            raw = {**task.defaults, **one.defaults, **task.options, **one.options}
            found = {name: self._option(name, raw) for name in _OPTIONS}
            layers = (task.defaults, one.defaults, task.options, one.options)
            wishes = [decode_wishes("alerts", layer["alerts"]).layer for layer in layers if "alerts" in layer]
        except Exception as error:  # for example a zone that is gone from the system's time zone data
            return _InForce(_of_watched({name: OPTIONS[name].default for name in _OPTIONS}), (), str(error))
        return _InForce(_of_watched(found), wishes)

    def _option(self, name: str, raw: Mapping[str, Any]) -> Any:
        if name in raw:
            return OPTIONS[name].decode(name, raw[name])
        return self._settings.get(name, OPTIONS[name].default)


def _of_watched(options: dict[str, Any]) -> Mapping[str, Any]:
    return {"queue": options.pop("queue_name"), **options}
