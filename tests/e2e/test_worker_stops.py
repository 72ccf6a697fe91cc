"""A real worker on the embedded broker: limits, cancel, deaths and shutdown, judged by the processes that are left."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.execution import State
from celsched.store import transitions
from tests.e2e.worker_project import WorkerProject, lives, worker_project
from tests.support.executions import NO_DELAY, attempts_of, execution_of, texts_of
from tests.support.project import is_stopped, offspring_of
from tests.support.waiting import wait_until

JOBS = Path(__file__).with_name("worker_jobs.py").read_text()
Make = Callable[..., WorkerProject]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return how a project with a running worker is made; short times, so that a test waits for little."""
    with worker_project(tmp_path, JOBS, kill_grace="300ms", heartbeat="500ms", lease="5s") as project:

        def start(concurrency: int = 1) -> WorkerProject:
            project.start(concurrency)
            return project

        yield start


def cancel(project: WorkerProject, execution_id: int) -> None:
    assert project.store.write(lambda tx: transitions.ask_one_to_stop(tx, execution_id, "a test asked"))


def works_again(project: WorkerProject) -> None:
    """The worker took the next execution."""
    project.wait_for(project.add("hello"), State.SUCCEEDED)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("function", ["spins", "waits"])
def test_the_soft_limit_interrupts_python_code(make: Make, function: str) -> None:
    project = make()
    execution_id = project.add(function, soft_time_limit=SECOND)
    ended = project.wait_for(execution_id, State.TIMED_OUT)
    assert ended.duration is not None
    assert SECOND <= ended.duration < 3 * SECOND
    (attempt,) = attempts_of(project.store, execution_id)
    assert attempt.error_type == "SoftTimeLimitExceeded"
    assert attempt.traceback is not None
    assert "jobs.py" in attempt.traceback
    works_again(project)


def test_a_body_may_tidy_up_at_its_soft_limit_and_succeed(make: Make) -> None:
    project = make()
    execution_id = project.add("catches_soft", soft_time_limit=SECOND, time_limit=10 * SECOND)
    assert project.wait_for(execution_id, State.SUCCEEDED).result == "tidied up"


def test_the_hard_limit_kills_whatever_ignores_everything(make: Make) -> None:
    project = make()
    execution_id = project.add("stubborn_shell", time_limit=2 * SECOND)
    pids = [int(project.wait_for_note(name)) for name in ("stubborn", "inner", "escaped")]
    ended = project.wait_for(execution_id, State.TIMED_OUT)
    assert not any(map(lives, pids))
    assert ended.reason == "time_limit"
    assert ended.error is not None
    assert "2 s" in ended.error
    assert ("stdout", "stubborn") in texts_of(project.store, execution_id)
    works_again(project)


def test_a_timed_out_attempt_is_tried_again(make: Make) -> None:
    project = make()
    execution_id = project.add("spins", time_limit=SECOND, max_retries=1, retry=NO_DELAY)
    assert project.wait_for(execution_id, State.RETRYING).attempt == 2
    project.ring(execution_id, attempt=2)
    project.wait_for(execution_id, State.TIMED_OUT)
    assert [one.state for one in attempts_of(project.store, execution_id)] == [State.TIMED_OUT, State.TIMED_OUT]


@pytest.mark.parametrize(("function", "names"), [("spins", ["spins"]), ("stubborn_shell", ["inner", "escaped"])])
def test_cancel_ends_the_body_and_all_it_started(make: Make, function: str, names: list[str]) -> None:
    project = make()
    execution_id = project.add(function, max_retries=3)
    pids = [int(project.wait_for_note(name)) for name in names]
    cancel(project, execution_id)
    asked = time.monotonic()
    ended = project.wait_for(execution_id, State.CANCELLED)
    assert time.monotonic() - asked < 5
    assert not any(map(lives, pids))
    assert ended.reason == "a test asked"
    works_again(project)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[WorkerProject]:
    """Return a project whose worker gives what is asked to end so long that a test can act meanwhile."""
    with worker_project(tmp_path, JOBS, kill_grace="3s", heartbeat="500ms", lease="5s") as project:
        project.start()
        yield project


def test_cancel_while_leftovers_are_ended_lets_none_of_them_live(patient: WorkerProject) -> None:
    execution_id = patient.add("leaves_stubborn", max_retries=3)
    patient.wait_for_note("asked")  # the body has returned: its process ends what it left
    left = int(patient.wait_for_note("left"))
    cancel(patient, execution_id)
    patient.wait_for(execution_id, State.CANCELLED)
    assert not lives(left)
    works_again(patient)


