"""Owns copies of the examples in a folder of their own, and the shell in which the documentation's commands run."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.readme import ROOT
from tests.support.waiting import wait_until

EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Shell:
    """Runs command lines in a folder as a reader of the documentation would type them."""

    folder: Path

    def run(self, script: str, *, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run the lines; the first one that fails ends them."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def environment() -> dict[str, str]:
    """Return the environment of a reader who has activated the virtual environment of these tests."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def copy_of(example: str, target: Path) -> Shell:
    """Return a shell in a copy of an example, without what running it has left behind."""
    folder = target / example
    shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns(".celsched", "__pycache__"))
    return Shell(folder)


@contextlib.contextmanager
def daemon(shell: Shell, command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a daemon's command line in the background until the block ends; it must then stop cleanly."""
    log = shell.folder / "daemon.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command.split(),
            cwd=shell.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            executable=shutil.which(command.split()[0], path=environment()["PATH"]),
        )
    try:
        wait_until(lambda: b"succeeded" in log.read_bytes(), timeout=30, message="the daemon's first success")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            ended = process.wait(45)
        finally:
            process.kill()
    assert ended == 0, log.read_text(errors="replace")
