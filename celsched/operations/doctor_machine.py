"""Checks this machine: who may read the data, room on the disk, time zone data, installed extras. It mends nothing."""

import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from celsched.notify.choose import needs_apprise
from celsched.operations.checkup import Found, failed, listed, passed, skipped, warned
from celsched.settings import Settings
from celsched.timing.zone_data import ZoneData, differing

_MIB, _GIB = 1024**2, 1024**3
LEAST_SPACE, LITTLE_SPACE = 100 * _MIB, 1024 * _MIB
_SQLITE = "sqlite:///"


def private(settings: Settings) -> Found:
    """Check that others on this machine cannot read what is stored: parameters, results and logs are in it."""
    places = [path for path in _places(settings) if path.exists()]
    if not places:
        return skipped(f"{settings.data_folder} does not exist yet")
    open_to_others = [path for path in places if _others_read(path)]
    if open_to_others:
        path = open_to_others[0]
        mode = "700" if path.is_dir() else "600"
        seen = f"{path} can be read by every user of this machine (mode {stat.S_IMODE(path.stat().st_mode):04o})"
        return failed(seen, f"chmod {mode} {shlex.quote(str(path))}")
    return passed(f"{places[0]} is closed to other users")


def _others_read(path: Path) -> bool:
    mode = path.stat().st_mode
    if path.is_dir():
        return bool(mode & (stat.S_IROTH | stat.S_IXOTH))
    return bool(mode & stat.S_IROTH) and bool(path.parent.stat().st_mode & stat.S_IXOTH)


def _places(settings: Settings) -> Iterator[Path]:
    yield settings.data_folder
    url = settings.database_url.reveal()
    if url.startswith(_SQLITE):
        yield Path(url.removeprefix(_SQLITE).partition("?")[0])


def space(settings: Settings) -> Found:
    """Check the room on the disks of the data folder and of an SQLite store."""
    rooms = []
    for place in _places(settings):
        there = next(path for path in (place, *place.parents) if path.exists())
        numbers = os.statvfs(there)
        rooms.append((numbers.f_bavail * numbers.f_frsize, there))
    return judged_space(*min(rooms))


def judged_space(free: int, place: Path) -> Found:
    """Return what so many free bytes mean."""
    room = f"{free / _GIB:.1f} GiB" if free >= _GIB else f"{free // _MIB} MiB"
    seen = f"{room} free at {place}"
    if free < LEAST_SPACE:
        return failed(f"{seen}; a full disk stops every commit", "celsched purge")
    return warned(seen, "celsched purge") if free < LITTLE_SPACE else passed(seen)


def zones(keys: Iterable[str], data: ZoneData, now: datetime) -> Found:
    """Check which time zone data is used, and that the system's and the package's agree about zones in use."""
    system = f"{data.system} ({data.system_edition or 'edition unknown'})" if data.system else None
    package = f"the package tzdata ({data.package_edition})" if data.package_edition else None
    if system is None:
        if package is None:
            return failed("there is no time zone data", "pip install tzdata")
        return passed(f"zones come from {package}; the system has none")
    other = differing(sorted(set(keys)), data, now)
    if other:
        return warned(
            f"{system} and {package} differ about {listed(other)}; the system's are used", "pip install -U tzdata"
        )
    return passed(f"zones come from {system}" + (f"; {package} agrees about those in use" if package else ""))


def extras(settings: Settings) -> Found:
    """Check that what the settings name is installed."""
    wanted = [
        ("postgres", "psycopg", "database_url", settings.database_url.reveal().startswith("postgres")),
        ("alerts", "apprise", "notify", any(needs_apprise(one.url.reveal(), one.command) for one in settings.notify)),
    ]
    needed = [row for row in wanted if row[3]]
    missing = [row for row in needed if find_spec(row[1]) is None]
    if missing:
        names = ",".join(extra for extra, *_ in missing)
        keys = " and ".join(f"`{key}`" for _, _, key, _ in missing)
        return failed(f"{keys} needs the extra {names}, which is not installed", f"pip install 'celsched[{names}]'")
    if find_spec("prometheus_client") is None:
        return passed("nothing is missing; --metrics would need the extra metrics")
    return passed("nothing that the settings name is missing")
