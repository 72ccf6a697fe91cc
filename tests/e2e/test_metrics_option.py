"""`--metrics` of `run` and `watch` as processes: both answer Prometheus, and what cannot be used is said at once."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.project import Project, project_in
from tests.support.services import free_port
from tests.support.waiting import wait_until

QUICK = 'heartbeat = "1s"\nlease = "3s"\ndrain = "2s"\nkill_grace = "300ms"\n'
SCHEDULE = "version: 1\ntasks: {سلام: {task_path: jobs.hello}}\nschedules: {هر ساعت: {task: سلام, every: 1h}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with project_in(tmp_path, extra_settings=QUICK) as made:
        made.apply(SCHEDULE)
        yield made


def _scrape(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    except URLError:
        return ""


def test_the_daemon_and_the_watcher_tell_the_same(project: Project) -> None:
    ports = [free_port(), free_port()]
    daemons = [
        project.start(word, "--metrics", f"{host}:{port}")
        for word, host, port in zip(("run", "watch"), ("127.0.0.1", ""), ports, strict=True)
    ]
    wanted = ('celsched_instances_up{kind="worker"} 1.0', 'celsched_instances_up{kind="watcher"} 2.0')

    for port in ports:
        wait_until(
            lambda port=port: all(line in _scrape(port) for line in wanted),  # type: ignore[misc]
            timeout=40,
            message=f"all are up\n{_scrape(port)}\n{project.said()}",
        )

    text = _scrape(ports[1])
    assert 'celsched_instances_up{kind="daemon"} 1.0' in text
    assert "celsched_schedules_active 1.0" in text
    assert [daemon.stop() for daemon in daemons] == [0, 0]


@pytest.mark.parametrize("words", [["run", "--for", "1m"], ["watch"]])
def test_an_address_that_is_taken_ends_it_at_once(project: Project, words: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = project.run(*words, "--metrics", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.code == 78
    assert "cannot be used: Address already in use" in ended.err
    assert project.json("instances") == [], "nobody is said to live"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:۹۱۵۰"])
def test_what_is_no_address_is_refused(project: Project, address: str) -> None:
    ended = project.call("watch", "--metrics", address)
    assert ended.code == 2
    assert "is not HOST:PORT" in ended.err


def test_one_look_has_nobody_to_scrape_it(project: Project) -> None:
    ended = project.call("watch", "--once", "--metrics", "127.0.0.1:9150")
    assert ended.code == 2
    assert "--once" in ended.err
