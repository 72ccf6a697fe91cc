"""Watchers that are killed while they tell, two at once, and a store that restarts: nothing is lost, little is doubled.

It judges by what the receiver was sent. Of long waits (for more of a group, for a courier that died) it lets the store
believe that they are over.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from celsched.store import alerts as stored
from celsched.store import notices
from celsched.store.tables_watch import alerts, instances, notifications
from tests.store.messages import message, queue
from tests.support.project import Daemon, Project, project_in
from tests.support.receivers import HttpReceiver, http_receiver
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

PATIENCE = 60.0
SETTINGS = """
database_url = "{database}"
broker_url = "{broker}"
heartbeat = "500ms"
[[notify]]
name = "تلگرام"
url = "webhook+{receiver}/x"
"""
MANIFEST = """
version: 1
tasks:
  greet: {task_path: jobs.hello}
schedules:
  گزارش شبانه: {task: greet, every: 1h}
"""
MANY = [f"planted#{number}" for number in range(40)]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("own-postgres"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as server:
        yield server


@pytest.fixture
def project(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    redis_server: RedisServer,
    receiver: HttpReceiver,
) -> Iterator[Project]:
    """A store with an active schedule and no daemon, and a channel."""
    folder = tmp_path_factory.mktemp("watched")
    database = postgres.create_database(folder.name)
    settings = SETTINGS.format(database=database, broker=redis_server.url, receiver=receiver.url)
    with project_in(folder, extra_settings=settings) as made:
        made.upgrade()
        made.apply(MANIFEST)
        yield made


def keys(receiver: HttpReceiver) -> list[str]:
    """Return the incident of every message that came in."""
    return [request.headers["Idempotency-Key"] for request in receiver.requests]


def pass_group_wait(project: Project) -> None:
    """Once the alert is open, let it have been so for long enough that it is told."""
    wait_until(lambda: project.store.read(stored.firing), timeout=PATIENCE, message=f"it opens\n{project.said()}")
    before = {"opened_at": project.store.clock.now() - timedelta(minutes=1)}
    project.store.write(lambda tx: tx.execute(update(alerts).values(before)).rowcount)


def pass_hold(project: Project) -> None:
    """Let the one that holds a message have done so for too long."""
    n = notifications.c
    held = update(notifications).where(n.state == notices.PENDING, n.tries > 0)
    assert project.store.write(lambda tx: tx.execute(held.values(next_try_at=n.created_at)).rowcount) == 1


def killed(daemon: Daemon) -> bool:
    """Wait until it is gone; return whether it was killed."""
    return daemon.wait(PATIENCE) == -signal.SIGKILL


def unsent(project: Project) -> list[str]:
    """Return the incidents that nobody has recorded as sent."""
    n = notifications.c
    return project.store.read(lambda tx: list(tx.scalars(select(n.incident).where(n.state != notices.SENT))))


def test_nothing_is_lost_whenever_a_watcher_or_the_store_dies(
    project: Project, receiver: HttpReceiver, postgres: PostgresServer
) -> None:
    first = project.start("watch", env={"CELSCHED_FAULT": "notice.leased"})
    pass_group_wait(project)
    assert killed(first), project.said()
    (down,) = unsent(project)
    assert (keys(receiver), down.partition("#")[0]) == ([], "daemon_down")

    pass_hold(project)
    second = project.start("watch", env={"CELSCHED_FAULT": "notice.sent"})
    assert killed(second), project.said()
    assert (keys(receiver), unsent(project)) == ([down], [down])

    postgres.restart("immediate")
    pass_hold(project)
    queue(project.store, *(message(incident, "تلگرام") for incident in MANY))
    for _ in range(2):
        project.start("watch")
    wait_until(lambda: not unsent(project), timeout=PATIENCE, message=f"all is sent\n{project.said()}", every=0.1)

    assert Counter(keys(receiver)) == Counter([down, down, *MANY])
    assert [daemon.stop() for daemon in project.daemons[2:]] == [0, 0]
    assert len(keys(receiver)) == len(MANY) + 2


def test_a_daemon_tells_that_the_last_watcher_died(project: Project, receiver: HttpReceiver) -> None:
    watcher = project.start("watch")
    wait_until(lambda: project.store.read(stored.firing), timeout=PATIENCE, message=f"it looks\n{project.said()}")
    watcher.stop(signal.SIGKILL)
    long_ago = {"beat_at": project.store.clock.now() - timedelta(hours=1)}
    project.store.write(lambda tx: tx.execute(update(instances).values(long_ago)).rowcount)
    project.start("run")

    def watch_down() -> bool:
        return project.store.read(lambda tx: stored.fires(tx, "watch_down:all"))

    wait_until(watch_down, timeout=PATIENCE, message=f"the daemon sees it\n{project.said()}")
    pass_group_wait(project)
    told = wait_until(lambda: sorted(keys(receiver)), timeout=PATIENCE, message=f"and tells it\n{project.said()}")
    assert [key.partition("#")[0] for key in told] == ["watch_down"], "it does not tell that no daemon runs"
