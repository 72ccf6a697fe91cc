"""Owns finding and reading the files that were named: files, folders, and standard input as `-`.

It never parses YAML; what cannot be read becomes a problem of its source, so that the others are still read.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from celsched.manifest.problem import Problem

STDIN = "-"
MAX_BYTES = 4 * 1024 * 1024
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, or the problem that kept it from being read. `file` is what people see of its name."""

    file: str
    text: str = ""
    problem: Problem | None = None


def read_sources(names: Sequence[str], *, stdin: bytes = b"") -> list[Source]:
    """Return the sources that `names` stand for, each file once.

    A folder stands for its `*.yaml` and `*.yml` at any depth, sorted, hidden ones left out; `-` for `stdin`.
    """
    sources: list[Source] = []
    seen: set[str] = set()
    for name in names:
        if name == STDIN:
            found: list[Source] = [source_of("<stdin>", stdin)] if STDIN not in seen else []
            seen.add(STDIN)
        else:
            found = list(_below(name, seen))
        sources += found
    return sources


def source_of(file: str, data: bytes) -> Source:
    """Return the source of these bytes: UTF-8, with or without a byte order mark, at most 4 MiB."""
    if len(data) > MAX_BYTES:
        return _unreadable(file, f"larger than {MAX_BYTES // 1024**2} MiB", "split it into several files")
    try:
        return Source(file, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return Source(file, problem=Problem(file, line, column, "", message, "save the file as UTF-8"))


def _below(name: str, seen: set[str]) -> Iterator[Source]:
    if not os.path.isdir(name):
        yield from _file(name, seen)
        return
    files = sorted(_yaml_files(Path(name)))
    if not files:
        yield _unreadable(name, "this folder holds no *.yaml or *.yml file", None)
    for file in files:
        yield from _file(str(file), seen)


def _yaml_files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if name.endswith(_SUFFIXES) and not name.startswith("."))


def _file(name: str, seen: set[str]) -> Iterator[Source]:
    real = os.path.realpath(name)
    if real in seen:
        return
    seen.add(real)
    try:
        with open(name, "rb") as stream:
            yield source_of(name, stream.read(MAX_BYTES + 1))
    except OSError as error:
        yield _unreadable(name, f"cannot be read: {error.strerror or error}", None)


def _unreadable(file: str, message: str, hint: str | None) -> Source:
    return Source(file, problem=Problem(file, None, None, "", message, hint))
