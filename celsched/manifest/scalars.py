"""Decides what an unquoted YAML scalar means: YAML 1.2's core schema, and text wherever two readers could differ.

It never knows the key it stands under: `on`, `012`, `1:30` and dates are text for everyone.
"""

import re
from math import isfinite

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_LONGEST_NUMBER = 300

Scalar = str | int | float | bool | None


class NotANumber(ValueError):
    """The scalar is a number in YAML that JSON cannot hold."""


def plain(text: str) -> Scalar:
    """Return the value of an unquoted scalar.

    Numbers with leading zeros stay text, since YAML 1.1 and 1.2 read them differently.

    Raises:
        NotANumber: infinite, not a number, or absurdly long.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _NOT_FINITE.fullmatch(text):
        raise NotANumber(f"{text} is no number that JSON can hold")
    if not (_DECIMAL.fullmatch(text) or _BASED.fullmatch(text) or _FLOAT.fullmatch(text)):
        return text
    return _number(text)


def is_text(text: str) -> bool:
    """Return whether `text` stays text without quotes."""
    try:
        return plain(text) is text
    except NotANumber:
        return False


def _number(text: str) -> int | float:
    if len(text) > _LONGEST_NUMBER:
        raise NotANumber(f"a number of {len(text)} characters is too long")
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    number = float(text)
    if not isfinite(number):
        raise NotANumber(f"{text} is too large a number")
    return number
