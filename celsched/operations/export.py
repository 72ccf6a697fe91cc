"""Owns which stored definitions an export holds. It never writes YAML; `manifest.encode` does."""

from collections.abc import Collection

from celsched.domain.changes import Definition, Definitions
from celsched.domain.names import suggestion
from celsched.errors import NotFound
from celsched.operations.manifests import stored_definitions
from celsched.operations.scope import Scope


def export(scope: Scope, sets: Collection[str] = ()) -> Definitions:
    """Return what these sets own, or everything where none is named.

    Raises:
        NotFound: a set owns nothing.
    """
    stored = scope.store.read(stored_definitions)
    if not sets:
        return stored
    held: list[Definition] = [*stored.tasks, *stored.schedules]
    owners = {item.owner for item in held if item.owner is not None}
    for name in sets:
        if name not in owners:
            known = ", ".join(f"`{owner}`" for owner in sorted(owners)) or "there is none"
            raise NotFound(f"no stored object belongs to a set '{name}'", hint=suggestion(name, owners) or known)
    return Definitions(
        [task for task in stored.tasks if task.owner in sets],
        [schedule for schedule in stored.schedules if schedule.owner in sets],
    )
