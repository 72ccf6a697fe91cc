"""A full disk below PostgreSQL: below its tables, where statements fail, and below its log, where it falls over.

It judges by what the bodies wrote down, on another disk, and by the ledger.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from celsched.domain.execution import State
from celsched.errors import StoreFull
from tests.scenarios.fire_times import PATIENCE, all_live, begun, each_ran_once, rows_of
from tests.scenarios.small_disk import SmallDisk, small_disk
from tests.support.project import TASKS, Ended, Project, project_in
from tests.support.services import PostgresServer
from tests.support.waiting import wait_until

SETTINGS = """
database_url = "{database}"
heartbeat = "500ms"
lease = "3s"
republish = "1s"
drain = "2s"
kill_grace = "300ms"
"""
MANIFEST = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  until: {task_path: jobs.until}
schedules:
  each second: {task: greet, every: 1s, overlap: allow, params: {name: each-second}}
"""
UNTIL = """

def until(name: str) -> None:
    note("begin", name)
    while not (HERE / f"{name}.may-end").exists():
        time.sleep(0.05)
    note("end", name)
"""
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


@contextmanager
def at_work(folder: Path, database: str) -> Iterator[Project]:
    """A daemon with its embedded worker on a PostgreSQL database."""
    with project_in(folder, extra_settings=SETTINGS.format(database=database)) as project:
        project.write("jobs.py", TASKS.read_text() + UNTIL)
        project.upgrade()
        project.apply(MANIFEST)
        project.start("run")
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED, timeout=PATIENCE)
        yield project


def ask_until_refused(project: Project) -> dict[int, str]:
    """Ask for executions that need much room; return those that were taken, since there were pages already."""
    taken: dict[int, str] = {}
    while len(taken) < 5000:
        name = f"{len(taken)} {'x' * 1500}"
        try:
            taken[project.ask("greet", name=name)] = name
        except StoreFull:
            return taken
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
    with at_work(tmp_path, database) as project:
        (daemon,) = project.daemons
        long = project.ask("until", name="long")
        project.wait_for_note("long", timeout=PATIENCE)
        disk.fill()
        full_since = time.monotonic()
        taken = ask_until_refused(project)
        wait_until(lambda: "is full" in daemon.err, timeout=PATIENCE, message="the daemon says that the disk is full")
        refused = refused_by_the_shell(project, taken)
        assert "the disk of the store postgresql" in refused.err
        assert "/full is full" in refused.err
        wait_until(lambda: time.monotonic() > full_since + FULL_FOR, timeout=PATIENCE, message="full for two leases")
        started = {note["execution"] for note in project.notes() if note["event"] == "begin"}
        claimed = {row["id"] for row in project.json("executions", "--limit", "10000") if row["started_at"] is not None}
        assert started <= claimed, "a body began whose claim is not in the store"
        fires = len(rows_of(project, "each second"))
        disk.make_room()
        wait_until(lambda: len(rows_of(project, "each second")) > fires + 4, timeout=PATIENCE, message="it goes on")
        (project.folder / "long.may-end").touch()
        assert project.wait_for(long, State.SUCCEEDED, timeout=PATIENCE).attempt == 1
        assert begun(project, "long") == [1]
        for execution_id, name in taken.items():
            project.wait_for(execution_id, State.SUCCEEDED, timeout=PATIENCE)
            assert begun(project, name) == [1]
        assert {note["name"] for note in project.notes()} <= {"warm", "long", "each-second", *taken.values()}
        each_ran_once(project, "each second", name="each-second")
        all_live(project)
        assert "embedded worker ended" not in daemon.err
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
    with at_work(tmp_path, server.create_database("full")) as project:
        (daemon,) = project.daemons
        long = project.ask("until", name="long")
        project.wait_for_note("long", timeout=PATIENCE)
        asked = [project.ask("greet", name=f"before {number}") for number in range(3)]
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
        (project.folder / "long.may-end").touch()
        assert project.wait_for(long, State.SUCCEEDED, timeout=PATIENCE).attempt == 1
        assert begun(project, "long") == [1]
        for number, execution_id in enumerate(asked):
            project.wait_for(execution_id, State.SUCCEEDED, timeout=PATIENCE)
            assert begun(project, f"before {number}") == [1]
        each_ran_once(project, "each second", name="each-second")
        all_live(project)
        assert begun(project, "refused") == []
        assert "embedded worker ended" not in daemon.err
