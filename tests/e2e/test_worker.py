"""A real worker on the embedded broker: what bodies may be, and what is recorded of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.domain.execution import State
from tests.e2e.worker_project import WorkerProject, worker_project
from tests.support.executions import NO_DELAY, add_execution, attempts_of, execution_of, texts_of
from tests.support.waiting import wait_until

JOBS = Path(__file__).with_name("worker_jobs.py").read_text()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProject]:
    with worker_project(tmp_path_factory.mktemp("worker"), JOBS, redact=["گذرواژه"]) as made:
        made.start(concurrency=2)
        yield made


def test_success_is_recorded_with_result_and_usage(project: WorkerProject) -> None:
    execution_id = project.add("hello", {"name": "علی"})
    ended = project.wait_for(execution_id, State.SUCCEEDED)
    assert ended.result == {"said": "علی", "at": None}
    (attempt,) = attempts_of(project.store, execution_id)
    assert attempt.pid == int(project.wait_for_note("ran"))
    assert attempt.cpu_seconds is not None
    assert attempt.cpu_seconds < 5
    assert attempt.peak_memory_bytes is not None
    assert 5_000_000 < attempt.peak_memory_bytes < 2_000_000_000


def test_output_of_every_kind_is_kept_in_order_and_redacted(project: WorkerProject) -> None:
    execution_id = project.add("speaks")
    ended = project.wait_for(execution_id, State.SUCCEEDED)
    lines = texts_of(project.store, execution_id)
    assert [text for source, text in lines if source == "mine"][:3] == ["سلام دنیا", "two", "lines"]
    assert [text for source, text in lines if source == "stdout"][:1] == ["from print"]
    assert {("stdout", "from sh"), ("stderr", "error of sh"), ("stdout", "no end of line")} <= set(lines)
    assert ("stdout", "raw \ufffd bytes") in lines
    everything = "\n".join(text for _, text in lines)
    assert "hunter2" not in everything
    assert "s3cr3t" not in everything
    assert "abcdef0123456789" not in everything
    assert "not kept" not in everything
    assert lines.count(("stdout", "from print")) == 1
    assert ended.result == {"password": "***", "ok": 1}


def test_output_is_bounded_and_says_so(project: WorkerProject) -> None:
    execution_id = project.add("floods")
    project.wait_for(execution_id, State.SUCCEEDED)
    lines = texts_of(project.store, execution_id)
    assert len(lines) == 10_001
    assert lines[9_999] == ("stdout", "line 9999")
    assert "2000 more lines were dropped" in lines[-1][1]


def test_a_failure_keeps_the_users_traceback_only(project: WorkerProject) -> None:
    execution_id = project.add("fails", {"times": 9})
    ended = project.wait_for(execution_id, State.FAILED)
    assert ended.error == "ValueError: کار نشد, password=***"
    (attempt,) = attempts_of(project.store, execution_id)
    assert attempt.error_type == "ValueError"
    assert attempt.traceback is not None
    assert "jobs.py" in attempt.traceback.splitlines()[1]
    assert "celsched/worker" not in attempt.traceback
    assert "hunter2" not in attempt.traceback.replace('"کار نشد, password=hunter2"', "")


def test_a_failed_attempt_is_followed_by_another_by_our_policy(project: WorkerProject) -> None:
    execution_id = project.add("retries_itself", max_retries=2, retry=NO_DELAY)
    project.wait_for(execution_id, State.RETRYING)
    project.ring(execution_id, attempt=2)
    assert project.wait_for(execution_id, State.SUCCEEDED).result == 1
    assert [one.state for one in attempts_of(project.store, execution_id)] == [State.FAILED, State.SUCCEEDED]


def test_a_message_that_comes_twice_runs_once(project: WorkerProject) -> None:
    execution_id = project.add("bound", {"value": 1})
    project.ring(execution_id)
    project.ring(execution_id)
    project.wait_for(execution_id, State.SUCCEEDED)
    after = project.add("hello")
    project.wait_for(after, State.SUCCEEDED)
    assert len(attempts_of(project.store, execution_id)) == 1


@pytest.mark.parametrize(
    ("function", "params", "result"),
    [
        ("awaits", {"name": "x"}, "awaited x"),
        ("ignores", {}, None),
        ("odd_result", {}, {"repr": "{1, 2}", "stored": "its repr: not JSON"}),
    ],
)
def test_kinds_of_bodies(project: WorkerProject, function: str, params: dict[str, str], result: object) -> None:
    assert project.wait_for(project.add(function, params), State.SUCCEEDED).result == result


def test_a_bound_celery_task_sees_its_request(project: WorkerProject) -> None:
    execution_id = project.add("bound", {"value": "v"})
    result = project.wait_for(execution_id, State.SUCCEEDED).result
    assert result["id"].startswith("celsched-")
    assert f"-{execution_id}.1." in result["id"]
    assert (result["retries"], result["value"]) == (0, "v")


@pytest.mark.parametrize(
    ("path", "params", "options", "said"),
    [
        ("jobs.rejects", {}, {"max_retries": 3}, "not for me"),
        ("os.getcwd", {}, {"max_retries": 3}, "task_modules"),
        ("jobs.missing", {}, {"max_retries": 3}, "has no `missing`"),
        ("jobs.typed", {"hour": 1}, {"max_retries": 3}, "`hours` is missing"),
        ("jobs.typed", {"hours": "x"}, {"params_schema": {"properties": {"hours": {"type": "integer"}}}}, "hours"),
        ("jobs.leaves_by_exit", {}, {}, "I am leaving"),
    ],
)
def test_what_cannot_work_fails_without_a_retry(
    project: WorkerProject, path: str, params: dict[str, object], options: dict[str, object], said: str
) -> None:
    execution_id = add_execution(project.store, path, params, **options)
    project.ring(execution_id)
    ended = project.wait_for(execution_id, State.FAILED)
    assert ended.error is not None
    assert said in ended.error
    assert "celsched/worker" not in (attempts_of(project.store, execution_id)[0].traceback or "")


def test_progress_is_seen_while_it_runs_and_current_tells_who_it_is(project: WorkerProject) -> None:
    execution_id = project.add("progresses")
    wait_until(
        lambda: execution_of(project.store, execution_id).progress_done is not None, message="progress is stored"
    )
    seen = execution_of(project.store, execution_id)
    assert seen.state is State.RUNNING
    wait_until(
        lambda: execution_of(project.store, execution_id).progress_message == "گام 3", message="the newest is stored"
    )
    (project.folder / "go-on").write_text("yes")
    result = project.wait_for(execution_id, State.SUCCEEDED).result
    assert result == {"execution_id": execution_id, "attempt": 1, "task": seen.task, "schedule": None}


def test_what_a_body_leaves_running_is_ended_before_its_end_is_recorded(project: WorkerProject) -> None:
    execution_id = project.add("leaves_behind")
    project.wait_for(execution_id, State.SUCCEEDED)
    left = int(project.wait_for_note("left"))
    assert not Path(f"/proc/{left}").exists()
