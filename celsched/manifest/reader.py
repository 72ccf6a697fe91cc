"""Owns the reading of one document's values by their shape, collecting what does not fit.

It never knows which keys a task or a schedule has: those tables are handed in.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celsched.domain.names import clean_name, suggestion
from celsched.domain.options import INSTANT_SCHEMA, OPTIONS, Option
from celsched.errors import InvalidDefinition, InvalidRule
from celsched.manifest.document import Document, Path
from celsched.manifest.problem import Problem
from celsched.timing.instant import parse_instant

_DATED = re.compile(r"[0-9]{4}-", re.ASCII)


@dataclass(slots=True)
class Reader:
    """One document and the problems found in it so far."""

    document: Document
    now: datetime
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, path: Path, message: str, hint: str | None = None, *, at_key: bool = False) -> None:
        """Record a problem, unless one is known of this very value."""
        if path not in self.document.broken:
            self.problems.append(self.document.problem(path, message, hint, at_key=at_key))

    def mapping(self, path: Path, value: object, hint: str | None = None) -> dict[str, Any]:
        """Return a mapping; an absent or empty value is an empty one, anything else a problem."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.refuse(path, f"this must be a mapping, not {shape(value)}", hint)
        return {}

    def text(self, path: Path, value: object) -> str | None:
        """Return text; anything else is a problem and None."""
        if isinstance(value, str) and value:
            return value
        if value == "" or value is None:
            self.refuse(path, f"`{path[-1]}` has no value", "write one, or remove the key")
        else:
            scalar = not isinstance(value, dict | list)
            self.refuse(path, f"`{path[-1]}` must be text, not {shape(value)}", "quote it" if scalar else None)
        return None

    def name(self, path: Path, value: object, *, at_key: bool = False) -> str | None:
        """Return a clean name; anything else is a problem and None."""
        try:
            return clean_name(value, "name" if at_key else str(path[-1]))
        except InvalidDefinition as error:
            self.refuse(path, error.message, error.hint, at_key=at_key)
            return None

    def unknown(
        self, path: Path, body: Mapping[str, Any], allowed: Collection[str], elsewhere: Mapping[str, str]
    ) -> None:
        """Record the keys of `body` that are not allowed; `elsewhere` says of known words where they belong."""
        for key in body:
            if key not in allowed:
                hint = elsewhere.get(key) or suggestion(key, allowed) or f"allowed: {', '.join(allowed)}"
                message = f"`{key}` may not stand here" if key in elsewhere else f"unknown key `{key}`"
                self.refuse((*path, key), message, hint, at_key=True)

    def layer(self, path: Path, body: Mapping[str, Any], keys: Collection[str], zone: str) -> dict[str, Any]:
        """Return the decoded options of `body` among `keys`; wall times are read in `zone`."""
        layer: dict[str, Any] = {}
        for key in body:
            if key in keys:
                known = len(self.problems)
                value = self._option((*path, key), OPTIONS[key], body[key], zone)
                if len(self.problems) == known and value is not None:
                    layer[key] = value
        return layer

    def instant(self, path: Path, value: object, zone: str) -> datetime | None:
        """Return an instant written as RFC 3339, or as a wall time of `zone`; never relative to now."""
        text = self.text(path, value)
        if text is None:
            return None
        if not _DATED.match(text.strip()):
            self.refuse(path, f"{text!r} is not an instant", "write for example 2026-12-01T09:00:00+03:30")
            return None
        try:
            return parse_instant(text, zone, self.now)
        except InvalidRule as error:
            self.refuse(path, error.message, error.hint)
            return None

    def _option(self, path: Path, option: Option, value: object, zone: str) -> Any:
        if value is None:
            self.refuse(path, f"`{option.key}` has no value", "write one, or remove the key")
            return None
        if option.schema is INSTANT_SCHEMA:
            return self.instant(path, value, zone)
        parts = option.schema.get("properties")
        if isinstance(value, dict) and parts:
            return self._parts(path, option, value, parts)
        return self._decoded(path, option, value)

    def _parts(self, path: Path, option: Option, value: dict[str, Any], parts: Collection[str]) -> Any:
        """Decode an option of several keys one by one, so that each of its faults is found; then as a whole."""
        before = len(self.problems)
        self.unknown(path, value, parts, option.elsewhere)
        known = {key: part for key, part in value.items() if key in parts}
        for key, part in known.items():
            self._decoded((*path, key), option, {key: part})
        return self._decoded(path, option, known) if len(self.problems) == before else None

    def _decoded(self, path: Path, option: Option, value: object) -> Any:
        try:
            return option.decode(option.key, value)
        except InvalidDefinition as error:
            self.refuse(self._below(path, option.key, error.key), error.message, error.hint)
            return None

    def _below(self, path: Path, option: str, key: str | None) -> Path:
        """Return where in the document an option's dotted `key` is, as far as it stands there; `path` at least."""
        found = path
        for part in (key or "").split(".")[len(path) - path.index(option) :]:
            if (*found, part) not in self.document.values:
                break
            found = (*found, part)
        return found


def shape(value: object) -> str:
    """Return what a value is, for people: `a list`, `true`, the number itself."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the text {value!r}"
        case None | bool():
            return {None: "empty", True: "true", False: "false"}[value]
    return f"the number {value}"
