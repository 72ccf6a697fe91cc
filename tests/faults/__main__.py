"""Owns `python -m tests.faults`: runs by seed on the stores asked for, a report, and 1 as exit code if one failed."""

import argparse
import pickle
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.drive import QUIET, Order, run
from tests.faults.report import as_json, as_table, numbers
from tests.faults.site import StoreKind


def _least(chosen: argparse.Namespace) -> int:
    """A run that breaks less than this proves nothing."""
    if chosen.no_faults:
        return 0
    return max(2, int(chosen.minutes * (0.8 if chosen.soak else 6)))


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the part with faults, of each run")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
    parser.add_argument("--store", choices=("postgresql", "sqlite", "both"), default="both")
    parser.add_argument("--planted", help="put this known fault into the processes (see tests/faults/planted.py)")
    parser.add_argument("--no-faults", action="store_true", help="break nothing")
    parser.add_argument("--soak", action="store_true", help="break only services, once a minute; what grows is judged")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good runs too")
    parser.add_argument("--slower", type=int, default=1, help="stretch the periods so many times (a loaded machine)")
    chosen = parser.parse_args()
    stores: tuple[StoreKind, ...] = ("postgresql", "sqlite") if chosen.store == "both" else (chosen.store,)
    runs = []
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        for store in stores:
            folder = Path(tempfile.mkdtemp(prefix=f"celsched-faults-{store}-{seed}-"))
            order = Order(
                folder,
                store,
                seed,
                chosen.minutes * 60,
                faults="none" if chosen.no_faults else "services" if chosen.soak else "all",
                pace=60.0 if chosen.soak else None,
                planted=chosen.planted,
                quiet=12.0 if chosen.planted else QUIET,
                least_faults=_least(chosen),
                slower=chosen.slower,
            )
            outcome = run(order)
            found = numbers(outcome)
            runs.append(found)
            (folder / "history.pickle").write_bytes(pickle.dumps(outcome.history))  # to be judged once more
            (folder / "report.json").write_text(as_json([found]))
            if found["violations"] or chosen.keep:
                sys.stderr.write(f"the evidence is in {folder}\n")
            else:
                shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(as_table(runs))
    if chosen.json:
        chosen.json.write_text(as_json(runs))
    return int(any(one["violations"] for one in runs))


if __name__ == "__main__":
    sys.exit(main())
