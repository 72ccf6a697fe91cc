"""Owns whether an SQLite file is still the one that was opened. It never opens one.

Who has a file open goes on in it after it was removed: everything succeeds, and nobody else will ever see it.
"""

import os
import sqlite3

from sqlalchemy import URL
from sqlalchemy.exc import OperationalError


class SameFile:
    """Remembers which file lies at a path; of a database that is no file it says nothing."""

    def __init__(self, url: URL) -> None:
        self._path = url.database if url.get_backend_name() == "sqlite" else None
        self._opened: tuple[int, int] | None = None

    def remember(self) -> None:
        """From now on it must be the file that is there now."""
        self._opened = self._present()

    def check(self) -> None:
        """Raise OperationalError where the file that was there is gone, or another one has taken its place."""
        if self._opened is not None and self._present() != self._opened:
            said = "its file was removed or replaced while it was open"
            raise OperationalError("", None, sqlite3.OperationalError(said))

    def _present(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino
