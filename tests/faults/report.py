"""Owns what is told of fault runs: a table for people and JSON for the rest. It never judges."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.faults.drive import Outcome
from tests.faults.lateness import Start, percentile, starts
from tests.faults.reading import Reading


def numbers(outcome: Outcome) -> dict[str, Any]:
    """Return the numbers of one run."""
    history, order = outcome.history, outcome.order
    reading = Reading(history)
    all_begun = starts(reading)
    begun, again = ([one for one in all_begun if (one.run.attempt > 1) is more] for more in (False, True))
    healthy = [one for one in begun if not one.faults]
    broken = [one for one in begun if one.faults]
    kinds = Counter(one.kind for one in outcome.violations)
    faults = [fault for fault in history.faults if not fault.part]
    return {
        "store": order.store,
        "seed": order.seed,
        "seconds": order.seconds,
        "planted": order.planted,
        "faults": dict(sorted(Counter(fault.kind for fault in faults).items())),
        "fault_count": len(faults),
        "fire_times": sum(len(one.fire_times()) for one in history.planned),
        "starts": sum(len(run.starts) for run in reading.runs.values()),
        "executions": len(history.rows),
        "states": dict(sorted(Counter(row.state for row in history.rows).items())),
        "lost_attempts": sum(one.state == "lost" for one in history.tries),
        "missing": kinds["missing"],
        "extra": kinds["extra"],
        "doubled": kinds["doubled"] + kinds["started twice"],
        "overlapped": kinds["overlap"],
        "late": kinds["late"],
        "healthy": _spread(healthy),
        "broken": _spread(broken),
        "again": _spread([one for one in again if not one.faults]),
        "again_broken": _spread([one for one in again if one.faults]),
        "settled": round(outcome.settled, 1),
        "slowest": [str(one) for one in sorted(healthy, key=lambda one: -one.late)[:5]],
        "held": {name: [round(used[0]), round(max(used)), round(used[-1])]
                 for name, used in sorted(outcome.series.items())},
        "violations": [{"kind": one.kind, "evidence": one.evidence} for one in outcome.violations],
    }  # fmt: skip


def _spread(begun: list[Start]) -> dict[str, float]:
    values = [one.late for one in begun]
    found = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": percentile(values, 1.0)}
    return {"count": len(values)} | {name: round(value, 3) for name, value in found.items()}


def as_json(runs: Sequence[dict[str, Any]]) -> str:
    """Return the numbers of all runs."""
    return json.dumps(list(runs), ensure_ascii=False, indent=1)


_HEAD = (
    "store", "seed", "faults", "fires", "starts", "lost", "missing", "extra", "doubled", "overlap", "late",
    "p50", "p99", "max", "(broken) p99", "max", "violations",
)  # fmt: skip


def as_table(runs: Sequence[dict[str, Any]]) -> str:
    """Return a line for each run, the faults by kind, and each violation."""
    lines = [_HEAD, *(_line(one) for one in runs)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    for one in runs:
        kinds = ", ".join(f"{kind} {count}" for kind, count in one["faults"].items())
        text += ["", f"{one['store']} seed {one['seed']}: {kinds or 'no faults'}"]
        text += [
            f"  attempts after the first: {one['again']}; with something broken: {one['again_broken']}",
            f"  states: {one['states']}; settled in {one['settled']} s",
            f"  first, most, last: {one['held']}",
        ]
        text += [f"  slow, nothing broken: {said}" for said in one["slowest"]]
        text += [f"  {found['kind'].upper()}: {found['evidence']}" for found in one["violations"][:60]]
    return "\n".join(text) + "\n"


def _line(one: dict[str, Any]) -> tuple[str, ...]:
    healthy, broken = one["healthy"], one["broken"]
    values = (
        one["store"], one["seed"], one["fault_count"], one["fire_times"], one["starts"], one["lost_attempts"],
        one["missing"], one["extra"], one["doubled"], one["overlapped"], one["late"], healthy["p50"], healthy["p99"],
        healthy["max"], broken["p99"], broken["max"], len(one["violations"]),
    )  # fmt: skip
    return tuple(str(value) for value in values)
