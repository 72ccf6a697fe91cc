"""Owns T13 and T4 in one transaction: recording an execution under a caller's own request id, and claiming it.

It never runs anything, and it checks before it writes.
"""

import getpass
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from celsched.callables import allow, resolve, signature
from celsched.domain.compose import recipe_of
from celsched.domain.definition import effective
from celsched.domain.execution import Cause, Execution, Requester
from celsched.errors import InvalidParams, NotFound
from celsched.settings import Settings
from celsched.store import claims, definitions, requests
from celsched.store.claims import Claimant, Refusal
from celsched.store.definitions import StoredTask
from celsched.store.requests import Request
from celsched.store.store import Store, Tx


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller of `execute_task` asked for: its own id of the request, a path, parameters over the defaults."""

    request_id: str
    task_path: str
    params: Mapping[str, Any] = field(default_factory=dict)


def prepare(store: Store, settings: Settings, wanted: Wanted, host: str) -> Request:
    """Return the request to record.

    Raises:
        NotFound: no defined task, or more than one, has this path. InvalidParams: the parameters do not fit it.
        NotPermitted: the path may not run here. InvalidDefinition: it cannot be imported.
    """
    task = _only_task(store.read(lambda tx: definitions.tasks_of_path(tx, wanted.task_path)), wanted.task_path)
    if not isinstance(wanted.params, Mapping):
        raise InvalidParams(f"the params of request {wanted.request_id!r} are no mapping")
    policies = effective(task.definition, None, settings.fallback_layer())
    recipe = recipe_of(task.definition, None, policies, params=wanted.params)
    allow.require_allowed(recipe.task_path, settings.task_modules)
    signature.check_params(resolve.resolve(recipe.task_path), recipe.params, recipe.params_schema)
    return Request(Cause.MANUAL, wanted.request_id, task, None, recipe, Requester(_user(), host))


def record_and_claim(tx: Tx, request: Request, by: Claimant, store: Store) -> Execution | Refusal:
    """Record the request once and take its execution; a repeated one finds its row, and is refused if that began."""
    now = store.clock.now()
    execution_id, _ = requests.record(tx, request, now)
    return claims.claim(tx, execution_id, 1, by, now, only_due=True)


def _only_task(found: list[StoredTask], task_path: str) -> StoredTask:
    if not found:
        raise NotFound(f"no task is defined with the task path {task_path!r}", hint="`celsched define` makes one")
    if len(found) > 1:
        names = ", ".join(repr(task.name) for task in found)
        raise NotFound(
            f"{len(found)} tasks have the task path {task_path!r}: {names}", hint="use `celsched run-now` with a name"
        )
    return found[0]


def _user() -> str:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"
