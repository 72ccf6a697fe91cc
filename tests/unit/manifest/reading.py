"""Owns how the tests of this folder read a manifest from a string; it never touches a file."""

from collections.abc import Collection
from datetime import UTC, datetime
from textwrap import dedent

from celsched.domain.options import Layer
from celsched.manifest.load import Loaded, load
from celsched.manifest.source import Source

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def read(*texts: str, stored_tasks: Collection[str] = (), settings: Layer | None = None) -> Loaded:
    """Return what the texts hold, read as the files `f.yaml`, `g.yaml`, ... at `NOW`."""
    sources = [Source(f"{name}.yaml", dedent(text)) for name, text in zip("fghi", texts, strict=False)]
    return load(sources, stored_tasks=stored_tasks, settings=settings or {}, now=NOW)


def heads(*texts: str, stored_tasks: Collection[str] = ()) -> list[str]:
    """Return the heads of all problems and warnings in the texts."""
    loaded = read(*texts, stored_tasks=stored_tasks)
    return [problem.head for problem in (*loaded.problems, *loaded.warnings)]
