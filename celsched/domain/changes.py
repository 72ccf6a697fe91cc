"""Owns the difference between what manifests ask for and what is stored, object by object and field by field.

It never writes, and never decides whether a change may be made: `operations` reads conflicts and limits from here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from celsched.domain.definition import RuleSpec, ScheduleDefinition, ScheduleType, TaskDefinition
from celsched.domain.options import JsonValue, encode_layer

Kind: TypeAlias = Literal["task", "schedule"]
Definition: TypeAlias = TaskDefinition | ScheduleDefinition

PRUNE_AT_LEAST = 3
PRUNE_PART = 5
"""One in so many: 20 %."""
RULE_WORDS: Mapping[ScheduleType, str] = {
    ScheduleType.INTERVAL: "every",
    ScheduleType.CRON: "cron",
    ScheduleType.ONCE: "at",
}
_BEFORE = ("task_path", "task_type", "description", "params_schema", "task", "rule", "owner")


class Action(StrEnum):
    """What becomes of one object."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    """It belongs to another owner and would change hands (and be updated)."""
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Definitions:
    """Some tasks and schedules: all that manifests hold, or all that is stored."""

    tasks: Sequence[TaskDefinition] = ()
    schedules: Sequence[ScheduleDefinition] = ()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One key (dotted below `params`, `default_params` and `defaults`) as a manifest writes it; None: not there."""

    key: str
    old: JsonValue
    new: JsonValue


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one object.

    `owner_conflict` names its present owner ("the set `x`", "no set") where that is another one and adopting was not
    asked for. `dependents` are the schedules that would be left behind by the deletion of this task.
    """

    kind: Kind
    name: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    owner_conflict: str | None = None
    dependents: tuple[str, ...] = ()
    desired: Definition | None = None
    stored: Definition | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Changes in the order in which they can be made: tasks, schedules, deleted schedules, deleted tasks; by name.

    `owned` counts the stored objects of the sets in question, before any change.
    """

    changes: tuple[Change, ...]
    owned: int = 0
    made: tuple[Change, ...] = field(init=False)
    """All but the unchanged ones."""

    def __post_init__(self) -> None:
        made = tuple(change for change in self.changes if change.action is not Action.UNCHANGED)
        object.__setattr__(self, "made", made)

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """The changes that need `--adopt`."""
        return tuple(change for change in self.changes if change.owner_conflict)

    @property
    def deletions(self) -> tuple[Change, ...]:
        """The objects that pruning removes."""
        return self.of(Action.DELETE)

    @property
    def prune_limit(self) -> int:
        """How many objects may be pruned without saying a number."""
        return prune_limit(self.owned)

    def of(self, action: Action) -> tuple[Change, ...]:
        """Return the changes of one action."""
        return tuple(change for change in self.changes if change.action is action)


def prune_limit(owned: int) -> int:
    """Return how many of `owned` objects may be pruned unasked: 20 %, but at least 3."""
    return max(PRUNE_AT_LEAST, owned // PRUNE_PART)


def diff(
    desired: Definitions, stored: Definitions, *, sets: Collection[str], prune: bool = False, adopt: bool = False
) -> ChangeSet:
    """Return what turns `stored` (everything stored) into `desired`, leaving alone what nobody named.

    With `prune`, stored objects that belong to one of `sets` and are not named go too. An object of another owner
    (no set counts as one) becomes an `ADOPT` with `owner_conflict` set, unless `adopt`.
    """
    changes = [*_named("task", desired.tasks, stored.tasks, adopt=adopt)]
    changes += _named("schedule", desired.schedules, stored.schedules, adopt=adopt)
    if prune:
        changes += _unnamed("schedule", desired.schedules, stored.schedules, sets)
        gone = {change.name for change in changes if change.action is Action.DELETE}
        left = [schedule for schedule in stored.schedules if schedule.name not in gone]
        kept = {schedule.name: schedule for schedule in (*left, *desired.schedules)}
        for change in _unnamed("task", desired.tasks, stored.tasks, sets):
            users = tuple(sorted(name for name, schedule in kept.items() if schedule.task == change.name))
            changes.append(Change("task", change.name, Action.DELETE, dependents=users, stored=change.stored))
    owners = [task.owner for task in stored.tasks] + [schedule.owner for schedule in stored.schedules]
    owned = sum(1 for owner in owners if owner is not None and owner in sets)
    return ChangeSet(tuple(changes), owned)


def field_changes(old: Definition, new: Definition) -> tuple[FieldChange, ...]:
    """Return the keys in which two definitions of one name differ, in the order of a manifest."""
    before, after = _flat(old), _flat(new)
    keys = [*after, *(key for key in before if key not in after)]
    return tuple(
        FieldChange(key, before.get(key), after.get(key))
        for key in keys
        if (key in before) != (key in after) or not same_json(before[key], after[key])
    )


def same_json(one: JsonValue, other: JsonValue) -> bool:
    """Return whether two JSON values are equal: 1 and 1.0 are (a database may turn one into the other), 1 and true not.

    The order of keys does not count.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def rule_text(rule: RuleSpec) -> str:
    """Return a rule in one line, as `every 6h`, `cron 0 2 * * *` or `at 2026-12-01T05:30:00Z`."""
    return f"{RULE_WORDS[rule.type]} {rule.text}"


def owner_text(owner: str | None) -> str:
    """Return an owner in words."""
    return "no set" if owner is None else f"the set `{owner}`"


def _named(kind: Kind, desired: Sequence[Definition], stored: Sequence[Definition], *, adopt: bool) -> Iterator[Change]:
    present = {item.name: item for item in stored}
    for item in sorted(desired, key=_name):
        old = present.get(item.name)
        if old is None:
            yield Change(kind, item.name, Action.CREATE, desired=item)
            continue
        fields = field_changes(old, item)
        action, conflict = (Action.UPDATE if fields else Action.UNCHANGED), None
        if old.owner != item.owner:
            action, conflict = Action.ADOPT, None if adopt else owner_text(old.owner)
        yield Change(kind, item.name, action, fields, conflict, desired=item, stored=old)


def _unnamed(
    kind: Kind, desired: Sequence[Definition], stored: Sequence[Definition], sets: Collection[str]
) -> Iterator[Change]:
    named = {item.name for item in desired}
    for item in sorted(stored, key=_name):
        if item.owner is not None and item.owner in sets and item.name not in named:
            yield Change(kind, item.name, Action.DELETE, stored=item)


def _name(item: Definition) -> str:
    return item.name


def _flat(item: Definition) -> dict[str, Any]:
    """Return every key that is there, by its dotted name; names of parameters are not split any further."""
    flat: dict[str, Any] = {key: value for key, value in _fields(item) if value is not None}
    params = (
        ("params", item.params) if isinstance(item, ScheduleDefinition) else ("default_params", item.default_params)
    )
    for prefix, layer in (params, ("defaults", encode_layer(item.defaults))):
        flat.update({f"{prefix}.{key}": value for key, value in layer.items()})
    flat.update(encode_layer(item.options))
    return flat


def _fields(item: Definition) -> Iterator[tuple[str, Any]]:
    for key in _BEFORE:
        value = getattr(item, key, None)
        yield key, rule_text(value) if isinstance(value, RuleSpec) else value
