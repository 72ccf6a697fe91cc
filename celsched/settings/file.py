"""Owns `celsched.toml`: where it is looked for, how it is read, and the line on which a key stands.

It never decides what a value means.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celsched.domain.names import suggestion
from celsched.errors import SettingsError
from celsched.settings.table import SETTINGS

FILE_NAME = "celsched.toml"
_SYSTEM = Path("/etc/celsched")
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A settings file as read: its absolute path, its values, and the line of each top-level key."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def place(self, key: str) -> str:
        """Return `path:line` of a key."""
        return f"{self.path}:{self.lines[key]}" if key in self.lines else str(self.path)


def find(named: str | os.PathLike[str] | None, source: str, env: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the settings file in force, or None: the one named (a folder means the file in it), else the first
    that exists in `cwd`, the user's and the system's configuration folder.

    Raises:
        SettingsError: one was named and does not exist.
    """
    if named is not None:
        path = cwd / Path(named).expanduser()
        path = path / FILE_NAME if path.is_dir() else path
        if not path.is_file():
            raise SettingsError(f"{source}: there is no settings file {path}", hint="`celsched init` writes one")
        return path.absolute()
    candidates = [cwd / FILE_NAME]
    home = env.get("HOME")
    user = env.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
    if user:
        candidates.append(Path(user) / "celsched" / FILE_NAME)
    candidates.append(_SYSTEM / FILE_NAME)
    return next((path.absolute() for path in candidates if path.is_file()), None)


def read(path: Path) -> SettingsFile:
    """Return what the file says.

    Raises:
        SettingsError: it cannot be read, is no TOML, or holds an unknown key; with its line and a near key.
    """
    try:
        content = path.read_bytes()
        if len(content) > _LARGEST:
            raise SettingsError(f"{path} is larger than {_LARGEST} bytes; that is no settings file")
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        values = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", hint='texts need quotes: key = "value"') from error
    except RecursionError as error:
        raise SettingsError(f"{path} is nested too deeply") from error
    found = SettingsFile(path, values, _lines(text))
    _refuse_unknown(found)
    return found


def _refuse_unknown(found: SettingsFile) -> None:
    written = [key for key, setting in SETTINGS.items() if not setting.hidden]
    unknown = [key for key in found.values if key not in written]
    if not unknown:
        return
    places = [f"{found.place(key)}: unknown setting `{key}`" for key in unknown]
    hint = suggestion(unknown[0], written) or f"known are {', '.join(written)}"
    raise SettingsError("\n".join(places), hint=hint)


def _lines(text: str) -> dict[str, int]:
    """Return the line of each top-level key: before the first table header, or in a header itself."""
    lines: dict[str, int] = {}
    inside_table = False
    for number, line in enumerate(text.split("\n"), start=1):
        header = re.match(r"\s*\[\[?\s*[\"']?([\w\-]+)", line)
        key = None if inside_table else re.match(r"\s*[\"']?([\w\-]+)[\"']?\s*[=.]", line)
        inside_table = inside_table or (header is not None and key is None and _is_header(line))
        found = key or (header if inside_table else None)
        if found:
            lines.setdefault(found[1], number)
    return lines


def _is_header(line: str) -> bool:
    return re.fullmatch(r"\s*\[\[?[^\[\]]+\]\]?\s*(#.*)?", line) is not None and "," not in line
