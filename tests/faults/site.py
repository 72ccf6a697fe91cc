"""Owns an installation to be broken: a project folder, a store, a broker, two daemons and two workers, all real.

It breaks nothing itself; `mischief` does.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from celsched.store.store import Store, open_store
from tests.faults import bodies
from tests.faults.crew import Crew, Member, children
from tests.faults.history import Planned
from tests.faults.workload import manifest_of
from tests.support.services import PostgresServer, RedisServer
from tests.support.waiting import wait_until

StoreKind = Literal["postgresql", "sqlite"]

_ROOT = Path(__file__).resolve().parents[2]
_SETTINGS = """task_modules = ["jobs.*"]
lease = "6s"
heartbeat = "1s"
republish = "2s"
kill_grace = "1s"
drain = "3s"
"""


class Site:
    """One installation in a folder. `planted`: a known fault that `tests.faults.planted` puts into its processes."""

    def __init__(self, folder: Path, kind: StoreKind, planted: str | None = None) -> None:
        self.folder, self.kind = folder, kind
        self.project = folder / "project"
        self.records = folder / "records"
        self.database = self.project / "data.db"
        self.broker_folder = self.project / ".celsched" / "broker"
        self._planted = planted
        for made in (self.project, self.records, folder / "postgres", folder / "redis"):
            made.mkdir(parents=True)
        self.postgres = PostgresServer(folder / "postgres") if kind == "postgresql" else None
        self.redis = RedisServer(folder / "redis") if kind == "postgresql" else None
        self.url = f"sqlite:///{self.database}"
        self.store: Store | None = None
        self.crew = Crew([])

    def start(self) -> None:
        """Start services and crew, and return once all serve."""
        settings = _SETTINGS
        if self.postgres and self.redis:
            self.postgres.start()
            self.redis.start()
            self.url = self.postgres.create_database("faults")
            settings += f'broker_url = "{self.redis.url}"\n'
        settings += f'database_url = "{self.url}"\n'
        (self.project / "celsched.toml").write_text(settings)
        shutil.copy(bodies.__file__, self.project / "jobs.py")
        self.command("db", "upgrade")
        self.store = open_store(self.url)
        daemon, worker = ["run"], ["worker", "-c", "2"]
        kinds = [("daemon", daemon)] * 2 + ([("worker", worker)] * 2 if self.redis else [])
        self.crew = Crew(
            [
                Member(f"{kind}{number}", kind, self._program(*words), self.project, self._environment())
                for number, (kind, words) in enumerate(kinds, 1)
            ]
        )
        self.crew.start()
        wait_until(self._serves, timeout=60, message="two daemons and two workers serve")

    def apply(self, planned: list[Planned]) -> None:
        """Put the schedules in force."""
        file = self.project / "manifest.yaml"
        file.write_text(manifest_of(planned))
        self.command("apply", "-f", str(file), "--yes")

    def command(self, *words: str) -> str:
        """Run a command of celsched in the project and return its results."""
        done = subprocess.run(
            [sys.executable, "-m", "celsched", *words],
            cwd=self.project,
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"celsched {words} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def worker_mains(self) -> list[int]:
        """Return the main processes of the workers that live."""
        if self.redis:
            return [member.pid for member in self.crew.of_kind("worker") if member.pid]
        daemons = [member.pid for member in self.crew.of_kind("daemon") if member.pid]
        return [pid for daemon in daemons for pid, command in children(daemon) if "--embedded" in command]

    def pool_children(self) -> list[int]:
        """Return the pool children that live, of all workers."""
        mains = self.worker_mains()
        return [pid for main in mains for pid, command in children(main) if "reaper.py" not in command]

    def logs(self) -> list[Path]:
        """Return where the crew writes."""
        return [member.log for member in self.crew.members if member.log.exists()]

    def close(self) -> None:
        """End everything that is left, whatever happened before."""
        self.crew.abandon()
        if self.store is not None:
            self.store.close()
        for server in (self.redis, self.postgres):
            if server is not None and server.running():
                server.sigcont()
        if self.redis:
            self.redis.kill()
        if self.postgres:
            self.postgres.stop("immediate")

    def _serves(self) -> bool:
        # Ready is what the instances say, not a line in a log: rows are written once the pools are up.
        return len(self.worker_mains()) == 2 and len(self.pool_children()) >= 4

    def _program(self, *words: str) -> list[str]:
        if self._planted is None:
            return [sys.executable, "-m", "celsched", *words]
        return [sys.executable, "-m", "tests.faults.planted", self._planted, *words]

    def _environment(self) -> Mapping[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return keep | {
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PYTHONUTF8": "1",
            "PYTHONPATH": str(_ROOT),
            "FAULTS_RECORDS": str(self.records),
        }
