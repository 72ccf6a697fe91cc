"""Owns how unit tests call the command line: in this process, with streams and an environment of their own."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from celsched.cli.app import main
from celsched.cli.context import CliContext
from tests.support.clock import ManualClock

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Result:
    """What a call left behind."""

    code: int
    out: str
    err: str


Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Call the command line in an empty folder."""

    def run(*args: str, terminal: bool = False, stdin: str = "", env: dict[str, str] | None = None) -> Result:
        kind = Terminal if terminal else io.StringIO
        out, err = kind(), kind()
        cli = CliContext(stdin=kind(stdin), stdout=out, stderr=err, env=env or {}, cwd=tmp_path, clock=ManualClock(NOW))
        return Result(main(list(args), cli=cli), out.getvalue(), err.getvalue())

    return run
