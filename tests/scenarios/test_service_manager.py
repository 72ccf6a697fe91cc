"""What a service manager sees: readiness, the watchdog, the status, a worker that has gone deaf, and the unit files.

It never starts systemd; a socket stands in for it.
"""

import contextlib
import itertools
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.clock import SystemClock
from celsched.domain.execution import State
from celsched.store.store import open_store
from tests.scenarios.hard_project import hard_project, serves
from tests.support.project import Project
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BOUND = 60.0
TASKS = "schedules:\n  each second: {task: hello, every: 1s}\n"


class Manager:
    """A socket in the place of systemd: a thread of its own remembers what was said, and when."""

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self.heard: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        clock = SystemClock()
        while said := self._socket.recv(4000):
            self.heard.append((clock.monotonic(), said.decode()))

    def listen(self) -> list[str]:
        """Return all that was said so far, oldest first."""
        return [said for _, said in self.heard]

    def wait(self, text: str, count: int = 1, *, since: int | None = None) -> None:
        """Wait until so many datagrams hold the text, after the first `since` or else from now on."""
        begin = len(self.listen()) if since is None else since
        wait_until(
            lambda: sum(text in said for said in self.listen()[begin:]) >= count,
            timeout=BOUND,
            message=f"{count} times {text}, after {self.heard[-3:]}",
        )

    def longest_gap(self) -> float:
        """Return the longest time between two signs of life, in seconds."""
        at = [moment for moment, said in self.heard if "WATCHDOG=1" in said]
        return max(later - before for before, later in itertools.pairwise(at))

    def close(self) -> None:
        self._socket.sendto(b"", self._address)
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("own-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("own-postgres"))
    server.start()
    yield server
    server.stop("immediate")


def test_each_process_says_ready_alive_and_stopping_and_lives_on_without_its_store(
    tmp_path: Path, redis: RedisServer, postgres: PostgresServer
) -> None:
    url = postgres.create_database("notify")
    open_store(url, upgrade=True).close()
    servers = f'database_url = "{url}"\nbroker_url = "{redis.url}"\nqueues = ["default"]\n'
    addresses = {"run": f"@{tmp_path}/run", "worker": f"{tmp_path}/worker.socket", "watch": f"{tmp_path}/watch.socket"}
    with contextlib.ExitStack() as stack:
        managers = {role: stack.enter_context(contextlib.closing(Manager(at))) for role, at in addresses.items()}
        project = stack.enter_context(hard_project(tmp_path, settings=servers, tasks=TASKS))
        started = {
            role: project.start(role, *(["-c", "1"] if role == "worker" else []), env={"NOTIFY_SOCKET": at})
            for role, at in addresses.items()
        }
        wait_until(lambda: managers["run"].listen(), timeout=BOUND, message="the daemon is ready")
        # Ready means that the first scan is done, and a fire time was due before it.
        assert project.executions("--schedule", "each second") != []
        for role, manager in managers.items():
            wait_until(lambda manager=manager: len(manager.listen()) >= 2, timeout=BOUND, message=f"{role} lives")  # type: ignore[misc]
            assert manager.heard[0][1] == "READY=1", role
            assert "WATCHDOG=1\nSTATUS=" in manager.heard[1][1], role
        serves(project)
        managers["run"].wait("STATUS=last scan", 2)
        managers["worker"].wait("executions running", 2)
        since = {role: len(manager.listen()) for role, manager in managers.items()}
        postgres.stop("immediate")
        for role, count in (("run", 2), ("watch", 1)):
            managers[role].wait("WATCHDOG=1\nSTATUS=the store does not answer", count, since=since[role])
        managers["worker"].wait("WATCHDOG=1", 3)
        postgres.start()
        managers["run"].wait("STATUS=last scan")
        managers["watch"].wait("alerts fire")
        serves(project)
        for role, manager in managers.items():
            assert manager.longest_gap() < 15, role
            assert started[role].stop(signal.SIGTERM, BOUND) == 0
            wait_until(lambda manager=manager: "STOPPING=1" in manager.listen(), message=f"{role} said that it stops")  # type: ignore[misc]
            said = manager.listen()
            assert said.count("READY=1") == 1, role


def test_a_worker_that_no_longer_hears_ends_with_75_and_the_next_one_does_its_work(
    tmp_path: Path, redis: RedisServer
) -> None:
    with hard_project(tmp_path, settings=f'broker_url = "{redis.url[:-1]}5"\nqueues = ["default"]\n') as project:
        project.start("run")
        deaf = project.start("worker", "-c", "1", module="tests.scenarios.deaf_worker", env={"PYTHONPATH": str(ROOT)})
        serves(project)
        project.write("deaf", "")
        asked = [project.ask("hello", name=f"unheard {number}") for number in range(3)]
        assert deaf.wait(BOUND) == 75, project.said()
        assert "receives nothing from its queues" in deaf.err
        assert [one for one in asked if project.state(one) is State.QUEUED] != []
        project.start("worker", "-c", "1")
        for number, one in enumerate(asked):
            project.wait_for(one, State.SUCCEEDED, timeout=BOUND)
            assert len(project.wait_for_note(f"unheard {number}")) == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd on this machine")
def test_systemd_accepts_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("celsched.toml", 'broker_url = "redis://localhost/0"\n')
    program, units = str(Path(sys.executable).with_name("celsched")), {}
    for text in project.call("systemd", "--user", "daemon").out.split("# /etc/systemd/system/")[1:]:
        name, _, body = text.partition("\n")
        units[name] = body
    assert sorted(units) == ["celsched-watch.service", "celsched-worker.service", "celsched.service"]
    for example in (ROOT / "examples" / "systemd").glob("*.service"):
        here = example.read_text().replace("/opt/celsched/bin/celsched", program)
        units[f"example-{example.name}"] = here.replace("User=celsched", "User=daemon")
    assert len(units) == 6
    paths = [str(project.write(name, text)) for name, text in units.items()]
    verified = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, timeout=BOUND)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", *paths]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=BOUND)
    levels = dict(re.findall(r"exposure level for (\S+): (\S+)", judged.stdout))
    assert len(levels) == 6, judged.stderr
    # A worker runs what its owner wrote, whatever that needs; the others need little.
    assert {name for name, level in levels.items() if float(level) > 4} == {name for name in levels if "worker" in name}
