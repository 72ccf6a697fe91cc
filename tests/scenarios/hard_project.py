"""Owns the installation of body scenarios: a project whose tasks resist, crash and multiply; and their processes.

It starts nothing by itself, but gives a test the daemon that runs, or a new one where it was killed.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from celsched.domain.execution import State
from tests.support.project import Daemon, Project, project_in
from tests.support.waiting import wait_until

JOBS = Path(__file__).with_name("hard_jobs.py")
TIMES = 'heartbeat = "500ms"\nrepublish = "2s"\nkill_grace = "1s"\n'
TASKS = """
version: 1
defaults: {max_retries: 0, retry: {delay: 0s, factor: 1, jitter: false}}
tasks:
  hello: {task_path: jobs.hello}
  nap: {task_path: jobs.naps}
  frozen: {task_path: jobs.frozen}
  frozen again: {task_path: jobs.frozen, retry_on_lost: 1}
  swallows: {task_path: jobs.swallows}
  pipeline: {task_path: jobs.pipeline}
  pipeline thrice: {task_path: jobs.pipeline, retry_on_lost: 2}
  segfaults: {task_path: jobs.segfaults}
  exits: {task_path: jobs.exits}
  over its limit: {task_path: jobs.over_its_limit}
  poison: {task_path: jobs.kills_itself, retry_on_lost: 2, max_retries: 3}
"""
PROCESSES = 5
"""How many processes `jobs.pipeline` starts."""


@contextlib.contextmanager
def hard_project(
    folder: Path, *, lease: str = "20s", drain: str = "1s", settings: str = "", tasks: str = ""
) -> Iterator[Project]:
    """Make the project and define its tasks; `tasks` are lines of YAML beside those above.

    A lease that no test waits for is long: on a loaded machine a worker may be silent for a while.
    """
    with project_in(folder, extra_settings=f'{TIMES}lease = "{lease}"\ndrain = "{drain}"\n{settings}') as project:
        project.write("hard_jobs.py", JOBS.read_text())
        with (folder / "jobs.py").open("a") as jobs:
            jobs.write("\n\nfrom hard_jobs import *  # noqa\n")
        project.apply(TASKS + tasks)
        yield project


def daemon_of(project: Project, *words: str) -> Daemon:
    """Return the newest daemon if it runs, else a new one that has already run something."""
    if project.daemons and project.daemons[-1].process.poll() is None:
        return project.daemons[-1]
    daemon = project.start("run", *words)
    serves(project)
    return daemon


def serves(project: Project) -> None:
    """Whoever serves the queues takes the next execution."""
    project.wait_for(project.ask("hello"), State.SUCCEEDED, timeout=60)


def pids_of(project: Project, name: str, attempt: int = 1) -> list[int]:
    """Return all processes of a pipeline once all of them run, without the pool's child."""

    def there() -> Sequence[str]:
        with contextlib.suppress(OSError):
            found = (project.folder / f"{name}.{attempt}.pids").read_text().split()
            return found if len(found) == PROCESSES else []
        return []

    return [int(pid) for pid in wait_until(there, timeout=60, message=f"all processes of {name} run")]
