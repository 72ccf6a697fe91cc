"""Turns definitions into YAML that `load` reads back as equal definitions.

It never writes a file, and never writes what a definition inherits: a `defaults` layer is written once per document.
"""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import yaml

from celsched.domain.changes import RULE_WORDS
from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.domain.options import encode_layer
from celsched.manifest.keys import VERSION
from celsched.manifest.scalars import is_text

_WIDTH = 10_000
"""No line is folded: a folded description is hard to search for."""


def dump(tasks: Iterable[TaskDefinition], schedules: Iterable[ScheduleDefinition]) -> str:
    """Return manifests of these definitions: one document per set and `defaults`, sorted by name.

    What belongs to no set comes first. Equal definitions give equal text, whatever their order.
    """
    documents: dict[tuple[str, str], dict[str, Any]] = {}
    for task in sorted(tasks, key=lambda task: task.name):
        _document(documents, task).setdefault("tasks", {})[task.name] = _task(task)
    for schedule in sorted(schedules, key=lambda schedule: schedule.name):
        _document(documents, schedule).setdefault("schedules", {})[schedule.name] = _schedule(schedule)
    ordered = [documents[key] for key in sorted(documents)] or [{"version": VERSION}]
    return yaml.dump_all(
        ordered,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=False,
        width=_WIDTH,
        explicit_start=len(ordered) > 1,
    )


def _document(
    documents: dict[tuple[str, str], dict[str, Any]], item: TaskDefinition | ScheduleDefinition
) -> dict[str, Any]:
    defaults = encode_layer(item.defaults)
    key = ("" if item.owner is None else item.owner, json.dumps(defaults, sort_keys=True))
    if key not in documents:
        head: dict[str, Any] = {"version": VERSION}
        if item.owner is not None:
            head["set"] = item.owner
        if defaults:
            head["defaults"] = defaults
        documents[key] = head
    return documents[key]


def _task(task: TaskDefinition) -> dict[str, Any]:
    body: dict[str, Any] = {"task_path": task.task_path}
    if task.task_type is not None:
        body["task_type"] = task.task_type
    if task.description is not None:
        body["description"] = task.description
    if task.default_params:
        body["default_params"] = task.default_params
    if task.params_schema is not None:
        body["params_schema"] = task.params_schema
    return {**body, **encode_layer(task.options)}


def _schedule(schedule: ScheduleDefinition) -> dict[str, Any]:
    body: dict[str, Any] = {"task": schedule.task, RULE_WORDS[schedule.rule.type]: schedule.rule.text}
    if schedule.params:
        body["params"] = schedule.params
    return {**body, **encode_layer(schedule.options)}


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, quotes whatever any YAML reader could take for something else, and indents lists."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """Return the quotes a text needs; with None PyYAML adds those that YAML 1.1 needs."""
    lines = text.split("\n")
    if any(not (line.isprintable() or line.translate(_JOINERS).isprintable()) for line in lines):
        return '"'
    if len(lines) > 1:
        return "|" if all(line == line.rstrip() and not line.startswith(" ") for line in lines) else '"'
    return None if is_text(text) else "'"


def _mapping(dumper: yaml.SafeDumper, mapping: Mapping[str, Any]) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", mapping)


_JOINERS = {0x200C: None, 0x200D: None}
_Dumper.add_representer(str, _text)
for _kind in (dict, MappingProxyType):
    _Dumper.add_representer(_kind, _mapping)
