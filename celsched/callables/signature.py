"""Decides whether parameters fit a function: its signature, and the JSON Schema of its task.

It never calls the function.
"""

import inspect
from collections.abc import Iterator, Mapping
from inspect import Parameter
from typing import Any

from celsched.callables.resolve import Resolved
from celsched.callables.schema import schema_misfits
from celsched.domain.names import suggestion
from celsched.errors import InvalidParams

_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def check_params(
    resolved: Resolved, params: Mapping[str, Any], schema: Mapping[str, Any] | None, *, partial: bool = False
) -> None:
    """Return if `params` can be handed over by name.

    `partial` is for the `default_params` of a task alone: what is missing may come from a schedule or a person.

    Raises:
        InvalidParams: they do not fit; the message names every misfit, the hint a near name.
    """
    misfits = list(_signature_misfits(resolved, params, partial=partial))
    hints = [hint for _, hint in misfits if hint]
    sentences = [sentence for sentence, _ in misfits]
    if schema is not None:
        sentences += schema_misfits(params, schema, partial=partial)
    if sentences:
        raise InvalidParams(
            f"the parameters do not fit `{resolved.task_path}`: {'; '.join(sentences)}",
            hint=hints[0] if hints else None,
        )


def _signature_misfits(
    resolved: Resolved, params: Mapping[str, Any], *, partial: bool
) -> Iterator[tuple[str, str | None]]:
    try:
        parameters = list(inspect.signature(resolved.function).parameters.values())
    except (ValueError, TypeError):
        return  # written in C, without a signature: only calling it can tell
    for parameter in parameters:
        if parameter.kind is Parameter.POSITIONAL_ONLY and parameter.default is Parameter.empty:
            yield f"`{parameter.name}` is positional only", "parameters are handed over by name"
        elif not partial and _is_wanting(parameter, params):
            yield f"`{parameter.name}` is missing", None
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
        return
    names = [parameter.name for parameter in parameters if parameter.kind in _NAMED]
    for name in params:
        if name not in names:
            near = suggestion(name, [known for known in names if known not in params])
            yield f"`{name}` is not one of its parameters", near or f"it takes {', '.join(names) or 'none'}"


def _is_wanting(parameter: Parameter, params: Mapping[str, Any]) -> bool:
    return parameter.kind in _NAMED and parameter.default is Parameter.empty and parameter.name not in params
