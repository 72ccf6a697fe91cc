"""Owns a project in a folder and the real command line in it, each call a process of its own without a terminal.

It never looks into the store; tests ask the commands.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TASKS = '''
"""User code of the tests."""


def greet(name="world"):
    return name


def clean(hours):
    return hours


class NotATask:
    value = 3
'''
SETTINGS = 'task_modules = ["jobs.*", "broken.*", "quits.*", "absent.*"]\n'


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)


@dataclass
class CliProject:
    """A folder with settings and user code; `env` is added to that of its processes."""

    folder: Path
    settings: str = SETTINGS
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write("celsched.toml", self.settings)
        self.write("jobs.py", TASKS)

    def write(self, name: str, text: str) -> str:
        """Write a file of the project; return its name."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def run(self, *words: str, stdin: str = "") -> Ended:
        """Call the command line; a traceback is never an answer."""
        done = subprocess.run(
            [sys.executable, "-m", "celsched", *words],
            cwd=self.folder,
            env={**os.environ, **self.env},
            input=stdin.encode(),
            capture_output=True,
            timeout=60,
        )
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ended.err, ended.err
        assert ended.code != 70, ended.err
        return ended

    def done(self, *words: str, stdin: str = "") -> str:
        """Call the command line, which must succeed; return what it wrote."""
        ended = self.run(*words, stdin=stdin)
        assert ended.code == 0, f"{words}: {ended.err}{ended.out}"
        return ended.out
