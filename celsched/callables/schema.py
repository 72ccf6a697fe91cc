"""Owns JSON Schema: whether a schema is one, and how parameters misfit it.

It never fetches anything: a `$ref` to another document is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from celsched.errors import InvalidDefinition

_KEY = "params_schema"
_ABOUT_PRESENT_KEYS = {"additionalProperties", "unevaluatedProperties", "propertyNames", "maxProperties", "type"}
"""What a schema can say about a mapping as a whole that more keys cannot mend."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Return if `schema` is a JSON Schema (draft 2020-12 unless its `$schema` names another) without far references.

    Raises:
        InvalidDefinition: it is not; `key` is the dotted place in it.
    """
    try:
        _validator_class(schema).check_schema(dict(schema))
    except SchemaError as error:
        key = ".".join([_KEY, *map(str, error.absolute_path)])
        raise InvalidDefinition(f"not a JSON Schema: {error.message}", key=key) from None
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise InvalidDefinition(
                f"`$ref` may point inside this schema only, not to {reference!r}", key=_KEY, hint="copy it in"
            )


def schema_misfits(params: Mapping[str, Any], schema: Mapping[str, Any], *, partial: bool) -> list[str]:
    """Return what of `params` does not fit; with `partial` more keys may follow, so none is missing yet.

    Raises:
        InvalidDefinition: the schema refers to something that is not there.
    """
    validator: Validator = _validator_class(schema)(schema, registry=Registry())
    try:
        errors = sorted(validator.iter_errors(params), key=lambda error: [str(part) for part in error.absolute_path])
    except Unresolvable as error:
        raise InvalidDefinition(f"the schema refers to nothing: {error}", key=_KEY) from None
    return [_sentence(error) for error in errors if not partial or _is_final(error)]


def _validator_class(schema: Mapping[str, Any]) -> type[Validator]:
    return validator_for(schema, default=Draft202012Validator)


def _is_final(error: ValidationError) -> bool:
    return bool(error.absolute_path) or error.validator in _ABOUT_PRESENT_KEYS


def _sentence(error: ValidationError) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    return f"`{where}`: {error.message}" if where else error.message


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for item in schema:
            yield from _references(item)
