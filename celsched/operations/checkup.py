"""Owns the record of one check of the doctor, and how many names are told in a sentence. It checks nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check came to."""

    PASS = "pass"
    WARN = "warn"
    """It works, and somebody should look at it."""
    FAIL = "fail"
    SKIP = "skip"
    """It could not be made, or does not apply; what was seen says which."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one check found: the verdict, what was seen in one sentence, and the command that mends it."""

    verdict: Verdict
    seen: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check as it is shown. `code` never changes its meaning."""

    number: int
    code: str
    found: Found


def passed(seen: str) -> Found:
    """Return that all is well."""
    return Found(Verdict.PASS, seen)


def warned(seen: str, fix: str | None = None) -> Found:
    """Return that somebody should look."""
    return Found(Verdict.WARN, seen, fix)


def failed(seen: str, fix: str | None = None) -> Found:
    """Return that something is wrong."""
    return Found(Verdict.FAIL, seen, fix)


def skipped(seen: str) -> Found:
    """Return that the check was not made."""
    return Found(Verdict.SKIP, seen)


def listed(names: Sequence[str], count: int | None = None) -> str:
    """Return `'a', 'b' and 4 more`; ids of executions go unquoted."""
    shown = ", ".join(name if name.isdecimal() else f"'{name}'" for name in names[:3])
    more = (len(names) if count is None else count) - min(len(names), 3)
    return f"{shown} and {more} more" if more > 0 else shown
