"""Owns which time zone data is in force: where zones come from, of which edition, and where two sources differ.

It never chooses between them; Python takes the system's files first, and the package `tzdata` where there are none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

_AHEAD = timedelta(days=3 * 366)
_STEP = timedelta(hours=6)
_EDITION = re.compile(r"# version (\w+)")


@dataclass(frozen=True, slots=True)
class ZoneData:
    """What is installed. `system` is the folder that Python reads first, None where there is none."""

    system: Path | None
    system_edition: str | None
    package_edition: str | None


def zone_data(path: Iterable[str] = TZPATH) -> ZoneData:
    """Return which time zone data this process uses, given the folders that Python looks into."""
    system = next((Path(folder) for folder in path if (Path(folder) / "UTC").exists()), None)
    return ZoneData(system, _edition(system) if system else None, _package())


def differing(keys: Iterable[str], data: ZoneData, now: datetime) -> list[str]:
    """Return the zones whose clock differs between the system's files and the package within the next three years."""
    if data.system is None or data.package_edition is None:
        return []
    return [key for key in keys if _differs(key, data.system, now)]


def _differs(key: str, system: Path, now: datetime) -> bool:
    try:
        with (system / key).open("rb") as one, resources.files("tzdata").joinpath("zoneinfo", key).open("rb") as other:
            first, second = ZoneInfo.from_file(one), ZoneInfo.from_file(other)
    except (OSError, ValueError):
        return False  # one of them does not know it: nothing to compare
    return any(_offset(first, moment) != _offset(second, moment) for moment in _moments(now))


def _moments(now: datetime) -> Iterable[datetime]:
    start = now.astimezone(UTC)
    return (start + number * _STEP for number in range(_AHEAD // _STEP))


def _offset(zone: tzinfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _edition(folder: Path) -> str | None:
    """Return the edition that the system's own list names; many systems leave that list out."""
    for name, pattern in (("tzdata.zi", _EDITION), ("+VERSION", re.compile(r"(\w+)"))):
        try:
            with (folder / name).open(encoding="ascii", errors="replace") as lines:
                found = pattern.match(lines.readline())
        except OSError:
            continue
        if found:
            return found[1]
    return None


def _package() -> str | None:
    try:
        number = version("tzdata")  # 2026.2 is the edition 2026b
    except PackageNotFoundError:
        return None
    year, _, letter = number.partition(".")
    return f"{year}{chr(ord('a') + int(letter) - 1)}" if letter.isdecimal() and 0 < int(letter) < 27 else number
