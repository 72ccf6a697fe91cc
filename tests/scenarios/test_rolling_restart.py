"""A rolling restart to a version with another schema, one process after the other, while schedules and people go on.

The next version is a copy of this one with one more migration. It judges by what bodies of both versions wrote down.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from celsched.domain.execution import TERMINAL, Execution, State
from celsched.operations import control
from celsched.store.migrate import HEAD
from tests.scenarios.fire_times import all_live, covered, rows_of
from tests.scenarios.machines import Fleet
from tests.support.executions import attempts_of
from tests.support.factories import scope_of
from tests.support.waiting import wait_until

SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "20s"
republish = "1s"
drain = "10s"
kill_grace = "300ms"
"""
MANIFEST = """
version: 1
defaults: {max_retries: 0, queue_name: default, retry: {delay: 100ms, factor: 1, jitter: false}}
tasks:
  greet: {task_path: jobs.hello}
  unsteady: {task_path: jobs.unsteady, max_retries: 3}
  short nap: {task_path: jobs.naps, default_params: {seconds: 0.3}}
schedules:
  each second: {task: greet, every: 1s, overlap: allow, params: {name: each-second}}
  one by one: {task: short nap, every: 1s, overlap: queue_one, params: {name: one-by-one}}
"""
NEXT = "0999"
MIGRATION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.add_column("executions", sa.Column("note_of_the_next_version", sa.Text(), nullable=True))
    op.add_column("schedule_states", sa.Column("note_of_the_next_version", sa.Text(), nullable=True))
"""
WAIT = 90.0


@pytest.fixture
def fleet(tmp_path: Path, postgres_url: str, redis_url: str) -> Iterator[Fleet]:
    """Two folders: this version, with two daemons and two workers, and the next one, of which nothing runs yet."""
    found = Fleet(tmp_path, None, ("old", "new"), SETTINGS.format(database=postgres_url, broker=redis_url))
    try:
        _make_next(found["new"].folder / "celsched" / "store")
        found["old"].upgrade()
        found["old"].apply(MANIFEST)
        for words in (["run"], ["run"], ["worker", "-c", "2", "-n", "one"], ["worker", "-c", "2", "-n", "two"]):
            found["old"].start(*words)
        yield found
    finally:
        found.close()


def _make_next(store: Path) -> None:
    (store / "migrations" / "versions" / f"{NEXT}_next.py").write_text(MIGRATION)
    versions = store / "migrate.py"
    before = versions.read_text()
    after = re.sub(r"^VERSIONS = \((.*)\)$", rf'VERSIONS = (\1, "{NEXT}")', before, flags=re.MULTILINE)
    assert after != before
    versions.write_text(after.replace(",,", ","))


def test_a_rolling_restart_with_a_migration_under_load(fleet: Fleet) -> None:
    old, new = fleet["old"], fleet["new"]
    asked: list[int] = []
    _goes_on(fleet, asked)
    upgraded = new.done("db", "upgrade")
    assert f"{HEAD} -> {NEXT}" in upgraded.out
    _goes_on(fleet, asked)  # the old processes, which run, do not mind a column more

    refused, look = old.start("run"), old.start("schedules")
    assert refused.wait(WAIT) == 78
    assert f"has schema {NEXT}, newer than this celsched" in refused.err
    assert look.wait(WAIT) == 78
    del old.daemons[-2:]
    daemon, worker = ["run"], ["worker", "-c", "2"]
    for leaving, words in zip((old.daemons[n] for n in (0, 2, 1, 3)), (daemon, worker, daemon, worker), strict=True):
        assert leaving.stop(timeout=60) == 0
        assert "Traceback" not in leaving.err
        new.start(*words)
        _goes_on(fleet, asked)
    all_live(new)
    assert all(daemon.process.poll() == 0 for daemon in old.daemons)
    _judge(fleet, asked)


def _goes_on(fleet: Fleet, asked: list[int]) -> None:
    """People ask, and they and one more fire time are served."""
    store = fleet["old"].store  # opened when the schema was the old one, as the old processes did
    now = store.clock.now()
    asked += [fleet["old"].ask(name, name=name) for name in ("greet", "unsteady", "short nap")]

    def served() -> bool:
        rows = [row for row in rows_of(fleet["old"], "each second") if row.due_at > now]
        return any(row.state is State.SUCCEEDED for row in rows)

    wait_until(served, timeout=WAIT, every=0.1, message=f"a fire time ran\n{said(fleet)}")
    for one in asked:
        fleet["old"].wait_for(one, State.SUCCEEDED, timeout=WAIT)


def _judge(fleet: Fleet, asked: list[int]) -> None:
    fleet["new"].done("delete", "schedule", "each second", "--yes")
    control.delete_schedule(scope_of(fleet["old"].store), "one by one")
    rows = {name: _ended(fleet, name) for name in ("each second", "one by one")}
    notes = {name: fleet.notes(name) for name in ("each-second", "one-by-one", "greet", "unsteady", "short nap")}
    begun = Counter((one["execution"], one["attempt"]) for many in notes.values() for one in many if _begins(one))
    assert set(begun.values()) == {1}, "I2"
    for name, found in rows.items():
        times = covered(found)
        assert times == [times[0] + timedelta(seconds=number) for number in range(len(times))], "I1"
        for row in found:
            assert row.state in {State.SUCCEEDED, State.CANCELLED, State.SKIPPED}, row
            assert (begun[row.id, 1] == 1) is (row.state is State.SUCCEEDED), f"I6: {name} {row}"
    for one in asked:
        tries = attempts_of(fleet["old"].store, one)
        assert [(one, number) in begun for number in range(1, len(tries) + 2)] == [True] * len(tries) + [False]
        assert len(tries) in {1, 3}, "I3"
    events = [note["event"] for note in notes["one-by-one"]]
    assert events == ["begin", "end"] * (len(events) // 2), "I4"


def said(fleet: Fleet) -> str:
    """Return what the processes of both versions said."""
    return fleet["old"].said() + fleet["new"].said()


def _begins(note: dict[str, object]) -> bool:
    return note["event"] == "begin"


def _ended(fleet: Fleet, name: str) -> list[Execution]:
    def there() -> list[Execution]:
        rows = rows_of(fleet["old"], name)
        return rows if all(row.state in TERMINAL for row in rows) else []

    return wait_until(there, timeout=WAIT, every=0.1, message=f"all of {name} has ended")
