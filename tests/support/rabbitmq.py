"""Owns a real RabbitMQ for tests: a node with its own name, ports, data and cookie, on this machine only.

It never touches a node that runs already, nor Debian's own data: even the port mapper (epmd) is one of its own.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.support.services import Server, free_port, plain_environment
from tests.support.waiting import wait_until

_PLACES = ("/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/local/sbin")
_USER = "celsched"
PASSWORD = "geh@im:7/ram?z"
"""With characters that an URL must not hold as they are."""


def find_rabbitmq() -> str | None:
    """Return the path of an installed `rabbitmq-server`; not Debian's wrapper, which insists on its own user."""
    places = [place for place in _PLACES if Path(place).is_dir()]
    return next((path for place in places if (path := shutil.which("rabbitmq-server", path=place))), None) or (
        shutil.which("rabbitmq-server")
    )


class RabbitServer(Server):
    """A RabbitMQ whose queues and messages outlive a stop and a kill; `close` ends its port mapper too."""

    start_timeout = 120.0

    def __init__(self, folder: Path, program: str) -> None:
        super().__init__(folder, None, "127.0.0.1")
        self._program = Path(program)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._mapper_port = free_port()
        self._node = f"celsched-{self.port}@localhost"
        (folder / "rabbitmq.conf").write_text(f"default_user = {_USER}\ndefault_pass = {PASSWORD}\n")
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "env.conf").touch()
        self._environment = {
            **plain_environment(),
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),  # of the cookie
            "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": self.host,
            "RUNNING_UNDER_SYSTEMD": "true",  # the node replaces its start script, so that signals reach it
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
        }

    @property
    def url(self) -> str:
        """The URL of the virtual host that is always there."""
        return self.url_of("")

    def url_of(self, vhost: str) -> str:
        """Return the URL of a virtual host."""
        return f"amqp://{_USER}:{quote(PASSWORD, safe='')}@{self.host}:{self.port}/{vhost}"

    def start(self) -> None:
        """Start the node, with what it held before, and return once it takes clients."""
        if self._mapper is None:
            command = ["epmd", "-port", str(self._mapper_port), "-address", self.host]
            with self.log.open("ab") as log:
                self._mapper = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
            wait_until(lambda: _listens(self.host, self._mapper_port), message="epmd listens")
        self._spawn([str(self._program)], lambda: _listens(self.host, self.port), env=self._environment)

    def stop(self) -> None:
        """Stop the node politely; clients are told."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node with SIGKILL."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End everything that was started."""
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None

    def add_vhost(self, name: str) -> str:
        """Make an empty virtual host; return its URL."""
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, _USER, ".*", ".*", ".*")
        return self.url_of(name)

    def control(self, *words: str) -> str:
        """Call `rabbitmqctl`, which must succeed; return what it says."""
        command = [str(self._program.with_name("rabbitmqctl")), "-q", "-n", self._node, *words]
        done = subprocess.run(command, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        assert done.returncode == 0, f"rabbitmqctl {' '.join(words)}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()


@contextlib.contextmanager
def rabbit_in(folder: Path, program: str) -> Iterator[RabbitServer]:
    """Run a node while the block lasts; nothing of it is left afterwards, also where it does not start."""
    server = RabbitServer(folder, program)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False
