"""Measures a scrape of the metrics on 10,000 schedules and 1,000,000 executions. It is a program, not a test.

PYTHONPATH=. python tests/benchmarks/scrape_million.py [--rows N] [--only sqlite|postgresql] [--keep FOLDER]
The databases are those of `watch_million`; a folder that it kept is used again.
"""

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from celsched.monitor.metrics import StoreCollector
from celsched.store.store import Store, open_store
from tests.benchmarks.watch_million import NOW, databases, fill, timed
from tests.support.clock import ManualClock
from tests.support.services import PostgresServer


def main() -> int:
    """Fill the databases where they are empty, and print the times."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--only", choices=["sqlite", "postgresql"])
    options.add_argument("--keep", type=Path, help="a folder for the databases; a filled one is used again")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if given.only != "postgresql":
            measure(open_store(f"sqlite:///{folder / 'watch.db'}"), given.rows)
        if given.only != "sqlite":
            server = PostgresServer(folder)
            server.start()
            try:
                if "watch" not in databases(server):
                    server.create_database("watch")
                measure(open_store(server.database_url("watch"), upgrade=True), given.rows)
            finally:
                server.stop()
    return 0


def measure(store: Store, rows: int) -> None:
    """Time scrapes: the first one has opened no connection yet."""
    name = store.dialect.name
    if not store.read(lambda tx: tx.scalar(text("SELECT count(*) FROM task_definitions"))):
        timed(f"{name}: fill", lambda: fill(store, rows))
    collector = StoreCollector(store, ManualClock(NOW), timedelta(seconds=10))
    for number in range(1, 8):
        families = timed(f"{name}: scrape {number}", lambda: list(collector.collect()))
    values = {family.name: family.samples[0].value for family in families if len(family.samples) == 1}
    assert values["celsched_store_up"] == 1
    sys.stdout.write(f"    {len(families)} metrics; {values['celsched_last_hour_runs']:.0f} runs in the last hour\n")
    store.close()


if __name__ == "__main__":
    sys.exit(main())
