"""Owns the JSON Schema of a manifest, for editors: it is put together from the tables that reading goes by.

It never replaces reading: what needs two keys, a calendar or user code is said there only.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from celsched.domain.names import MAX_LENGTH
from celsched.domain.options import OPTIONS
from celsched.manifest.keys import (
    DEFAULTS_OPTIONS,
    MANIFEST_KEYS,
    RULE_KEYS,
    SCHEDULE_KEYS,
    SCHEDULE_OPTIONS,
    TASK_KEYS,
    TASK_OPTIONS,
    Key,
    RuleKey,
)


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7, which every editor knows) of one manifest document."""
    task = _object({**_keys(TASK_KEYS), **_options(TASK_OPTIONS)}, required=["task_path"])
    schedule = _object(
        {**_keys(SCHEDULE_KEYS), **_keys(RULE_KEYS), **_options(SCHEDULE_OPTIONS)},
        required=["task"],
        oneOf=[{"required": [key]} for key in RULE_KEYS],
    )
    parts: dict[str, dict[str, Any]] = {
        "defaults": _object(_options(DEFAULTS_OPTIONS)),
        "tasks": _named("task"),
        "schedules": _named("schedule"),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "celsched manifest",
        **_object({key: {**known, **parts.get(key, {})} for key, known in _keys(MANIFEST_KEYS).items()}),
        "required": ["version"],
        "definitions": {"task": task, "schedule": schedule},
    }


def _object(properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties), **more}


def _named(definition: str) -> dict[str, Any]:
    """Return the schema of a section; an empty one (all of it commented out) is null."""
    return {
        "type": ["object", "null"],
        "propertyNames": {"minLength": 1, "maxLength": MAX_LENGTH},
        "additionalProperties": {"$ref": f"#/definitions/{definition}"},
    }


def _keys(keys: Mapping[str, Key] | Mapping[str, RuleKey]) -> dict[str, dict[str, Any]]:
    return {name: {**key.schema, "description": key.about} for name, key in keys.items()}


def _options(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {name: {**OPTIONS[name].schema, "description": OPTIONS[name].about} for name in names}
