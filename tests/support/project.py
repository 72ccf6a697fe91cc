"""Owns a project in a folder as an operator has it: settings, tasks, a manifest, commands and daemons as processes.

It never writes to the store but by commands and operations. Conditions are polled in the store, which costs nothing;
what a test judges comes from commands, the ledger and what the tasks themselves wrote down.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.domain.execution import TERMINAL, Execution, Requester, State
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.settings import load
from celsched.store.store import Store, open_store
from tests.support.executions import execution_of
from tests.support.waiting import wait_until

TASKS = Path(__file__).with_name("project_tasks.py")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)


@dataclass
class Daemon:
    """A process that runs until it is stopped; what it says goes to files."""

    process: "subprocess.Popen[bytes]"
    out_file: Path
    err_file: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def out(self) -> str:
        """What it wrote to standard output so far."""
        return self.out_file.read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it wrote to standard error so far."""
        return self.err_file.read_text(errors="replace")

    def children(self) -> list[int]:
        """Return the living processes that descend from it."""
        return offspring_of(self.pid)

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20.0) -> int:
        """Send a signal, wait for the end and return the exit code."""
        self.process.send_signal(how)
        return self.wait(timeout)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for the end and return the exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout} s; it said:\n{self.err[-3000:]}") from None


@dataclass
class Project:
    """A folder with `celsched.toml`, `jobs.py` and whatever a test writes."""

    folder: Path
    daemons: list[Daemon] = field(default_factory=list)
    _store: Store | None = None

    @property
    def store(self) -> Store:
        """The project's store, opened at first use."""
        if self._store is None:
            self._store = open_store(load({}, env={}, cwd=self.folder).database_url.reveal())
        return self._store

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *words: str, timeout: float = 60.0, env: Mapping[str, str] | None = None) -> Ended:
        """Call a command and wait for its end; a traceback or a fault of ours is never an answer."""
        done = subprocess.run(
            self._command(words),
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
        )
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ended.err, ended.err
        assert ended.code != 70, ended.err
        return ended

    def call(self, *words: str) -> Ended:
        """Call a command within this process, many times faster than `run`; not for commands that run until stopped."""
        out, err = io.StringIO(), io.StringIO()
        code = main(words, cli=CliContext(stdin=io.StringIO(), stdout=out, stderr=err, env={}, cwd=self.folder))
        assert code != 70, err.getvalue()
        return Ended(int(code), out.getvalue(), err.getvalue())

    def done(self, *words: str, timeout: float = 60.0) -> Ended:
        """Call a command, which must succeed."""
        ended = self.run(*words, timeout=timeout)
        assert ended.code == 0, f"celsched {' '.join(words)} ended with {ended.code}:\n{ended.out}\n{ended.err}"
        return ended

    def json(self, *words: str) -> Any:
        """Call a command with `-o json` within this process, which must succeed; return what it wrote."""
        return self._called(*words, "-o", "json").json

    def _called(self, *words: str) -> Ended:
        ended = self.call(*words)
        assert ended.code == 0, f"celsched {' '.join(words)} ended with {ended.code}:\n{ended.out}\n{ended.err}"
        return ended

    def apply(self, manifest: str, name: str = "manifest.yaml") -> None:
        """Apply a manifest given as text."""
        self._called("apply", "-f", str(self.write(name, manifest)), "--no-import")

    def upgrade(self) -> None:
        """Make celsched's tables in a PostgreSQL database."""
        self._called("db", "upgrade")

    def start(self, *words: str, env: Mapping[str, str] | None = None, module: str = "celsched") -> Daemon:
        """Start a command and return at once; `module` is the program, where a test runs it with a change."""
        number = len(self.daemons)
        out, err = (self.folder / f"daemon-{number}.{kind}" for kind in ("out", "err"))
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                self._command(words, module),
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
            )
        daemon = Daemon(process, out, err)
        self.daemons.append(daemon)
        return daemon

    def ask(self, of: str, /, **params: Any) -> int:
        """Ask for an execution as `run-now` does, without the cost of a process; return its id."""
        scope = Scope(self.store, load({}, env={}, cwd=self.folder).fallback_layer(), Requester("tester", "here"))
        return run_now(scope, RunNow(of, params=params))

    def state(self, execution_id: int) -> State:
        """Return the state of an execution now."""
        return execution_of(self.store, execution_id).state

    def execution(self, execution_id: int) -> Any:
        """Return everything about an execution, as `show execution` does."""
        return self.json("show", "execution", str(execution_id))

    def executions(self, *words: str) -> list[Any]:
        """Return executions, oldest first."""
        return sorted(self.json("executions", "--limit", "1000", *words), key=lambda row: int(row["id"]))

    def wait_for(self, execution_id: int, *states: State, timeout: float = 20.0) -> Execution:
        """Wait until an execution has one of the states (any final one if none is given); return it."""
        wanted = set(states) or TERMINAL

        def there() -> Execution | None:
            found = execution_of(self.store, execution_id)
            if found.state in TERMINAL - wanted:
                raise AssertionError(f"it ended as {found.state}: {found.error}\n{self.said()}")
            return found if found.state in wanted else None

        try:
            found = wait_until(there, timeout=timeout, message=f"execution {execution_id} is {sorted(wanted)}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.state(execution_id)}\n{self.said()}") from None
        assert found is not None
        return found

    def notes(self, name: str | None = None) -> list[Any]:
        """Return what the tasks wrote down, in order: `event`, `name`, `at` and who they were."""
        path = self.folder / "notes.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines]
        return [note for note in found if name is None or note["name"] == name]

    def wait_for_note(self, name: str, count: int = 1, event: str = "begin", timeout: float = 20.0) -> list[Any]:
        """Wait until tasks wrote so many notes; return them."""

        def there() -> list[Any] | None:
            found = [note for note in self.notes(name) if note["event"] == event]
            return found if len(found) >= count else None

        return (
            wait_until(there, timeout=timeout, message=f"{count} times {event} of {name}; said:\n{self.said()}") or []
        )

    def said(self) -> str:
        """Return the end of what each daemon said."""
        return "\n".join(f"--- {daemon.pid}\n{daemon.err[-2500:]}" for daemon in self.daemons)

    def close(self) -> None:
        """End what still runs."""
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.process.send_signal(signal.SIGTERM)
        for daemon in self.daemons:
            left = daemon.children()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.process.wait(15)
            if daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()
            for pid in filter(lives, left):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._store is not None:
            self._store.close()

    @staticmethod
    def _command(words: Sequence[str], module: str = "celsched") -> list[str]:
        return [sys.executable, "-m", module, *words]


@contextlib.contextmanager
def project_in(folder: Path, *, extra_settings: str = "") -> Iterator[Project]:
    """Make a project; everything it started is ended afterwards."""
    project = Project(folder)
    project.write("celsched.toml", f'task_modules = ["jobs.*"]\ntimezone = "Asia/Tehran"\n{extra_settings}')
    project.write("jobs.py", TASKS.read_text())
    try:
        yield project
    finally:
        project.close()


def lives(pid: int) -> bool:
    """Return whether a process lives; a zombie does not."""
    return _state(pid) not in ("", "Z", "X")


def is_stopped(pid: int) -> bool:
    """Return whether a process is there and stopped by a signal."""
    return _state(pid) == "T"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def offspring_of(pid: int) -> list[int]:
    """Return the living processes that descend from a process."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        new = [one for one, of in parents.items() if of == parent and one not in found]
        found += new
        pending += new
    return [one for one in found if lives(one)]


def _parent(path: Path) -> int | None:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def all_gone(pids: Sequence[int]) -> Callable[[], bool]:
    """Return a condition: none of the processes lives."""
    return lambda: not any(map(lives, pids))
