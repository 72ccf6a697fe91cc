"""Measures a scrape of the metrics on 10,000 schedules and 1,000,000 executions. It is a program, not a test.

PYTHONPATH=. python tests/benchmarks/scrape_million.py [--rows N] [--only sqlite|postgresql] [--keep FOLDER]
The databases are those of `watch_million`; a folder that it kept is used again.
"""

import argparse
import sys
from datetime import timedelta

from celsched.monitor.metrics import StoreCollector
from celsched.store.store import Store
from tests.benchmarks.million import on_both, options_of, timed
from tests.benchmarks.watch_million import NOW, filled
from tests.support.clock import ManualClock


def measure(store: Store, given: argparse.Namespace) -> None:
    """Time scrapes: the first one has opened no connection yet."""
    name = store.dialect.name
    filled(store, given.rows)
    collector = StoreCollector(store, ManualClock(NOW), timedelta(seconds=10))
    for number in range(1, 8):
        families = timed(f"{name}: scrape {number}", lambda: list(collector.collect()))
    values = {family.name: family.samples[0].value for family in families if len(family.samples) == 1}
    assert values["celsched_store_up"] == 1
    sys.stdout.write(f"    {len(families)} metrics; {values['celsched_last_hour_runs']:.0f} runs in the last hour\n")


if __name__ == "__main__":
    sys.exit(on_both(options_of(__doc__).parse_args(), "watch", measure))
