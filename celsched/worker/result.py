"""Owns how a body's return value becomes something the store can hold. It never fails: no JSON is kept as its repr."""

import json
from typing import Any

from celsched.redact import Redactor
from celsched.worker.text import bounded, clean

LARGEST_RESULT = 64 * 1024  # bytes of JSON
_LONGEST_REPR = 4 * 1024


def storable(value: Any, redactor: Redactor) -> Any:
    """Return the value as JSON, cleaned and redacted.

    A value that JSON cannot express, or that takes more than 64 KiB, becomes `{"repr": text, "stored": why}`.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if len(text.encode("utf-8", "replace")) > LARGEST_RESULT:
            return _as_repr(value, redactor, "cut: larger than 64 KiB")
        return redactor.value(_clean(json.loads(text)))
    except (TypeError, ValueError, RecursionError):
        return _as_repr(value, redactor, "its repr: not JSON")


def _as_repr(value: Any, redactor: Redactor, why: str) -> dict[str, str]:
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return {"repr": redactor.text(clean(bounded(text, _LONGEST_REPR))), "stored": why}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value
