"""Turns the text of one source into documents, collecting what is wrong with the YAML itself.

It never builds Python objects from tags, never follows an alias, and never knows what a key means.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml
from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from celsched.manifest import syntax
from celsched.manifest.document import Document, Path, Place
from celsched.manifest.problem import Problem
from celsched.manifest.scalars import NotANumber, Scalar, is_text, plain
from celsched.manifest.source import Source

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What PyYAML counts as the end of a line."""
_DEEPEST = 64
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}
_COLLECTION_TAGS = {"!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass(slots=True)
class Parsed:
    """What a source holds. `whole`: false where the reading ended early, so that more may be defined further down."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = True


class _TooDeep(Exception):
    """The nesting is deeper than allowed; nothing below it is read."""


def parse(source: Source) -> Parsed:
    """Return the documents of `source` and every problem found on the way; empty documents are left out."""
    if source.problem:
        return Parsed(problems=[source.problem], whole=False)
    parsed = Parsed()
    lines = _LINE_END.split(source.text)
    builder = _Builder(source.file, lines, parsed.problems)
    try:
        events = iter(yaml.parse(source.text, Loader=yaml.SafeLoader))
        for event in events:
            if isinstance(event, DocumentStartEvent):
                document = builder.document(events)
                if document:
                    parsed.documents.append(document)
    except YAMLError as error:
        line, column = syntax.place_of(error, source.text)
        message, hint = syntax.explain(error)
        shown = lines[line - 1] if line <= len(lines) else None
        parsed.problems.append(Problem(source.file, line, column, "", message, hint, shown))
        parsed.whole = False
    except _TooDeep:
        parsed.whole = False
    if not parsed.documents and not parsed.problems:
        empty = Problem(source.file, 1, 1, "", "this file holds no manifest", "begin it with `version: 1`")
        parsed.problems.append(empty)
    return parsed


class _Builder:
    """Builds documents of one source from its events."""

    def __init__(self, file: str, lines: list[str], problems: list[Problem]) -> None:
        self._file, self._lines, self._problems = file, lines, problems
        self._start()

    def _start(self) -> None:
        self._keys: dict[Path, Place] = {}
        self._values: dict[Path, Place] = {}
        self._broken: set[Path] = set()

    def document(self, events: Iterator[Event]) -> Document | None:
        """Read up to the end of the document that has just begun; None if it is empty."""
        self._start()
        data = self._node(next(events), (), events)
        end = next(events)
        if not isinstance(end, DocumentEndEvent):
            raise AssertionError(f"a document has one root, then {end!r}")
        if data is None and not self._broken:
            return None
        return Document(self._file, self._lines, data, self._keys, self._values, frozenset(self._broken))

    def _node(self, event: Event, path: Path, events: Iterator[Event]) -> object:
        self._values[path] = _place(event.start_mark)
        if len(path) > _DEEPEST:
            self._add(path[:2], self._values[path], f"nested more than {_DEEPEST} levels deep", None)
            raise _TooDeep
        self._check_anchor(event, path)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, MappingStartEvent):
            self._check_tag(event, path)
            return self._mapping(path, events)
        if isinstance(event, SequenceStartEvent):
            self._check_tag(event, path)
            return self._sequence(path, events)
        return None

    def _check_anchor(self, event: Event, path: Path) -> None:
        if isinstance(event, AliasEvent):
            hint = 'write the value out; text that begins with `*` is quoted, as in cron: "*/5 * * * *"'
            self._refuse(path, f"YAML aliases are not allowed (`*{event.anchor}`)", hint)
        elif isinstance(event, NodeEvent) and event.anchor:
            hint = "write the value out where it is needed, or use `defaults`"
            self._refuse(path, f"YAML anchors are not allowed (`&{event.anchor}`)", hint)

    def _check_tag(self, event: MappingStartEvent | SequenceStartEvent, path: Path) -> None:
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            self._refuse(path, f"the YAML tag `{_short(event.tag)}` is not allowed", "remove it")

    def _scalar(self, event: ScalarEvent, path: Path) -> Scalar:
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            self._refuse(path, f"the YAML tag `{_short(event.tag)}` is not allowed", "remove it")
            return None
        text: str = event.value
        if bad := _unstorable(text):
            self._refuse(path, f"this text holds U+{ord(bad):04X}, which no database keeps", "remove it")
            return None
        if event.tag is not None or event.style is not None:
            return text
        try:
            return plain(text)
        except NotANumber as error:
            self._refuse(path, str(error), "quote it if it is meant as text")
            return None

    def _sequence(self, path: Path, events: Iterator[Event]) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(events), CollectionEndEvent):
            items.append(self._node(event, (*path, len(items)), events))
        return items

    def _mapping(self, path: Path, events: Iterator[Event]) -> dict[str, object]:
        mapping: dict[str, object] = {}
        while not isinstance(event := next(events), CollectionEndEvent):
            key = self._key(event, path, events)
            if key is None:
                _skip(next(events), events)
                continue
            below = (*path, key)
            self._keys[below] = _place(event.start_mark)
            mapping[key] = self._node(next(events), below, events)
        return mapping

    def _key(self, event: Event, path: Path, events: Iterator[Event]) -> str | None:
        """Return a key if it is text and new in its mapping; else record why not."""
        place = _place(event.start_mark)
        if not isinstance(event, ScalarEvent) or event.anchor or event.tag not in (None, *_TEXT_TAGS):
            self._add(path, place, "a key must be plain text", "write a word followed by `:`")
            _skip(event, events)
            return None
        key: str = event.value
        below = (*path, key)
        if event.style is None and event.tag is None and not is_text(key):
            self._add(below, place, f"a key must be text, not `{key}`", f'quote it: "{key}":')
        elif _unstorable(key):
            self._add(path, place, "this key holds a character that no database keeps", "remove it")
        elif first := self._keys.get(below):
            where = f"{self._file}:{first.line}:{first.column}"
            self._add(below, place, f"`{key}` stands here twice, first at {where}", "remove one of the two")
        else:
            return key
        return None

    def _refuse(self, path: Path, message: str, hint: str | None) -> None:
        self._broken.add(path)
        self._add(path, self._values[path], message, hint)

    def _add(self, path: Path, place: Place, message: str, hint: str | None) -> None:
        document = Document(self._file, self._lines, None, {}, {path: place}, frozenset())
        self._problems.append(document.problem(path, message, hint))


def _skip(event: Event, events: Iterator[Event]) -> None:
    """Read on to the end of the node that begins with `event`, which has no place in the data."""
    depth = int(isinstance(event, CollectionStartEvent))
    while depth:
        event = next(events)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)


def _unstorable(text: str) -> str | None:
    return next((c for c in text if c == "\0" or "\ud800" <= c <= "\udfff"), None)


class _Mark(Protocol):
    """A mark of the parser, whichever of its two implementations made it; both count from 0."""

    line: int
    column: int


def _place(mark: _Mark | None) -> Place:
    if mark is None:
        raise AssertionError("the parser marks every event")
    return Place(mark.line + 1, mark.column + 1)


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
