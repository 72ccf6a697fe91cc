"""Owns `diff` and `apply`: compare wanted with stored definitions, show what would follow, write it in one go.

It never reads a file; manifests come in decoded and checked.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from celsched.domain.changes import Action, Change, ChangeSet, Definitions, Kind, diff
from celsched.domain.definition import ScheduleDefinition, TaskDefinition, effective
from celsched.domain.plan import Active, decide
from celsched.errors import Conflict
from celsched.operations import ledger
from celsched.operations.carry_out import carry_out
from celsched.operations.scope import Scope
from celsched.store import audit, definitions, edits
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.store import Tx
from celsched.store.transitions import active_of

Consequence: TypeAlias = tuple[str | datetime, ...]
"""A line in parts: people read its instants in the schedule's zone, programs as JSON has them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What manifests ask for. `sets` are theirs; `prune` removes what those sets own and no manifest names."""

    definitions: Definitions
    sets: frozenset[str] = frozenset()
    prune: bool = False
    adopt: bool = False
    allow_prune: int | None = None
    by_hand: bool = False
    """One object is changed by a person, and no manifest asks for it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The difference, and what it means for fire times: lines per schedule name, told in its zone of `zones`."""

    changes: ChangeSet
    consequences: dict[str, tuple[Consequence, ...]] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    drifted: frozenset[tuple[Kind, str]] = frozenset()
    """What would change because somebody changed it outside of its manifest."""
    agreed: frozenset[tuple[Kind, str]] = frozenset()
    """What somebody changed outside of its manifest, which now says the same."""

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not self.changes.made


def preview(scope: Scope, wanted: Wanted) -> Preview:
    """Return what `apply` would do now; nothing is written."""
    return scope.store.read(lambda tx: _preview(scope, tx, wanted, scope.now()))


def apply(scope: Scope, wanted: Wanted, seen: Preview, *, checked: Collection[str]) -> ChangeSet:
    """Write what `seen` showed, in one transaction.

    Raises:
        Conflict: an object belongs to another owner, pruning goes too far, or the store changed since the preview.
    """

    def work(tx: Tx) -> ChangeSet:
        definitions.lock_names(tx)
        now = scope.now()
        changes = _changes(tx, wanted)
        _confirm(scope, tx, _edited(tx, wanted, changes.of(Action.UNCHANGED)), now)
        if not changes.made:
            # Somebody else, or we before the reply was lost, has just applied the same.
            return seen.changes
        if changes != seen.changes:
            raise Conflict("the store was changed by somebody else just now", hint="look at the new diff, then apply")
        _refuse_conflicts(changes)
        _refuse_wide_prune(changes, wanted.allow_prune)
        carry_out(scope, tx, changes, checked=checked, now=now, by_hand=wanted.by_hand)
        return changes

    return seen.changes if seen.empty and not seen.agreed else scope.store.write(work)


def refuse(preview: Preview, wanted: Wanted) -> None:
    """Raise Conflict where `apply` would: an owner conflict, or too many deletions."""
    _refuse_conflicts(preview.changes)
    _refuse_wide_prune(preview.changes, wanted.allow_prune)


def _changes(tx: Tx, wanted: Wanted) -> ChangeSet:
    stored = Definitions(
        tuple(task.definition for task in definitions.all_tasks(tx)),
        tuple(schedule.definition for schedule in definitions.all_schedules(tx)),
    )
    return diff(wanted.definitions, stored, sets=wanted.sets, prune=wanted.prune, adopt=wanted.adopt)


def _refuse_conflicts(changes: ChangeSet) -> None:
    if changes.conflicts:
        first = changes.conflicts[0]
        more = len(changes.conflicts) - 1
        raise Conflict(
            f"the {first.kind} '{first.name}' belongs to {first.owner_conflict}"
            + (f" (and {more} more belong to others)" if more else ""),
            hint="add --adopt to take it over, or give it another name",
        )


def _refuse_wide_prune(changes: ChangeSet, allowed: int | None) -> None:
    for change in changes.deletions:
        if change.dependents:
            raise Conflict(
                f"pruning would delete the task '{change.name}', which '{change.dependents[0]}' still uses",
                hint="keep the task in the manifest, or delete that schedule",
            )
    count = len(changes.deletions)
    limit = changes.prune_limit if allowed is None else allowed
    if count > limit:
        raise Conflict(
            f"pruning would delete {count} objects; at most {limit} go without being named",
            hint=f"if that is meant, add --allow-prune {count}",
        )


