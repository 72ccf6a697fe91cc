"""Owns writing a page to a file so that nobody ever reads half of it. It never makes the page."""

import os
import tempfile
from pathlib import Path

from celsched.cli.context import CliContext
from celsched.errors import UsageError


def write_page(cli: CliContext, path: Path, text: str) -> None:
    """Write the text to the file, replacing it as a whole, or to standard output for `-`.

    Raises:
        UsageError: the file cannot be written.
    """
    if str(path) == "-":
        cli.stdout.write(text)
        return
    target = cli.cwd / path.expanduser()
    try:
        _replace(target, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another file") from error
    cli.say(f"wrote {path}")


def _replace(target: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(name, 0o644)  # mkstemp makes 0600, and a web server may be the reader
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
