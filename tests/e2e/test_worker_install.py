"""An application of its own that called `celsched.install`: `execute_task` in its workers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery

from celsched.domain.execution import Cause, State
from celsched.settings import subprocess_environment
from celsched.store import requests
from tests.e2e.worker_project import WorkerProject, worker_project
from tests.support.executions import add_execution, add_task, attempts_of, execution_of
from tests.support.waiting import wait_until

JOBS = Path(__file__).with_name("worker_jobs.py").read_text()
APP = """
import os
from celery import Celery
import celsched

app = Celery("theirs", broker=os.environ["THEIR_BROKER"])
if os.environ.get("THEIR_PREFIX"):
    app.conf.broker_transport_options = {"global_keyprefix": os.environ["THEIR_PREFIX"]}
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=True, task_acks_late=True)
if os.environ["INSTALL"] == "no":
    import celsched.tasks
else:
    celsched.install(app)
    celsched.install(app)

@app.task
def theirs(path):
    open(path, "w").write("ran")
"""


def start(
    project: WorkerProject, url: str, *, install: str = "yes", pool: str = "prefork", prefix: str | None = None
) -> None:
    (project.folder / "theirs.py").write_text(APP)
    environment = subprocess_environment(project.settings, os.environ)
    environment |= {"THEIR_BROKER": url, "INSTALL": install, "THEIR_PREFIX": prefix or ""}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "theirs",
        "worker",
        "-c",
        "1",
        "-P",
        pool,
        "-Q",
        "scheduler,celery",
    ]
    with (project.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "-l", "INFO"],
            cwd=project.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    project.workers.append(process)


@pytest.fixture
def project(tmp_path: Path, redis_url: str) -> Iterator[WorkerProject]:
    with worker_project(tmp_path, JOBS, broker_url=redis_url, kill_grace="300ms") as made:
        yield made


def send(url: str, **kwargs: object) -> None:
    with Celery("sender", broker=url) as app:
        app.send_task("celsched.tasks.execute_task", kwargs=kwargs, queue="scheduler", ignore_result=True)


def requested(project: WorkerProject, request_id: str) -> int:
    return (
        wait_until(
            lambda: project.store.read(lambda tx: requests.find(tx, request_id)), timeout=20, message="it is recorded"
        )
        or 0
    )


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_request_under_the_callers_id_is_recorded_once_and_run(
    project: WorkerProject, redis_url: str, pool: str
) -> None:
    start(project, redis_url, pool=pool)
    add_task(project.store, "jobs.bound", default_params={"value": "d"})
    request_id = f"req-{uuid4().hex}"
    for _ in range(3):
        send(redis_url, execution_id=request_id, task_path="jobs.bound", params={"value": "سلام"})
    execution_id = requested(project, request_id)
    ended = project.wait_for(execution_id, State.SUCCEEDED)
    assert ended.result["value"] == "سلام"
    assert ended.cause is Cause.MANUAL
    wait_until(lambda: project.log.count("is not run again") == 2, message="the other two were refused")
    assert len(attempts_of(project.store, execution_id)) == 1


def test_an_execution_of_ours_by_its_number_and_their_own_task(project: WorkerProject, redis_url: str) -> None:
    start(project, redis_url)
    execution_id = add_execution(project.store, "jobs.hello", {"name": "x"})
    send(redis_url, execution_id=execution_id)
    assert project.wait_for(execution_id, State.SUCCEEDED).result["said"] == "x"
    with Celery("sender", broker=redis_url) as app:
        app.send_task("theirs.theirs", args=[str(project.folder / "native")], queue="celery", ignore_result=True)
    project.wait_for_note("native")


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"execution_id": "r1", "task_path": "jobs.hello", "params": {"nam": 1}}, "`nam` is not one of"),
        ({"execution_id": "r2", "task_path": "jobs.unknown"}, "no task is defined with the task path 'jobs.unknown'"),
        ({"execution_id": "r3"}, "needs `task_path`"),
        ({"execution_id": 1.5}, "must be a number or a text"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence_and_recorded_nowhere(
    project: WorkerProject, redis_url: str, kwargs: dict[str, object], said: str
) -> None:
    start(project, redis_url)
    add_task(project.store, "jobs.hello")
    send(redis_url, **kwargs)
    wait_until(lambda: said in project.log, timeout=20, message=f"the worker says {said}")
    assert "celsched/tasks.py" not in project.log
    assert project.store.read(lambda tx: requests.find(tx, str(kwargs["execution_id"]))) is None


def test_without_install_nothing_is_claimed_and_the_reason_is_said(project: WorkerProject, redis_url: str) -> None:
    start(project, redis_url, install="no")
    execution_id = add_execution(project.store, "jobs.hello")
    send(redis_url, execution_id=execution_id)
    wait_until(lambda: "celsched does not run in this worker" in project.log, timeout=20, message="it says so")
    assert execution_of(project.store, execution_id).state is State.PENDING


def test_an_application_whose_key_prefix_is_another_one_is_told(tmp_path: Path, redis_url: str) -> None:
    with worker_project(tmp_path, JOBS, broker_url=redis_url, broker_key_prefix="helssa:") as project:
        start(project, redis_url, prefix="helssa:")
        execution_id = add_execution(project.store, "jobs.hello", {"name": "x"})
        options = {"global_keyprefix": "helssa:"}
        with Celery("sender", broker=redis_url, broker_transport_options=options) as app:
            kwargs = {"execution_id": execution_id}
            app.send_task("celsched.tasks.execute_task", kwargs=kwargs, queue="scheduler", ignore_result=True)
        project.wait_for(execution_id, State.SUCCEEDED)
        assert "broker_key_prefix" not in project.log
        start(project, redis_url)
        wait_until(lambda: "begin with '' and `broker_key_prefix`" in project.log, timeout=60, message="it is told")
