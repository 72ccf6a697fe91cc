"""Owns how folders of the embedded broker are made: closed to other users. It never changes one that is there."""

from pathlib import Path


def make_private(folder: Path) -> None:
    """Make `folder` and what is missing above it, each with mode 0700.

    `mkdir(parents=True)` would give the mode to the last alone, and the data folder is one of those above.

    Raises:
        OSError: the file system refuses, or a file is in the way.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
