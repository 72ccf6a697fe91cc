"""Owns what is at work when a scenario breaks something below it: short times, a schedule each second, a warm daemon.

It never breaks anything, and of what it has seen it judges only what holds whatever was broken.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from celsched.domain.execution import State
from tests.scenarios.fire_times import PATIENCE, all_live, begun, each_ran_once
from tests.support.project import Project, project_in

TASKS = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  until: {task_path: jobs.until}
  flood: {task_path: jobs.floods}
"""
EACH_SECOND = """
schedules:
  each second: {task: greet, every: 1s, overlap: allow, params: {name: each-second}}
"""


@contextmanager
def at_work(
    folder: Path,
    manifest: str = TASKS + EACH_SECOND,
    *,
    settings: str = "",
    lease: str = "3s",
    bodies: str = "",
    daemons: int = 1,
    env: Mapping[str, str] | None = None,
) -> Iterator[Project]:
    """A project whose daemons, each with its embedded worker, have run a task; `bodies` is more of its code."""
    short = f'heartbeat = "500ms"\nlease = "{lease}"\nrepublish = "1s"\ndrain = "2s"\nkill_grace = "300ms"\n'
    with project_in(folder, extra_settings=short + settings) as project:
        with (folder / "jobs.py").open("a") as code:
            code.write(bodies)
        project.upgrade()
        project.apply(manifest)
        for _ in range(daemons):
            project.start("run", env=env)
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED, timeout=PATIENCE)
        yield project


@dataclass
class UnderWay:
    """A body that has begun, and what was `asked` for by name just before something breaks."""

    project: Project
    long: int
    asked: dict[int, str]

    def ends_well(self) -> None:
        """Check that all of it, and each fire time, ran once and succeeded, and that no process fell over it."""
        project = self.project
        (project.folder / "long.may-end").touch()
        assert project.wait_for(self.long, State.SUCCEEDED, timeout=PATIENCE).attempt == 1
        assert begun(project, "long") == [1]
        for execution_id, name in self.asked.items():
            project.wait_for(execution_id, State.SUCCEEDED, timeout=PATIENCE)
            assert begun(project, name) == [1]
        goes_on(project)


def under_way(project: Project, asked: int = 0) -> UnderWay:
    """Let a body begin that goes on until `ends_well`, and ask for some more."""
    long = project.ask("until", name="long")
    project.wait_for_note("long", timeout=PATIENCE)
    names = [f"before {number}" for number in range(asked)]
    return UnderWay(project, long, {project.ask("greet", name=name): name for name in names})


def goes_on(project: Project) -> None:
    """Check that each fire time up to now ran once and succeeded, and that no process fell over anything."""
    each_ran_once(project, "each second", name="each-second")
    all_live(project)
    for daemon in project.daemons:
        assert "embedded worker ended" not in daemon.err


def nothing_began_unclaimed(project: Project) -> None:
    """Check that the claim of each body that began so far is in the store."""
    started = {note["execution"] for note in project.notes() if note["event"] == "begin"}
    rows = project.json("executions", "--limit", "10000")
    claimed = {row["id"] for row in rows if row["started_at"] is not None}
    assert started <= claimed, "a body began whose claim is not in the store"
