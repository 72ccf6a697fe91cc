"""PostgreSQL transactions cut at their COMMIT, before it or after it without the reply, and a daemon frozen in one.

It judges by what the bodies wrote down and by the ledger; that a COMMIT was lost is told by the proxy that lost it.
"""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from celsched.domain.execution import State
from celsched.store.tables import executions, states
from tests.scenarios.commit_proxy import CommitProxy, Where
from tests.scenarios.fire_times import PATIENCE, all_live, begun, each_ran_once, rows_of
from tests.support.executions import attempts_of, texts_of
from tests.support.project import Project, is_stopped, project_in
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

SETTINGS = """
database_url = "postgresql://postgres@127.0.0.1:{port}/scenario_commits"
broker_url = "{broker}"
heartbeat = "500ms"
lease = "6s"
republish = "1s"
drain = "2s"
kill_grace = "300ms"
"""
MANIFEST = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  unsteady: {task_path: jobs.unsteady, max_retries: 1, retry: {delay: 0s, factor: 1, jitter: false}}
schedules:
  every other second: {task: greet, every: 2s, overlap: allow, params: {name: every-other}}
"""
TRANSITIONS = {
    "T1": r"INSERT INTO executions.*UPDATE schedule_states",
    "T2": r"UPDATE executions SET [^\0]*publishes=\(executions\.publishes \+",
    "T3": r"UPDATE executions SET [^\0]*queued_at=",
    "T4": r"INSERT INTO attempts",
    "T6": r"UPDATE attempts SET",
}
"""What tells each transition's transaction from the others (reliability.md, section 1)."""


@pytest.fixture(scope="module")
def proxy(postgres_server: PostgresServer) -> Iterator[CommitProxy]:
    with CommitProxy(postgres_server.port) as made:
        yield made


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    proxy: CommitProxy,
) -> Iterator[Project]:
    """A daemon and a worker that reach their store through the proxy."""
    postgres_server.create_database("scenario_commits")
    settings = SETTINGS.format(port=proxy.port, broker=redis_server.url)
    with project_in(tmp_path_factory.mktemp("commits"), extra_settings=settings) as project:
        project.upgrade()
        project.apply(MANIFEST)
        project.start("run")
        project.start("worker", "-c", "2")
        project.wait_for(project.ask("greet", name="warm"), State.SUCCEEDED, timeout=PATIENCE)
        yield project
    postgres_server.drop_database("scenario_commits")


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("transition", sorted(TRANSITIONS))
def test_a_lost_commit_starts_and_ends_everything_once(
    fleet: Project, proxy: CommitProxy, transition: str, where: Where
) -> None:
    lost = proxy.lose(TRANSITIONS[transition], where, count=3)
    name = f"{transition} {where}"
    greeted = [fleet.ask("greet", name=f"{name} {number}") for number in range(3)]
    unsteady = fleet.ask("unsteady", name=f"{name} unsteady", succeeds_at=2)
    wait_until(lambda: lost.done == 3, timeout=PATIENCE, message=f"three COMMITs of {transition} were lost")
    for number, execution_id in enumerate(greeted):
        fleet.wait_for(execution_id, State.SUCCEEDED, timeout=PATIENCE)
        assert begun(fleet, f"{name} {number}") == [1]
        assert sorted(texts_of(fleet.store, execution_id)) == [
            ("shop", f"سلام {name} {number}"),
            ("stdout", f"hello, {name} {number}"),
        ]
    fleet.wait_for(unsteady, State.SUCCEEDED, timeout=PATIENCE)
    assert begun(fleet, f"{name} unsteady") == [1, 2]
    found = [(one.attempt, one.state) for one in attempts_of(fleet.store, unsteady)]
    assert found == [(1, State.FAILED), (2, State.SUCCEEDED)]
    all_live(fleet)


def test_the_schedules_streak_counts_each_end_once(fleet: Project, proxy: CommitProxy) -> None:
    ends = TRANSITIONS["T6"] + r".*UPDATE schedule_states"
    lost = [proxy.lose(ends, "after", count=2), proxy.lose(ends, "before")]
    wait_until(
        lambda: [one.done for one in lost] == [2, 1], timeout=PATIENCE, message="three ends of the schedule were lost"
    )
    ended = select(func.count()).where(
        executions.c.schedule_id == states.c.schedule_id, executions.c.state == State.SUCCEEDED
    )
    # One statement, so that both are of one moment.
    both = select(states.c.success_streak, ended.scalar_subquery())
    streak, count = fleet.store.read(lambda tx: tx.execute(both).one())
    assert streak == count >= 2


def test_a_daemon_frozen_in_its_transaction_stops_nobody_else(fleet: Project) -> None:
    frozen = fleet.start("run", env={"CELSCHED_FAULT": "fires.recorded:1:stop"})
    wait_until(
        lambda: "fault point" in frozen.err and is_stopped(frozen.pid),
        timeout=PATIENCE,
        message="it stands still in T1",
    )
    since = fleet.store.clock.now()

    def went_on() -> bool:
        times = [row.fire_time for row in rows_of(fleet, "every other second") if row.state is State.SUCCEEDED]
        return any(time > since for time in times if time is not None)

    wait_until(went_on, timeout=PATIENCE, message="the schedule whose row it held runs again", every=0.1)
    assert is_stopped(frozen.pid)
    os.kill(frozen.pid, signal.SIGCONT)
    fleet.wait_for(fleet.ask("greet", name="after the freeze"), State.SUCCEEDED, timeout=PATIENCE)
    assert begun(fleet, "after the freeze") == [1]
    each_ran_once(fleet, "every other second", name="every-other", every=timedelta(seconds=2))
    all_live(fleet)
