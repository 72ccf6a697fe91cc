"""RabbitMQ under a daemon, a worker and commands as processes: it goes and comes back, and others use it too."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from kombu.connection import Connection
from kombu.entity import Queue

from celsched.domain.execution import State
from tests.support.project import Daemon, Project, project_in
from tests.support.rabbitmq import RabbitServer
from tests.support.waiting import wait_until

SETTINGS = """
broker_url = "{broker}"
heartbeat = "500ms"
lease = "10s"
republish = "2s"
drain = "2s"
kill_grace = "300ms"
queues = ["default", "theirs"]
alerts = {{no_worker = {{hold = "1s"}}}}
"""
MANIFEST = """
version: 1
defaults: {max_retries: 0}
tasks:
  greet: {task_path: jobs.hello}
  theirs: {task_path: jobs.hello, queue_name: theirs}
  nobody: {task_path: jobs.hello, queue_name: nobody}
  nap: {task_path: jobs.naps}
schedules:
  unheard: {task: nobody, every: 1d}
  tick: {task: greet, every: 1s, overlap: allow, params: {name: tick}}
"""


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, own_rabbit: RabbitServer
) -> Iterator[tuple[Project, Daemon, Daemon]]:
    """A daemon and a worker; one of their queues was made by somebody else, with arguments that are not ours."""
    with Connection(own_rabbit.url) as theirs:
        Queue("theirs", queue_arguments={"x-max-priority": 3})(theirs.channel()).declare()
    settings = SETTINGS.format(broker=own_rabbit.url)
    with project_in(tmp_path_factory.mktemp("rabbit-fleet"), extra_settings=settings) as project:
        project.apply(MANIFEST)
        daemon, worker = project.start("run"), project.start("worker", "-c", "2")
        yield project, daemon, worker


def _is_well(fleet: tuple[Project, Daemon, Daemon]) -> None:
    for process in fleet[1:]:
        assert process.process.poll() is None
        assert "Traceback" not in process.err
        assert "geh" not in process.err + process.out


def test_executions_run_in_a_queue_of_ours_and_in_one_of_somebody_elses(fleet: tuple[Project, Daemon, Daemon]) -> None:
    project = fleet[0]
    for task in ("greet", "theirs"):
        project.wait_for(project.ask(task), State.SUCCEEDED, timeout=60)
    _is_well(fleet)


def test_status_and_doctor_reach_rabbitmq_and_tell_no_password(fleet: tuple[Project, Daemon, Daemon]) -> None:
    project = fleet[0]
    running = project.ask("nap", name="inspected")
    project.wait_for_note("inspected", timeout=60)
    assert "active" in project.json("status", str(running))["inspect"]
    project.call("cancel", str(running), "--force")
    said = project.run("doctor")
    assert "amqp://celsched:***@127.0.0.1" in said.out
    assert "geh" not in said.out + said.err + project.run("config").out


def test_a_queue_that_nobody_serves_is_an_alert(fleet: tuple[Project, Daemon, Daemon]) -> None:
    project = fleet[0]
    waiting = project.ask("nobody")
    project.wait_for(waiting, State.QUEUED, timeout=30)

    def told() -> bool:
        return "no_worker" in project.run("watch", "--once").out

    wait_until(told, timeout=60, message="an alert says so", every=1)
    project.call("cancel", str(waiting))


def test_fire_times_are_recorded_while_rabbitmq_is_away_and_start_when_it_is_back(
    fleet: tuple[Project, Daemon, Daemon], own_rabbit: RabbitServer
) -> None:
    project, daemon, _ = fleet
    for end in (own_rabbit.stop, own_rabbit.kill):
        said = len(daemon.err)

        def told(since: int = said) -> bool:
            return "for it" in daemon.err[since:]

        end()
        begin = project.store.clock.now()
        asked = project.ask("greet", name="meanwhile")
        wait_until(told, timeout=120, message=f"the daemon says so:\n{daemon.err[-2000:]}")

        def recorded(since: datetime = begin) -> bool:
            rows = project.executions("--schedule", "tick")
            return sum(datetime.fromisoformat(row["fire_time"]) > since for row in rows) >= 2

        wait_until(recorded, timeout=30, message="fire times are recorded", every=0.2)
        assert project.state(asked) is State.PENDING
        own_rabbit.start()
        project.wait_for(asked, State.SUCCEEDED, timeout=90)

        def back(since: int = said) -> bool:
            return "takes messages again" in daemon.err[since:]

        # A message that RabbitMQ kept and had not confirmed is run before the daemon sends anything.
        wait_until(back, timeout=60, message="the daemon has found it again")
        _is_well(fleet)
