"""A full disk below PostgreSQL: below its tables, where statements fail, and below its log, where it falls over.

It judges by what the bodies wrote down, on another disk, and by the ledger.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from celsched.errors import StoreFull
from tests.scenarios.at_work import at_work, nothing_began_unclaimed, under_way
from tests.scenarios.fire_times import PATIENCE, begun, rows_of
from tests.scenarios.small_disk import SmallDisk, small_disk
from tests.support.project import Ended, Project
from tests.support.services import PostgresServer
from tests.support.waiting import wait_until

FULL_FOR = 6.0
"""Seconds, two leases."""


def _asked(server: PostgresServer, question: str) -> str:
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return str(row[0])


def _data(server: PostgresServer) -> Path:
    return Path(_asked(server, "SHOW data_directory"))


def _owner(server: PostgresServer) -> int:
    return _data(server).stat().st_uid


@pytest.fixture
def disk(server: PostgresServer) -> Iterator[SmallDisk]:
    """A small disk that the user of the server may write."""
    folder = Path(tempfile.mkdtemp(prefix="celsched-disk-"))
    folder.chmod(0o711)
    try:
        with small_disk(folder / "disk", 64) as made:
            shutil.chown(made.folder, _owner(server))
            yield made
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    made = PostgresServer(tmp_path)
    made.start()
    yield made
    made.stop("immediate")


def take_all_room(project: Project, taken: dict[int, str]) -> None:
    """Ask for executions that need much room, then for small ones, until they are refused; what was taken joins."""
    for size in (1500, 0):
        with suppress(StoreFull):
            while len(taken) < 5000:
                name = f"{len(taken)} {'x' * size}"
                taken[project.ask("greet", name=name)] = name
            raise AssertionError("the disk is not full")


def refused_by_the_shell(project: Project, taken: dict[int, str]) -> Ended:
    """Ask with the command until it is refused; those that it took join `taken`: a vacuum frees a page now and then."""
    while len(taken) < 5000:
        name = f"{len(taken)} {'x' * 1500}"
        ended = project.run("run-now", "greet", "--param", f"name={name}")
        if ended.code != 0:
            assert ended.code == 6, ended
            return ended
        taken[int(ended.out.removeprefix("execution\t"))] = name
    raise AssertionError("the disk is not full")


def test_tables_on_a_full_disk_start_nothing_and_catch_up(
    tmp_path: Path, server: PostgresServer, disk: SmallDisk
) -> None:
    server.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(disk.folder))))
    database = server.create_database("full")
    server.execute(sql.SQL("ALTER DATABASE {} SET TABLESPACE small").format(sql.Identifier("full")))
    with at_work(tmp_path, settings=f'database_url = "{database}"\n') as project:
        (daemon,) = project.daemons
        before = under_way(project)
        disk.fill()
        full_since = time.monotonic()
        taken: dict[int, str] = {}

        def told() -> bool:
            # Again and again: what ends frees a place for a small row, and the daemon needs one a second.
            take_all_room(project, taken)
            return "is full" in daemon.err

        wait_until(told, timeout=PATIENCE, message="the daemon says that the disk is full")
        refused = refused_by_the_shell(project, taken)
        assert "the disk of the store postgresql" in refused.err
        assert "/full is full" in refused.err
        wait_until(lambda: time.monotonic() > full_since + FULL_FOR, timeout=PATIENCE, message="full for two leases")
        nothing_began_unclaimed(project)
        fires = len(rows_of(project, "each second"))
        disk.make_room()
        wait_until(lambda: len(rows_of(project, "each second")) > fires + 4, timeout=PATIENCE, message="it goes on")
        before.asked.update(taken)
        before.ends_well()
        assert {note["name"] for note in project.notes()} <= {"warm", "long", "each-second", *taken.values()}
        said = [line for line in daemon.err.splitlines() if " info " not in line]
        assert not [line for line in said if "psycopg.Pipeline" in line], "the driver speaks beside us"
        assert len(said) < 60, "\n".join(said)


def test_a_server_that_falls_over_a_full_disk_and_comes_back_has_lost_nothing(
    tmp_path: Path, server: PostgresServer, disk: SmallDisk
) -> None:
    data = _data(server)
    server.stop()
    log = Path(shutil.move(data / "pg_wal", disk.folder / "pg_wal"))
    for path in (log, *log.rglob("*")):
        shutil.chown(path, data.stat().st_uid)
    (data / "pg_wal").symlink_to(disk.folder / "pg_wal")
    server.start()
    database = server.create_database("full")
    with at_work(tmp_path, settings=f'database_url = "{database}"\n') as project:
        before = under_way(project, asked=3)
        disk.fill()
        full_since = time.monotonic()

        def fallen() -> bool:
            with suppress(psycopg.OperationalError):
                _asked(server, "SELECT pg_logical_emit_message(true, 'full', 'x')")
                _asked(server, "SELECT pg_switch_wal()")
            return not server.running()

        wait_until(fallen, timeout=PATIENCE, message="it cannot write its log, nor recover without")
        assert "No space left on device" in server.log.read_text()
        refused = project.run("run-now", "greet", "--param", "name=refused")
        assert refused.code == 6, refused
        assert "does not answer" in refused.err
        wait_until(lambda: time.monotonic() > full_since + FULL_FOR, timeout=PATIENCE, message="full for two leases")
        with pytest.raises(AssertionError, match="ended at once"):
            server.start()
        disk.make_room()
        server.start()  # as its service manager would
        before.ends_well()
        assert begun(project, "refused") == []
