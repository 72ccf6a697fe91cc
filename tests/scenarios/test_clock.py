"""Clocks that jump an hour either way or drift, on the daemon, the worker, or both: nothing lost, doubled or delayed.

It judges by what the bodies wrote down, and measures by no clock that it turns.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from celsched.domain.execution import Execution, State
from celsched.operations.requests import RunNow, run_now
from celsched.store.store import open_store
from tests.scenarios.fire_times import all_live, begun, covered, each_ran_once, rows_of
from tests.support.executions import attempts_of, execution_of
from tests.support.factories import scope_of
from tests.support.project import TASKS, Project, project_in
from tests.support.waiting import wait_until

# A lease judged by a clock would run out at a jump of an hour, however long it is; a loaded machine needs a long one.
SETTINGS = """
broker_url = "{broker}"
heartbeat = "500ms"
lease = "30s"
republish = "1s"
drain = "2s"
kill_grace = "300ms"
"""
RETRY = "retry: {delay: 100ms, factor: 1, jitter: false}"
MANIFEST = f"""
version: 1
defaults: {{max_retries: 0, queue_name: default}}
tasks:
  greet: {{task_path: jobs.hello}}
  healthy: {{task_path: jobs.until, retry_on_lost: 1, {RETRY}}}
  held: {{task_path: jobs.until}}
  fails once: {{task_path: jobs.until_then_fails, max_retries: 1, {RETRY}}}
schedules:
  each second: {{task: greet, every: 1s, overlap: allow, params: {{name: each-second}}}}
  line: {{task: held, every: 365d, overlap: queue_one}}
"""
# A body ends once there is a file, so that a test says what the clocks show when it begins and when it ends.
UNTIL = """

def until(name: str) -> str:
    note("begin", name)
    while not (HERE / f"{name}.may-end").exists():
        time.sleep(0.02)
    note("end", name)
    return name


def until_then_fails(name: str) -> str:
    until(name)
    if celsched.current().attempt == 1:
        raise ConnectionError("پاسخی نیامد")
    return name
"""
HOUR, WAIT = 3600.0, 60.0


class Clocks:
    """The clocks of daemon, worker and person as each of their processes reads them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, whose: str) -> Path:
        """Return the file with the offset."""
        return self._folder / f"clock.{whose}"

    def set(self, **offsets: float) -> None:
        """Turn these clocks to so many seconds from the true time, all others to the true time."""
        for whose in ("daemon", "worker", "person"):
            aside = self.file(f"{whose}.new")
            aside.write_text(str(offsets.get(whose, 0.0)))
            aside.replace(self.file(whose))

    def turn(self, seconds: float) -> None:
        """Turn the clock of the machine, which all read."""
        self.set(daemon=seconds, worker=seconds, person=seconds)


def _write(project: Project) -> None:
    project.write("jobs.py", TASKS.read_text() + UNTIL)


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    found = Clocks(tmp_path)
    found.set()
    return found


@pytest.fixture
def shop(tmp_path: Path, redis_url: str, clocks: Clocks) -> Iterator[Project]:
    """A daemon and a worker on SQLite, whose clock is the machine's; each can be shown another one."""
    with project_in(tmp_path, extra_settings=SETTINGS.format(broker=redis_url)) as project:
        _write(project)
        project.apply(MANIFEST)
        url = f"sqlite:///{next((tmp_path / '.celsched').glob('*.db'))}"
        project._store = open_store(url, clock_offset_file=clocks.file("person"))
        for whose, words in (("daemon", ["run"]), ("worker", ["worker", "-c", "6"])):
            project.start(*words, env={"CELSCHED_CLOCK_OFFSET_FILE": str(clocks.file(whose))})
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED, timeout=WAIT)
        yield project


def line_up(project: Project, name: str) -> int:
    """Ask for an execution of the schedule whose executions wait for each other."""
    return run_now(scope_of(project.store), RunNow("line", params={"name": name}))


def may_end(project: Project, name: str) -> None:
    """Let the bodies of this name end."""
    (project.folder / f"{name}.may-end").touch()


class Turn:
    """One turn of the clocks and the executions that live through it: asked for before, ended and begun after it."""

    def __init__(self, project: Project, number: int) -> None:
        self.project, self.number = project, number
        self.before = [project.ask(task, name=self.name(task)) for task in ("held", "fails once")]
        first, second = self.name("first"), self.name("second")
        self.before += [line_up(project, first)]
        for name in (self.name("held"), self.name("fails once"), first):
            project.wait_for_note(name, timeout=WAIT)
        self.before += [line_up(project, second)]
        assert execution_of(project.store, self.before[-1]).waits

    def name(self, what: str) -> str:
        """Return the name that a body of this turn notes."""
        return f"{what} {self.number}"

    def end(self) -> None:
        """Let everything end under the clocks as they are now; it must not take longer than on any other day."""
        asked = [*self.before, self.project.ask("greet", name=self.name("after"))]
        for what in ("held", "fails once", "first", "second"):
            may_end(self.project, self.name(what))
        for one in asked:
            self.project.wait_for(one, State.SUCCEEDED, timeout=WAIT)
        for what in ("held", "first", "second", "after"):
            assert begun(self.project, self.name(what)) == [1]
        assert begun(self.project, self.name("fails once")) == [1, 2]