def _preview(scope: Scope, tx: Tx, wanted: Wanted, now: datetime) -> Preview:
    changes = _changes(tx, wanted)
    tasks = {task.name: task.definition for task in definitions.all_tasks(tx)}
    tasks |= {task.name: task for task in wanted.definitions.tasks}
    stored = {schedule.name: schedule for schedule in definitions.all_schedules(tx)}
    active = active_of(tx, [one.id for one in stored.values()])
    lines, zones = {}, {}
    for change in changes.made:
        if change.kind == "schedule":
            old = stored.get(change.name)
            zones[change.name] = _zone(scope, change, tasks)
            lines[change.name] = tuple(
                _consequences(scope, change, old, tasks, active.get(old.id, Active()) if old else Active(), now)
            )
    drifted, agreed = (_edited(tx, wanted, changes.of(action)) for action in (Action.UPDATE, Action.UNCHANGED))
    return Preview(changes, lines, zones, drifted, agreed)


def _zone(scope: Scope, change: Change, tasks: dict[str, TaskDefinition]) -> str:
    wanted = change.desired
    if not isinstance(wanted, ScheduleDefinition) or wanted.task not in tasks:
        return scope.zone
    return effective(tasks[wanted.task], wanted, scope.settings).timezone


def _confirm(scope: Scope, tx: Tx, agreed: Iterable[tuple[Kind, str]], now: datetime) -> None:
    """Record that a manifest says what somebody had done by hand: nothing has drifted any more."""
    for kind, name in sorted(agreed):
        audit.write(tx, scope.by, audit.Event(audit.CONFIRM, kind, name), now)


def _edited(tx: Tx, wanted: Wanted, changes: Iterable[Change]) -> frozenset[tuple[Kind, str]]:
    """Return those of what a set owns that people changed by hand; nothing where this is such a change itself."""
    owned = [one for one in changes if one.stored and one.stored.owner and not wanted.by_hand]
    kinds: tuple[Kind, ...] = ("task", "schedule")
    names = {kind: [one.name for one in owned if one.kind == kind] for kind in kinds}
    return frozenset((kind, name) for kind in kinds for name in edits.edited_by_hand(tx, kind, names[kind]))


def _consequences(
    scope: Scope,
    change: Change,
    old: StoredSchedule | None,
    tasks: dict[str, TaskDefinition],
    active: Active,
    now: datetime,
) -> list[Consequence]:
    lines: list[Consequence] = []
    if old is not None and not ledger.rests(scope, old, now) and change.action is not Action.DELETE:
        subject = ledger.subject_for(scope, old)
        count = 0
        if subject is not None and not _disables(scope, change, tasks):
            count = len(decide(subject, old.state, now, active).fires)
        if count:
            lines.append((f"{count} due fire time{'s run' if count != 1 else ' runs'} first, by the old definition",))
    wanted = change.desired
    before = old.state.next_fire_time if old else None
    if not isinstance(wanted, ScheduleDefinition) or wanted.task not in tasks:
        if active.open or active.waiting:
            lines.append((f"{active.open + active.waiting} executions that have not started are cancelled",))
        return lines
    after = _next(scope, wanted, tasks[wanted.task], old, now)
    if old is not None and old.state.paused:
        lines.append(("stays paused",))
    elif before != after:
        then = after or "never"
        lines.append(("next fire time ", before or "never", " -> ", then) if old else ("first fires ", then))
    return lines


def _disables(scope: Scope, change: Change, tasks: dict[str, TaskDefinition]) -> bool:
    wanted = change.desired
    if not isinstance(wanted, ScheduleDefinition) or wanted.task not in tasks:
        return False
    return not effective(tasks[wanted.task], wanted, scope.settings).enabled


def _next(
    scope: Scope, wanted: ScheduleDefinition, task: TaskDefinition, old: StoredSchedule | None, now: datetime
) -> datetime | None:
    holder = StoredTask(0, 0, task, checked=False, created_at=now, updated_at=now)
    if old is None:
        return ledger.born(scope, wanted, holder, now).next_fire_time
    start = effective(task, wanted, scope.settings).start_at
    was = scope.policies(old.task, old).start_at
    new_rule = (wanted.rule, start) != (old.definition.rule, was)
    closed = replace(old.state, cursor=max(old.state.cursor, now))  # as it will be once the old definition is closed
    return ledger.opened(scope, closed, wanted, holder, now, new_rule=new_rule).next_fire_time
