"""Turns documents into definitions, collecting every problem, and keeps the place of each object.

It never looks at another document: what two objects have to do with each other is decided in `load`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from celsched.domain.definition import RuleSpec, ScheduleDefinition, TaskDefinition
from celsched.domain.options import OPTIONS, Layer
from celsched.manifest.document import Document, Path
from celsched.manifest.keys import (
    DEFAULTS_OPTIONS,
    MANIFEST_KEYS,
    RULE_KEYS,
    SCHEDULE_KEYS,
    SCHEDULE_OPTIONS,
    TASK_KEYS,
    TASK_OPTIONS,
    VERSION,
)
from celsched.manifest.problem import Problem, dotted
from celsched.manifest.reader import Reader, shape
from celsched.manifest.rules import read_rule

T = TypeVar("T")

_TASK_TEXTS = ("task_path", "task_type", "description")
_OF_RULES = dict.fromkeys(RULE_KEYS, "a rule belongs on a schedule")
_NOT_ON_TASK = {**dict.fromkeys(SCHEDULE_OPTIONS, "it belongs on a schedule or in `defaults`"), **_OF_RULES}
_ON_TASK = dict.fromkeys([*TASK_KEYS, "on_store_outage"], "it belongs on a task")
_CODE_OF_TASK = ("task_path", "default_params", "params_schema")
_CODE_OF_SCHEDULE = ("task", "params")
"""What the check of the code looks at."""
_STAND_IN = RuleSpec.every(timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A definition and where it stands; it is not to be used unless `sound`: what had a problem was left out of it.

    `callable` says that at least what its code is checked by was read whole. `rule_key` is the key its rule was
    written with, for a schedule.
    """

    value: T
    document: Document
    path: Path
    sound: bool = True
    rule_key: str | None = None
    callable: bool = True

    def problem(self, key: str, message: str, hint: str | None = None, *, warning: bool = False) -> Problem:
        """Return a problem at a key (dotted below options and parameters) of this object.

        An option that comes from `defaults` has its place there; `rule` is the key the rule was written with;
        an empty or unwritten key is the object itself.
        """
        first, *rest = (self.rule_key if key == "rule" and self.rule_key else key).split(".")
        below = (first, *rest)
        own, default = (*self.path, first), ("defaults", first)
        start: Path = self.path
        if own not in self.document.values and default in self.document.values:
            start = ("defaults",)
            message = f"with `{self.path[-1]}`: {message}"
        found = _deepest(self.document, start, below)
        return self.document.problem(found, message, hint, at_key=found == self.path, warning=warning)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one document asks for.

    `names` holds the place of every name, and `references` what each schedule names as its task, also of objects that
    could not be decoded any further. `ruleless` are schedules whose rule could not be read, with a stand-in for it.
    """

    file: str
    set: str | None
    defaults: Layer
    tasks: tuple[Placed[TaskDefinition], ...]
    schedules: tuple[Placed[ScheduleDefinition], ...]
    document: Document
    names: Mapping[str, Mapping[str, Path]]
    references: Mapping[Path, str]
    ruleless: tuple[Placed[ScheduleDefinition], ...] = ()

    @property
    def read_schedules(self) -> tuple[Placed[ScheduleDefinition], ...]:
        """All schedules of which something could be read."""
        return (*self.schedules, *self.ruleless)


def decode(document: Document, settings: Layer, now: datetime) -> tuple[Manifest | None, list[Problem]]:
    """Return what a document asks for, and what is wrong with it; None if it is no mapping."""
    reader = Reader(document, now)
    if not isinstance(document.data, dict):
        reader.refuse((), f"a manifest is a mapping, not {shape(document.data)}", "begin it with `version: 1`")
        return None, reader.problems
    return _Decoder(reader, document.data, settings).manifest(), reader.problems


class _Decoder:
    """Decodes one document; `owner` and `defaults` are read first, since every object carries them."""

    def __init__(self, reader: Reader, data: dict[str, Any], settings: Layer) -> None:
        self._reader, self._data = reader, data
        self._settings_zone: str = settings.get("timezone", OPTIONS["timezone"].default)
        self._names: dict[str, dict[str, Path]] = {"task": {}, "schedule": {}}
        self._references: dict[Path, str] = {}
        self._ruleless: list[Placed[ScheduleDefinition]] = []

    def manifest(self) -> Manifest:
        reader, data = self._reader, self._data
        reader.unknown((), data, MANIFEST_KEYS, {})
        self._version()
        self._owner = reader.name(("set",), data["set"]) if "set" in data else None
        self._defaults = self._layer_of_defaults()
        tasks = [self._task(path, name, body) for path, name, body in self._objects("tasks", "task")]
        schedules = [self._schedule(path, name, body) for path, name, body in self._objects("schedules", "schedule")]
        return Manifest(
            file=reader.document.file,
            set=self._owner,
            defaults=self._defaults,
            tasks=tuple(tasks),
            schedules=tuple(schedule for schedule in schedules if schedule),
            ruleless=tuple(self._ruleless),
            document=reader.document,
            names=self._names,
            references=self._references,
        )

    def _version(self) -> None:
        version = self._data.get("version")
        if version is None:
            self._reader.refuse((), "`version` is missing", f"begin the manifest with `version: {VERSION}`")
        elif isinstance(version, bool) or version != VERSION:
            message = f"this celsched reads version {VERSION}, not {shape(version)}"
            self._reader.refuse(("version",), message, f"write `version: {VERSION}`")

    def _layer_of_defaults(self) -> dict[str, Any]:
        path: Path = ("defaults",)
        body = self._reader.mapping(path, self._data.get("defaults"))
        self._reader.unknown(path, body, DEFAULTS_OPTIONS, {**_ON_TASK, **_OF_RULES})
        return self._reader.layer(path, body, DEFAULTS_OPTIONS, self._zone(body))

    def _zone(self, *bodies: Mapping[str, Any]) -> str:
        """Return the first zone named that is one; its own problem is recorded where it is decoded."""
        for body in bodies:
            zone = body.get("timezone")
            if zone is not None:
                scout = Reader(self._reader.document, self._reader.now)
                return str(scout.layer((), {"timezone": zone}, ("timezone",), "UTC").get("timezone", "UTC"))
        return self._settings_zone

    def _objects(self, section: str, kind: str) -> list[tuple[Path, str, dict[str, Any]]]:
        """Return path, clean name and body of each object of a section; those without a fit name are left out."""
        hint = f"write each {kind} under its name"
        found = []
        for written, body in self._reader.mapping((section,), self._data.get(section), hint).items():
            path: Path = (section, written)
            name = self._reader.name(path, written, at_key=True)
            if name is None:
                continue
            if first := self._names[kind].get(name):
                where = self._reader.document.where(first)
                self._reader.refuse(path, f"the {kind} `{name}` is defined twice, first at {where}", at_key=True)
            self._names[kind].setdefault(name, path)
            if not isinstance(body, dict):
                self._reader.refuse(path, f"a {kind} is a mapping of its keys, not {shape(body)}", at_key=body is None)
                continue
            found.append((path, name, body))
        return found

    def _task(self, path: Path, name: str, body: dict[str, Any]) -> Placed[TaskDefinition]:
        reader, before = self._reader, len(self._reader.problems)
        reader.unknown(path, body, (*TASK_KEYS, *TASK_OPTIONS), _NOT_ON_TASK)
        if "task_path" not in body:
            reader.refuse(path, "`task_path` is missing", "write package.module.function", at_key=True)
        texts = {key: reader.text((*path, key), body[key]) for key in _TASK_TEXTS if key in body}
        schema = body.get("params_schema")
        task = TaskDefinition(
            name=name,
            task_path=texts.get("task_path") or "",
            task_type=texts.get("task_type"),
            description=texts.get("description"),
            default_params=reader.mapping((*path, "default_params"), body.get("default_params")),
            params_schema=reader.mapping((*path, "params_schema"), schema) if schema is not None else None,
            options=reader.layer(path, body, TASK_OPTIONS, self._settings_zone),
            defaults=self._defaults,
            owner=self._owner,
        )
        found = reader.problems[before:]
        whole = bool(task.task_path) and not _concerned(found, path, _CODE_OF_TASK)
        return Placed(task, reader.document, path, not found, callable=whole)

    def _schedule(self, path: Path, name: str, body: dict[str, Any]) -> Placed[ScheduleDefinition] | None:
        reader, before = self._reader, len(self._reader.problems)
        reader.unknown(path, body, (*SCHEDULE_KEYS, *RULE_KEYS, *SCHEDULE_OPTIONS), _ON_TASK)
        if "task" not in body:
            reader.refuse(path, "`task` is missing", "write the name of the task it runs", at_key=True)
        task = reader.name((*path, "task"), body["task"]) if "task" in body else None
        zone = self._zone(body, reader.mapping(("defaults",), self._data.get("defaults")))
        if task:
            self._references[*path, "task"] = task
        rule_key, rule = read_rule(reader, path, body, zone)
        params = reader.mapping((*path, "params"), body.get("params"))
        options = reader.layer(path, body, SCHEDULE_OPTIONS, zone)
        said = rule or _STAND_IN
        schedule = ScheduleDefinition(name, task or "", said, params, options, self._defaults, self._owner)
        found = reader.problems[before:]
        concerned = _concerned(found, path, _CODE_OF_SCHEDULE)
        placed = Placed(schedule, reader.document, path, not found, rule_key, callable=not concerned)
        if rule is None:
            self._ruleless.append(placed)
            return None
        return placed


def _concerned(problems: Iterable[Problem], path: Path, keys: Iterable[str]) -> bool:
    """Return whether a problem lies at or below one of these keys of an object."""
    places = [dotted((*path, key)) for key in keys]
    return any(
        one.path == place or one.path.startswith((f"{place}.", f"{place}[")) for one in problems for place in places
    )


def _deepest(document: Document, start: Path, below: tuple[str, ...]) -> Path:
    """Return the longest path from `start` along `below` that stands in the document; list positions are numbers."""
    path = start
    for part in below:
        options: list[Path] = [(*path, part)]
        if part.isdigit():
            options.append((*path, int(part)))
        found = next((option for option in options if option in document.values), None)
        if found is None:
            return path
        path = found
    return path