def test_a_lost_claim_while_leftovers_are_ended_lets_none_of_them_live(patient: WorkerProject) -> None:
    execution_id = patient.add("leaves_stubborn")
    patient.wait_for_note("asked")
    left = int(patient.wait_for_note("left"))
    gone = {"state": State.LOST, "claim_token": "somebody else"}
    patient.store.write(lambda tx: transitions.move(tx, execution_id, [State.RUNNING], **gone))
    wait_until(lambda: not lives(left), timeout=10, message="what the fenced body left is gone")
    works_again(patient)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_while_leftovers_are_ended_costs_no_success(patient: WorkerProject, number: signal.Signals) -> None:
    execution_id = patient.add("leaves_stubborn")
    patient.wait_for_note("asked")
    os.kill(int(patient.wait_for_note("child")), number)
    assert patient.wait_for(execution_id, State.SUCCEEDED).result == "done"
    assert not lives(int(patient.wait_for_note("left")))


def test_a_worker_that_stops_makes_no_claim_that_waited_for_its_turn(tmp_path: Path) -> None:
    with worker_project(tmp_path, JOBS, heartbeat="500ms", lease="30s", fault="claim.before:stop") as it:
        worker = it.start()
        execution_id = it.add("waits")

        def stopped() -> list[int]:
            return [pid for pid in offspring_of(worker.pid) if is_stopped(pid)]

        (child,) = wait_until(stopped, timeout=20, message="a child is about to claim it") or []
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: "this worker stops" in it.log, timeout=10, message="it has heard that it is to stop")
        os.kill(child, signal.SIGCONT)
        assert worker.wait(20) == 0
        assert it.note("waits") is None
        assert it.state(execution_id) is State.PENDING
        assert attempts_of(it.store, execution_id) == []


def test_a_child_told_to_end_after_its_body_leaves_its_claim_to_the_main_process(tmp_path: Path) -> None:
    with worker_project(
        tmp_path, JOBS, kill_grace="300ms", heartbeat="500ms", lease="30s", fault="body.ended:stop"
    ) as it:
        it.start()
        execution_id = it.add("leaves_stubborn")
        child = int(it.wait_for_note("child"))
        wait_until(lambda: is_stopped(child), message="the body has returned and its end is not recorded")
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGCONT)
        assert it.wait_for(execution_id, State.LOST, timeout=10).reason == "worker_died"


def test_a_child_that_is_killed_is_noticed_at_once(make: Make) -> None:
    project = make()
    execution_id = project.add("stubborn_shell", max_retries=3)
    child, inner, escaped = (int(project.wait_for_note(name)) for name in ("stubborn", "inner", "escaped"))
    os.kill(child, signal.SIGKILL)
    killed = time.monotonic()
    ended = project.wait_for(execution_id, State.LOST)
    assert time.monotonic() - killed < 2
    assert not lives(inner)
    assert not lives(escaped)
    assert ended.reason == "worker_died"
    works_again(project)


def test_the_last_words_of_a_child_that_exits_are_kept(make: Make) -> None:
    project = make()
    execution_id = project.add("exits_hard")
    project.wait_for(execution_id, State.LOST)
    lines = texts_of(project.store, execution_id)
    assert {("stdout", "last words"), ("mine", "last record"), ("stderr", "raw last words")} == set(lines)


def test_a_lost_attempt_is_tried_again_where_the_policy_says_so(make: Make) -> None:
    project = make()
    execution_id = project.add("exits_hard", retry_on_lost=1, retry=NO_DELAY)
    assert project.wait_for(execution_id, State.RETRYING).attempt == 2
    project.ring(execution_id, attempt=2)
    assert project.wait_for(execution_id, State.LOST).attempt == 2


def test_nothing_outlives_a_killed_main_process(make: Make) -> None:
    project = make()
    project.add("stubborn_shell")
    pids = [int(project.wait_for_note(name)) for name in ("stubborn", "inner", "escaped")]
    project.workers[0].kill()
    project.workers[0].wait()
    wait_until(lambda: not any(map(lives, pids)), timeout=3, message="the body's processes are gone")


