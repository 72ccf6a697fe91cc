"""A real worker on Redis and PostgreSQL: another pool, another store, the same promises."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from celsched.domain.execution import State
from celsched.domain.policy import OnStoreOutage
from celsched.store import transitions
from celsched.store.store import open_store
from tests.e2e.worker_project import WorkerProject, lives, worker_project
from tests.support.executions import attempts_of, execution_of, texts_of
from tests.support.services import PostgresServer
from tests.support.waiting import wait_until

JOBS = Path(__file__).with_name("worker_jobs.py").read_text()
SHORT = {"kill_grace": "300ms", "heartbeat": "500ms", "lease": "4s", "drain": "1s"}
SECOND = timedelta(seconds=1)
Make = Callable[..., WorkerProject]


@pytest.fixture
def project(tmp_path: Path, redis_url: str, postgres_url: str) -> Iterator[WorkerProject]:
    open_store(postgres_url, upgrade=True).close()
    with worker_project(tmp_path, JOBS, broker_url=redis_url, database_url=postgres_url, **SHORT) as made:
        yield made


def test_success_failure_output_and_the_next_message(project: WorkerProject) -> None:
    project.start(2)
    spoken, failed = project.add("speaks"), project.add("fails", {"times": 9})
    project.wait_for(spoken, State.SUCCEEDED)
    project.wait_for(failed, State.FAILED)
    assert ("stdout", "from sh") in texts_of(project.store, spoken)
    assert ("mine", "سلام دنیا") in texts_of(project.store, spoken)


def test_limit_cancel_and_death_each_leave_nothing_and_the_worker_goes_on(project: WorkerProject) -> None:
    project.start(3)
    limited = project.add("spins", {"name": "limited"}, time_limit=SECOND)
    cancelled = project.add("stubborn_shell")
    killed = project.add("waits", {"name": "killed"})
    names = ("limited", "stubborn", "inner", "escaped", "killed")
    pids = [int(project.wait_for_note(name)) for name in names]
    os.kill(pids[-1], signal.SIGKILL)
    moment = time.monotonic()
    project.wait_for(killed, State.LOST)
    assert time.monotonic() - moment < 2
    project.store.write(lambda tx: transitions.ask_one_to_stop(tx, cancelled, "a test asked"))
    project.wait_for(cancelled, State.CANCELLED)
    project.wait_for(limited, State.TIMED_OUT)
    assert not any(map(lives, pids))
    for execution_id in [project.add("hello") for _ in range(6)]:
        project.wait_for(execution_id, State.SUCCEEDED)


def test_drain_waits_then_ends_and_records(project: WorkerProject) -> None:
    project.start(2)
    short, long = project.add("waits", {"name": "short", "seconds": 0.5}), project.add("stubborn_shell")
    pids = [int(project.wait_for_note(name)) for name in ("short", "stubborn", "inner", "escaped")]
    project.workers[0].send_signal(signal.SIGTERM)
    assert project.workers[0].wait(10) == 0
    assert not any(map(lives, pids))
    assert project.state(short) is State.SUCCEEDED
    assert execution_of(project.store, long).reason == "worker_shutdown"


def test_main_killed(project: WorkerProject) -> None:
    project.start(2)
    project.add("stubborn_shell")
    pids = [int(project.wait_for_note(name)) for name in ("stubborn", "inner", "escaped")]
    project.workers[0].kill()
    project.workers[0].wait()
    wait_until(lambda: not any(map(lives, pids)), timeout=3, message="the body's processes are gone")


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("own-postgres"))
    server.start()
    yield server
    server.stop("immediate")


def test_while_the_store_is_down_bodies_go_on_or_are_killed_by_their_policy(
    tmp_path: Path, redis_url: str, own_postgres: PostgresServer
) -> None:
    url = own_postgres.create_database("outage")
    open_store(url, upgrade=True).close()
    with worker_project(tmp_path, JOBS, broker_url=redis_url, database_url=url, **SHORT) as project:
        project.start(3)
        goes_on = project.add("waits", {"name": "goes-on", "seconds": 60})
        ends = project.add(
            "waits", {"name": "ends", "seconds": 2}, on_store_outage=OnStoreOutage.CONTINUE, retry_on_lost=1
        )
        killed = project.add("waits", {"name": "killed", "seconds": 60}, retry_on_lost=1)
        pids = {name: int(project.wait_for_note(name)) for name in ("goes-on", "ends", "killed")}
        own_postgres.stop("immediate")
        wait_until(lambda: not lives(pids["killed"]), timeout=8, message="the body that might be doubled is killed")
        project.wait_for_note("ends-done")
        assert lives(pids["goes-on"])
        own_postgres.start()
        project.wait_for(ends, State.SUCCEEDED)
        again = project.wait_for(killed, State.RETRYING)
        assert again.attempt == 2
        assert again.reason == "store_outage"
        assert project.state(goes_on) is State.RUNNING
        assert [one.state for one in attempts_of(project.store, killed)] == [State.LOST]
