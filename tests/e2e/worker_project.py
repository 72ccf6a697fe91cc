"""Owns a project in a folder with user code, a store, a broker and real workers, for the tests of the worker.

It never schedules: a test records executions and rings for them itself.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celsched.broker.app import make_app
from celsched.broker.message import Message, task_id
from celsched.broker.publisher import Publisher
from celsched.domain.execution import TERMINAL, Execution, State
from celsched.settings import Settings, load, subprocess_environment
from celsched.store.meta import store_word
from celsched.store.store import Store, open_store
from tests.support.executions import add_execution, execution_of
from tests.support.waiting import wait_until

_RUN = """
import sys
from celsched.settings import load
from celsched.store.store import open_store
from celsched.worker.main import Shape, run_worker

settings = load({})
store = open_store(settings.database_url.reveal())
sys.exit(run_worker(settings, store, Shape(int(sys.argv[1]), sys.argv[2].split(","))))
"""


@dataclass
class WorkerProject:
    """A folder with `jobs.py` and a store; `start` starts a worker process."""

    folder: Path
    settings: Settings
    store: Store
    publisher: Publisher
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    sends: int = 0

    @property
    def log(self) -> str:
        """What the workers said."""
        return (self.folder / "worker.log").read_text(errors="replace")

    def start(self, concurrency: int = 1, queues: str = "default") -> "subprocess.Popen[bytes]":
        """Start a worker; return at once."""
        environment = subprocess_environment(self.settings, os.environ)
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _RUN, str(concurrency), queues],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.workers.append(process)
        return process

    def add(self, function: str, params: Mapping[str, Any] | None = None, **options: Any) -> int:
        """Record an execution of a function of `jobs.py` and ring for it."""
        execution_id = add_execution(self.store, f"jobs.{function}", params, **options)
        self.ring(execution_id)
        return execution_id

    def ring(self, execution_id: int, attempt: int = 1) -> None:
        """Publish the message of an attempt."""
        self.sends += 1
        word = self.store.write(store_word)
        queue = str(execution_of(self.store, execution_id).recipe.queue_name)  # type: ignore[union-attr]
        self.publisher.publish(
            Message(word, execution_id, attempt),
            task_id=task_id(word, execution_id, attempt, self.sends),
            queue=queue,
            priority=5,
        )

    def state(self, execution_id: int) -> State:
        """Return the state of an execution now."""
        return execution_of(self.store, execution_id).state

    def wait_for(self, execution_id: int, state: State, timeout: float = 20.0) -> Execution:
        """Wait until the execution has this state; where it ends otherwise, fail with what is known."""

        def there() -> Execution | None:
            found = execution_of(self.store, execution_id)
            if found.state in TERMINAL and found.state is not state:
                raise AssertionError(f"it ended as {found.state}, {found.error}; the workers said:\n{self.log[-3000:]}")
            return found if found.state is state else None

        return wait_until(there, timeout=timeout, message=f"execution {execution_id} is {state}:\n")  # type: ignore[return-value]

    def note(self, name: str) -> str | None:
        """Return what a body wrote into a file of this name, None where it has not."""
        path = self.folder / name
        return path.read_text() if path.exists() and path.read_text() else None

    def wait_for_note(self, name: str, timeout: float = 20.0) -> str:
        """Wait until a body has written a file of this name."""
        return wait_until(lambda: self.note(name), timeout=timeout, message=f"{name} is written") or ""

    def close(self) -> None:
        """End what still runs."""
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            if process.poll() is None:
                process.kill()
                process.wait()
        self.publisher.close()
        self.store.close()


@contextlib.contextmanager
def worker_project(folder: Path, jobs: str, **settings: Any) -> Iterator[WorkerProject]:
    """Make a project with this `jobs.py`; everything it started is ended afterwards."""
    (folder / "jobs.py").write_text(jobs)
    flags = {"task_modules": ["jobs.*"], "data_folder": str(folder / "data"), "python_path": [str(folder)], **settings}
    loaded = load(flags, env={}, cwd=folder)
    store = open_store(loaded.database_url.reveal())
    url = "" if loaded.broker_url is None else loaded.broker_url.reveal()
    broker = loaded.data_folder / "broker" if loaded.embedded else None
    app = make_app(url, embedded_folder=broker, role="daemon")
    project = WorkerProject(folder, loaded, store, Publisher(app))
    try:
        yield project
    finally:
        project.close()


def lives(pid: int) -> bool:
    """Return whether a process lives; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
