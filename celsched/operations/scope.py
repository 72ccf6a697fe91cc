"""Owns what every operation needs: the store, its clock, the settings that decide, and who asks. It does nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from celsched.clock import Clock
from celsched.domain.definition import Effective, effective
from celsched.domain.execution import Requester
from celsched.domain.names import as_stored, suggestion
from celsched.domain.options import Layer
from celsched.errors import NotFound
from celsched.operations.wording import command
from celsched.store import definitions, overview
from celsched.store.definitions import StoredSchedule, StoredTask
from celsched.store.store import Store, Tx


@dataclass(frozen=True, slots=True)
class Scope:
    """Handed to every operation. `settings` is the layer below the definitions; `zone` is where times are shown."""

    store: Store
    settings: Layer
    by: Requester
    zone: str = "UTC"

    @property
    def clock(self) -> Clock:
        """The store's clock."""
        return self.store.clock

    def now(self) -> datetime:
        """Return the present instant by the store's clock."""
        return self.store.clock.now()

    def policies(self, task: StoredTask, schedule: StoredSchedule | None) -> Effective:
        """Return every option in force."""
        return effective(task.definition, schedule.definition if schedule else None, self.settings)


def not_found(kind: str, name: str | int, known: Iterable[str] = ()) -> NotFound:
    """Return the error for a name or id that is not in the store, with the nearest name as hint."""
    lists = " and ".join(f"`celsched {one}s`" for one in kind.split(" or "))
    hint = suggestion(str(name), known) or f"{lists} list{'' if ' and ' in lists else 's'} them"
    shown = repr(name) if isinstance(name, str) else str(name)
    return NotFound(f"there is no {kind} {shown}", hint=hint)


def no_such_schedule(tx: Tx, name: str) -> NotFound:
    """Return the error where executions of a schedule are asked for: a task's name leads to what ran of it."""
    if not overview.task_was_known(tx, name):
        error = not_found("schedule", name, definitions.schedule_names(tx))
        if name.isdecimal():
            error.hint = f"if it is the id of an execution: `{command('show', 'execution', name)}`"
        return error
    listed = command("executions", "--task", name)
    return NotFound(
        f"there is no schedule {name!r}",
        hint=f"it is a task: `{listed}` lists what ran of it, `celsched show execution ID` says what became of one",
    )


def require_task(tx: Tx, name: str) -> StoredTask:
    """Return the task of this name; raise NotFound with a suggestion."""
    found = definitions.find_task(tx, as_stored(name))
    if found is None:
        raise not_found("task", name, definitions.task_names(tx))
    return found


def require_schedule(tx: Tx, name: str) -> StoredSchedule:
    """Return the schedule of this name; raise NotFound with a suggestion."""
    found = definitions.find_schedule(tx, as_stored(name))
    if found is None:
        raise not_found("schedule", name, definitions.schedule_names(tx))
    return found


def locked_schedule(tx: Tx, name: str) -> StoredSchedule:
    """Return the schedule of this name with its state locked and read after the lock."""
    found = definitions.lock_schedules(tx, [require_schedule(tx, name).id])
    if not found:
        raise not_found("schedule", name)
    return found[0]


def zone_of(scope: Scope, schedule: str) -> str:
    """Return the zone in which a schedule's times are written; raise NotFound with a suggestion."""
    found = scope.store.read(lambda tx: require_schedule(tx, schedule))
    return scope.policies(found.task, found).timezone