def fired(project: Project) -> list[int]:
    """Return the executions of the schedule of each second that have succeeded."""
    return [row.id for row in rows_of(project, "each second") if row.state is State.SUCCEEDED]


def fires_go_on(project: Project) -> None:
    """Wait for two more fire times that ran."""
    before = len(fired(project))
    wait_until(lambda: len(fired(project)) >= before + 2, timeout=WAIT, every=0.1, message="two more fire times ran")


def test_jumps_and_drift_of_the_machine_the_daemon_or_the_worker(shop: Project, clocks: Clocks) -> None:
    healthy = shop.ask("healthy", name="healthy")
    shop.wait_for_note("healthy", timeout=WAIT)
    fires_go_on(shop)
    turns: list[dict[str, float]] = [
        {"daemon": HOUR, "worker": HOUR, "person": HOUR},
        {},
        {"daemon": -HOUR, "worker": -HOUR, "person": -HOUR},
        {"worker": HOUR},
        {"worker": -HOUR, "daemon": HOUR},
        {"daemon": -HOUR},
    ]
    for number, offsets in enumerate(turns):
        turn = Turn(shop, number)
        clocks.set(**offsets)
        if number == 0:
            fires_go_on(shop)
        turn.end()
    clocks.turn(HOUR + 60)  # beyond all that the daemon's clock has shown, where fire times go on
    fires_go_on(shop)
    for step in range(6):  # a drift of a second and a half, up and down again, between two that should agree
        clocks.set(daemon=HOUR + 60 + 0.5 * min(step, 6 - step), worker=HOUR + 60, person=HOUR + 60)
        shop.wait_for(shop.ask("greet", name="drift"), State.SUCCEEDED, timeout=WAIT)
    clocks.turn(HOUR + 60)
    fires_go_on(shop)

    assert shop.state(healthy) is State.RUNNING
    may_end(shop, "healthy")
    shop.wait_for(healthy, State.SUCCEEDED, timeout=WAIT)
    tries = attempts_of(shop.store, healthy)
    assert [one.state for one in tries] == [State.SUCCEEDED], f"no lease ran out: {tries}\n{shop.said()}"
    clocks.set()  # the next fire time is an hour away again
    _each_fire_time_once(shop)
    all_live(shop)


def _each_fire_time_once(project: Project) -> None:
    def settled() -> bool:
        return all(row.state in {State.SUCCEEDED, State.SKIPPED} for row in rows_of(project, "each second"))

    wait_until(settled, timeout=WAIT, every=0.1, message="whatever was recorded has ended")
    rows = rows_of(project, "each second")
    times = covered(rows)
    assert times == [times[0] + timedelta(seconds=number) for number in range(len(times))]
    assert len(times) > HOUR
    ran = Counter(note["execution"] for note in project.notes("each-second") if note["event"] == "begin")
    assert ran == Counter(row.id for row in rows if row.state is State.SUCCEEDED)
    twice = Counter((note["execution"], note["attempt"]) for note in project.notes() if note["event"] == "begin")
    assert set(twice.values()) == {1}


# A program whose machine has another time; there is nothing of ours in it that could know.
WRONG_MACHINE = """
import sys, time
from datetime import datetime
from pathlib import Path

import celsched.clock
from celsched.cli.app import main

OFFSET = Path("machine.clock")
true_time = time.time


class Wrong(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(time.time(), tz)


time.time = lambda: true_time() + float(OFFSET.read_text() or 0)
celsched.clock.datetime = Wrong
sys.exit(main())
"""


def test_on_postgresql_the_machines_clock_of_a_daemon_means_nothing(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    settings = f'database_url = "{postgres_url}"\n' + SETTINGS.format(broker=redis_url)
    with project_in(tmp_path, extra_settings=settings) as project:
        _write(project)
        project.write("wrong_machine.py", WRONG_MACHINE)
        clock = project.write("machine.clock", str(HOUR))
        project.upgrade()
        project.apply(MANIFEST)
        project.start("run", module="wrong_machine")
        project.start("worker", "-c", "4", module="wrong_machine")
        healthy = project.ask("healthy", name="healthy")
        project.wait_for_note("healthy", timeout=WAIT)
        for offset in (HOUR, -HOUR, 0.0):
            clock.write_text(str(offset))
            name = f"fails at {offset}"
            may_end(project, name)
            project.wait_for(project.ask("fails once", name=name), State.SUCCEEDED, timeout=WAIT)
            fires_go_on(project)
        may_end(project, "healthy")
        assert project.wait_for(healthy, State.SUCCEEDED, timeout=WAIT).attempt == 1
        rows = each_ran_once(project, "each second", name="each-second")
        _are_true_times(rows)
        all_live(project)


def _are_true_times(rows: list[Execution]) -> None:
    """The server's clock is the true one here, and so are the fire times, whatever the bodies' own clock said."""
    now = datetime.now(UTC)
    for row in rows:
        assert row.fire_time is not None
        assert now - timedelta(minutes=5) < row.fire_time <= now
        assert row.started_at is not None
        assert row.fire_time <= row.started_at < row.fire_time + timedelta(minutes=10), "late by load at most"
