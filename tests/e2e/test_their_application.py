"""Somebody's own Celery application that calls `celsched.install`: `execute_task.delay` as they write it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from celsched.domain.execution import Cause, Execution, State
from celsched.store import requests
from tests.support.executions import attempts_of, execution_of
from tests.support.project import Daemon, Project, project_in
from tests.support.services import RedisServer
from tests.support.waiting import wait_until

APP = """
from celery import Celery
import celsched
app = Celery("shop", broker={broker!r})
app.conf.task_ignore_result = True
celsched.install(app)
from celsched.tasks import execute_task
"""
FILES_TASKS = """
from pathlib import Path

def cleanup_temp_files(hours):
    with (Path(__file__).parent.parent / "ran.txt").open("a") as file:
        file.write(f"{hours}\\n")
    return {"hours": hours}

def for_them(hours):
    return {"hours": hours}

def never_defined():
    raise SystemExit("it ran")
"""
MANIFEST = """
version: 1
tasks:
  cleanup: {task_path: files.tasks.cleanup_temp_files, default_params: {hours: 1}, queue_name: maintenance}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Project]:
    """A project whose Celery application has a worker on a Redis database of its own."""
    broker = redis_server.url.replace("/0", "/3")
    with project_in(tmp_path_factory.mktemp("shop")) as project:
        project.write("celsched.toml", f'task_modules = ["files.tasks.*"]\nbroker_url = "{broker}"\n')
        (project.folder / "files").mkdir()
        project.write("files/__init__.py", "")
        project.write("files/tasks.py", FILES_TASKS)
        project.write("shop.py", APP.format(broker=broker))
        project.apply(MANIFEST)
        _start(project, ["-A", "shop", "worker", "-c", "1", "-Q", "scheduler", "-l", "INFO"])
        yield project


def _start(project: Project, words: Sequence[str]) -> None:
    out, err = project.folder / "theirs.out", project.folder / "theirs.err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", *words],
            cwd=project.folder,
            env=os.environ,
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
        )
    project.daemons.append(Daemon(process, out, err))


def delay(project: Project, arguments: str) -> None:
    # What Celery will not take any longer one day is an error in the tests of whoever asks for that.
    strict = "import warnings; warnings.simplefilter('error', DeprecationWarning)"
    code = f"{strict}; from shop import execute_task; execute_task.delay({arguments})"
    subprocess.run([sys.executable, "-c", code], cwd=project.folder, check=True, timeout=30)


def ended(project: Project, request_id: str) -> Execution:
    found = wait_until(
        lambda: project.store.read(lambda tx: requests.find(tx, request_id)), timeout=20, message="it is recorded"
    )
    return project.wait_for(found or 0, State.SUCCEEDED)


def test_the_same_request_twice_is_recorded_and_run_once(shop: Project) -> None:
    call = "execution_id='abc', task_path='files.tasks.cleanup_temp_files', params={'hours': 24}"
    delay(shop, call)
    first = ended(shop, "abc")
    assert (first.cause, first.result, first.task) == (Cause.MANUAL, {"hours": 24}, "cleanup")
    delay(shop, call)
    wait_until(lambda: "is not run again" in shop.daemons[0].err, message="the second is refused")
    assert (shop.folder / "ran.txt").read_text().splitlines().count("24") == 1
    assert len(attempts_of(shop.store, first.id)) == 1


def test_an_execution_of_ours_by_its_number(shop: Project) -> None:
    one = shop.ask("cleanup", hours=7)
    delay(shop, f"execution_id={one}")
    assert shop.wait_for(one, State.SUCCEEDED).result == {"hours": 7}


def test_a_path_that_no_task_has_is_refused(shop: Project) -> None:
    delay(shop, "execution_id='def', task_path='files.tasks.never_defined'")
    wait_until(lambda: "no task is defined with the task path" in shop.daemons[0].err, timeout=20, message="it says so")
    assert shop.store.read(lambda tx: requests.find(tx, "def")) is None
    assert "it ran" not in shop.daemons[0].err


def test_params_that_do_not_fit_are_refused(shop: Project) -> None:
    delay(shop, "execution_id='ghi', task_path='files.tasks.cleanup_temp_files', params={'days': 1}")
    wait_until(lambda: "`days`" in shop.daemons[0].err, timeout=20, message="it names the parameter")
    assert shop.store.read(lambda tx: requests.find(tx, "ghi")) is None


def test_the_daemon_of_the_project_dispatches_to_their_worker_too(shop: Project) -> None:
    shop.done("define", "for them", "--task-path", "files.tasks.for_them", "--queue", "scheduler")
    daemon = shop.start("run")
    one = shop.ask("for them", hours=99)
    assert shop.wait_for(one, State.SUCCEEDED).result == {"hours": 99}
    assert daemon.stop() == 0
    assert execution_of(shop.store, one).worker is not None
