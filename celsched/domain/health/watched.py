"""Owns what a look at the store says of each live schedule, and of the alerts that live. It judges nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celsched.domain.execution import State
from celsched.domain.health.finding import Evidence
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.rules import Layer, Rule, rule_of
from celsched.domain.state import ScheduleState
from celsched.errors import InvalidDefinition

RECENT = 20
"""How many outcomes of a schedule its state keeps, newest last, one letter each (see `Outcome`)."""

SUCCEEDED, FAILED, TIMED_OUT, LOST, EXPIRED, OVERLAPPED = "s", "f", "t", "l", "x", "o"
"""The letters of `Watched.recent`: ends of executions, and fire times skipped as overlap."""


@dataclass(frozen=True, slots=True)
class Living:
    """An alert that is not resolved: pending or open, as the last look left it.

    `pending_since`: when it was first seen; `since`: from when on it is wrong, as its finding said.
    """

    kind: AlertKind
    scope: str
    severity: Severity
    open: bool
    pending_since: datetime
    event_at: datetime | None = None
    subject: str = ""
    summary: str = ""
    since: datetime | None = None
    evidence: Evidence = field(default_factory=Evidence)
    schedule_id: int | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Executions of one schedule (or of a task, started by hand) that went wrong the same way: the newest, how many.

    `count` is of fire times: one skipped row may stand for a whole range of them.
    `state` and `reason` are the execution's words; `error_type` is that of its last attempt. `first_at`: when the first
    of those that were seen together ended.
    """

    execution: int
    schedule_id: int | None
    task_id: int
    task: str
    state: State
    reason: str | None
    fire_time: datetime | None
    ended_at: datetime
    count: int
    error: str | None
    error_type: str | None
    worker: str | None
    first_at: datetime | None = None

    @property
    def unknown_task(self) -> bool:
        """Whether the worker could not find or import the function: it then records this error of ours."""
        return self.state is State.FAILED and self.error_type == InvalidDefinition.__name__


@dataclass(frozen=True, slots=True)
class Watched:
    """A live schedule with what the watcher needs of it. `rules` hold every kind as it is in force for it."""

    id: int
    name: str
    task_id: int
    task: str
    queue: str
    labels: Mapping[str, str]
    enabled: bool
    schedule_type: str
    rule: str
    timezone: str
    end_at: datetime | None
    max_runs: int | None
    created_at: datetime
    updated_at: datetime
    state: ScheduleState
    recent: str
    rules: Mapping[AlertKind, Rule]

    @property
    def scope(self) -> str:
        """The scope of findings about it."""
        return f"schedule:{self.id}"

    @property
    def active(self) -> bool:
        """Whether it makes fire times: enabled and not paused."""
        return self.enabled and not self.state.paused


@dataclass(frozen=True, slots=True)
class Edited:
    """A definition that belongs to a set and was changed by hand. `kind` is task or schedule; `at` is the first edit.

    `fields` are those that differ from what its manifest last said.
    """

    kind: str
    id: int
    name: str
    owner: str
    fields: tuple[str, ...]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Tunings for whatever carries all of these labels."""

    labels: Mapping[str, str]
    tunings: Layer

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels is meant."""
        return all(labels.get(name) == value for name, value in self.labels.items())


@dataclass(slots=True)
class RuleBook:
    """The alert rules of the settings; the same rules are handed out again, so ten thousand schedules cost little."""

    general: Layer = field(default_factory=dict)
    by_labels: tuple[LabelRule, ...] = ()
    _known: dict[Any, Mapping[AlertKind, Rule]] = field(default_factory=dict)

    def rules(self, labels: Mapping[str, str] | None = None, own: Iterable[Layer] = ()) -> Mapping[AlertKind, Rule]:
        """Return every kind's rule for something with these labels and layers of its own (task, then schedule)."""
        labels, own = labels or {}, tuple(layer for layer in own if layer)
        matching = tuple(rule for rule in self.by_labels if rule.matches(labels))
        key = (tuple(id(rule) for rule in matching), repr(own) if own else "")
        found = self._known.get(key)
        if found is None:
            layers = [self.general, *(rule.tunings for rule in matching), *own]
            found = self._known[key] = {kind: rule_of(kind, layers) for kind in AlertKind}
        return found
