"""Cancel and time limits against bodies that heed nothing, with the broker and without it; and what the command tells.

It never judges bodies that end by themselves.
"""

import os
import signal
from collections.abc import Iterator, Mapping

import pytest

from celsched.domain.execution import State
from tests.scenarios.hard_project import hard_project, pids_of, serves
from tests.support.executions import attempts_of
from tests.support.project import Ended, Project, all_gone
from tests.support.services import RedisServer

TASKS = """
  for nobody: {task_path: jobs.hello, queue_name: nobody}
  fails: {task_path: jobs.fails, max_retries: 1, retry: {delay: 1h, factor: 1, jitter: false}}
  limited pipeline: {task_path: jobs.pipeline, soft_time_limit: 1s, time_limit: 60s, max_retries: 1}
  limited frozen: {task_path: jobs.frozen, soft_time_limit: 1s, time_limit: 3s, max_retries: 1}
  limited swallows: {task_path: jobs.swallows, soft_time_limit: 1s, time_limit: 3s, max_retries: 1}
  soft limit: {task_path: jobs.naps, soft_time_limit: 1s, max_retries: 1}
  hard limit: {task_path: jobs.pipeline, time_limit: 2s, max_retries: 1}
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("own-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Project]:
    settings = f'broker_url = "{redis.url}"\nqueues = ["default"]\n'
    with hard_project(tmp_path_factory.mktemp("stops"), settings=settings, tasks=TASKS) as made:
        made.start("run")
        made.start("worker", "-c", "4")
        serves(made)
        yield made


def stubborn(project: Project, label: str) -> Mapping[str, tuple[int, list[int]]]:
    """Start a body of each kind; return for each its execution and its processes."""
    asked = {kind: project.ask(kind, name=f"{kind} {label}") for kind in ("frozen", "swallows", "pipeline")}
    found = {}
    for kind, one in asked.items():
        [note] = project.wait_for_note(f"{kind} {label}", timeout=60)
        found[kind] = (one, [note["pid"]])
    found["pipeline"][1].extend(pids_of(project, f"pipeline {label}"))
    return found


def cancel(project: Project, execution: int, *words: str) -> Ended:
    return project.call("cancel", str(execution), *words)


@pytest.mark.parametrize("broker", ["up", "down"])
def test_cancel_ends_whatever_runs_and_tells_so(project: Project, redis: RedisServer, broker: str) -> None:
    running = stubborn(project, broker)
    if broker == "down":
        redis.kill()
    try:
        for kind, (one, _) in running.items():
            told = cancel(project, one, "--no-wait")
            assert (told.code, "was told to stop it" in told.err) == (0, True), kind
        for kind, (one, pids) in running.items():
            ended = project.wait_for(one, State.CANCELLED)
            assert all_gone(pids)(), kind
            assert ended.reason == "cancelled_by_user"
            told = cancel(project, one)
            assert (told.code, "nothing to cancel" in told.err, "cancelled" in told.err) == (5, True, True)
    finally:
        if broker == "down":
            redis.start()
    serves(project)


def test_cancel_waits_for_the_end_and_a_silent_worker_is_told_of_as_one(project: Project) -> None:
    running = stubborn(project, "waited for")
    (frozen, frozen_pids), (pipeline, pids) = running["frozen"], running["pipeline"]
    swallows, _ = running["swallows"]
    told = cancel(project, pipeline)
    assert (told.code, all_gone(pids)()) == (0, True)
    assert f"execution {pipeline} of 'pipeline' cancelled" in told.out
    worker = project.daemons[1].pid
    os.kill(worker, signal.SIGSTOP)
    try:
        told = cancel(project, frozen, "--timeout", "1s")
    finally:
        os.kill(worker, signal.SIGCONT)
    assert (told.code, told.out) == (124, "")
    assert "its worker has not answered yet; the request stands" in told.err
    project.wait_for(frozen, State.CANCELLED)
    assert all_gone(frozen_pids)()
    told = cancel(project, swallows, "--force")
    assert (told.code, "cancelled" in told.out) == (0, True)


def test_what_does_not_run_is_cancelled_for_good_also_without_the_broker(project: Project, redis: RedisServer) -> None:
    queued, retrying = project.ask("for nobody", name="never"), project.ask("fails", name="once")
    project.wait_for(queued, State.QUEUED)
    project.wait_for(retrying, State.RETRYING)
    redis.kill()
    try:
        pending = project.ask("hello", name="never")
        for one in (pending, queued, retrying):
            told = cancel(project, one)
            assert (told.code, "is cancelled" in told.out, project.state(one)) == (0, True, State.CANCELLED)
        assert "it had not started" in told.out
    finally:
        redis.start()
    family = project.start("worker", "-c", "1", "-Q", "nobody,default")
    after = [project.ask("for nobody", name="after"), project.ask("hello", name="after")]
    for one in after:
        project.wait_for(one, State.SUCCEEDED, timeout=60)
    assert family.stop() == 0
    assert project.notes("never") == []
    assert len(project.notes("once")) == 1


def test_limits_end_whatever_heeds_nothing_and_it_is_tried_again(project: Project) -> None:
    names = ("limited pipeline", "limited frozen", "limited swallows", "soft limit", "hard limit")
    asked = {name: project.ask(name, name=name) for name in names}
    reasons = {}
    for name, one in asked.items():
        reasons[name] = project.wait_for(one, State.TIMED_OUT, timeout=60).reason
        begun = [note for note in project.notes(name) if note["event"] == "begin"]
        pids = [note["pid"] for note in begun if reasons[name] == "time_limit"]
        if "pipeline" in name or name == "hard limit":
            pids += pids_of(project, name, 1) + pids_of(project, name, 2)
        assert all_gone(pids)(), name
        assert [attempt.state for attempt in attempts_of(project.store, one)] == [State.TIMED_OUT] * 2
        assert [note["event"] for note in project.notes(name)] == ["begin", "begin"], name
    assert reasons == {
        "limited pipeline": "soft_time_limit",
        "limited frozen": "time_limit",
        "limited swallows": "time_limit",
        "soft limit": "soft_time_limit",
        "hard limit": "time_limit",
    }
    serves(project)
