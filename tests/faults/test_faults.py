"""Three minutes of `python -m tests.faults`: planted faults must be found, and real runs must come out clean."""

from pathlib import Path

import pytest

from tests.faults.drive import Order, run
from tests.faults.report import as_table, numbers
from tests.faults.site import StoreKind

# Not in the default run: `.ci/run` calls them apart, because they take minutes and a machine of their own.
pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        ("unguarded_mark", "started twice"),
        ("select_then_update", "started twice"),
        ("float_fire_time", "missing"),
    ],
)
def test_a_planted_fault_is_found_although_nothing_is_broken(tmp_path: Path, planted: str, kind: str) -> None:
    order = Order(tmp_path, "postgresql", 3, seconds=2, calm=3, faults="none", planted=planted, quiet=5)
    assert kind in {found.kind for found in run(order).violations}


@pytest.mark.parametrize("store", ["postgresql", "sqlite"])
def test_a_short_run_keeps_every_promise(tmp_path: Path, store: StoreKind) -> None:
    outcome = run(Order(tmp_path, store, 7, seconds=22, calm=4, least_faults=2))
    assert outcome.violations == [], as_table([numbers(outcome)])