def test_a_body_whose_claim_is_gone_is_killed_and_writes_nothing(make: Make) -> None:
    project = make()
    execution_id = project.add("waits")
    pid = int(project.wait_for_note("waits"))
    gone = {"state": State.LOST, "claim_token": "somebody else"}
    project.store.write(lambda tx: transitions.move(tx, execution_id, [State.RUNNING], **gone))
    wait_until(lambda: not lives(pid), timeout=5, message="the fenced body is gone")
    works_again(project)
    found = execution_of(project.store, execution_id)
    assert (found.state, found.error) == (State.LOST, None)


def test_sigterm_lets_a_body_end_within_the_drain_time(make: Make) -> None:
    project = make()
    execution_id = project.add("waits", {"seconds": 1})
    project.wait_for_note("waits")
    project.workers[0].send_signal(signal.SIGTERM)
    assert project.workers[0].wait(10) == 0
    assert project.state(execution_id) is State.SUCCEEDED
    assert "has stopped" in project.log


def test_a_replaced_child_gets_the_drain_time_too(make: Make) -> None:
    project = make()
    first = project.add("exits_hard")
    project.wait_for(first, State.LOST)
    execution_id = project.add("waits", {"seconds": 2})
    project.wait_for_note("waits")
    project.workers[0].send_signal(signal.SIGTERM)
    assert project.workers[0].wait(10) == 0
    assert project.state(execution_id) is State.SUCCEEDED


def test_heartbeats_and_the_hard_limit_do_not_need_the_bodys_interpreter(make: Make) -> None:
    project = make()
    execution_id = project.add("holds_the_interpreter", time_limit=3 * SECOND)
    project.wait_for_note("holds")
    seen = execution_of(project.store, execution_id).heartbeat
    wait_until(lambda: execution_of(project.store, execution_id).heartbeat > seen + 1, message="it beats")
    assert project.state(execution_id) is State.RUNNING
    project.wait_for(execution_id, State.TIMED_OUT)


def test_an_idle_worker_stops_at_once(make: Make) -> None:
    project = make(2)
    works_again(project)
    project.workers[0].send_signal(signal.SIGTERM)
    assert project.workers[0].wait(5) == 0


def test_what_outlasts_the_drain_time_is_ended_and_recorded(tmp_path: Path) -> None:
    short: dict[str, Any] = {"drain": "500ms", "kill_grace": "300ms"}
    with worker_project(tmp_path, JOBS, **short) as project:
        project.start(2)
        first, second = project.add("stubborn_shell"), project.add("spins", retry_on_lost=1)
        pids = [int(project.wait_for_note(name)) for name in ("stubborn", "inner", "escaped", "spins")]
        project.workers[0].send_signal(signal.SIGTERM)
        assert project.workers[0].wait(10) == 0
        assert not any(map(lives, pids))
        ended = execution_of(project.store, first)
        assert (ended.state, ended.reason) == (State.LOST, "worker_shutdown")
        assert project.state(second) is State.RETRYING


def test_a_second_signal_ends_everything_at_once(make: Make) -> None:
    project = make()
    execution_id = project.add("waits")
    pid = int(project.wait_for_note("waits"))
    project.workers[0].send_signal(signal.SIGINT)
    # Two signals of one kind at the same moment are one.
    wait_until(lambda: "this worker stops" in project.log, message="the first signal arrived")
    time_asked = time.monotonic()
    project.workers[0].send_signal(signal.SIGINT)
    assert project.workers[0].wait(10) == 0
    assert time.monotonic() - time_asked < 5
    assert not lives(pid)
    assert project.state(execution_id) is State.LOST


def test_a_pool_process_killed_while_the_worker_starts_is_replaced(tmp_path: Path) -> None:
    with worker_project(tmp_path, JOBS) as project:
        worker = project.start(1)
        os.kill(_first_copy(worker.pid), signal.SIGKILL)
        works_again(project)
        assert worker.poll() is None
        assert "Traceback" not in project.log
        assert "not prefork" not in project.log


def _first_copy(pid: int) -> int:
    """Return the first child of a process that is a copy of it, as soon as it is there: a pool process."""

    def command(of: int | str) -> bytes:
        return Path(f"/proc/{of}/cmdline").read_bytes()

    def copies() -> list[int]:
        return [child for child in offspring_of(pid) if child != pid and command(child) == command(pid)]

    return wait_until(copies, message="the worker has forked a pool process", every=0.001)[0]
