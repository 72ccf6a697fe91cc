"""What becomes of a fire time while something of its schedule is active, for every policy and every kind of active."""

import pytest

from celsched.domain.plan import Active, plan
from celsched.domain.policy import Overlap
from celsched.timing.interval import Interval
from tests.unit.domain.planning import BASE, SECOND, at, hourly, skips

SKIP, ALLOW, QUEUE_ONE, CANCEL = Overlap.SKIP, Overlap.ALLOW, Overlap.QUEUE_ONE, Overlap.CANCEL_RUNNING
GOES, WAITS, SKIPPED = "goes", "waits", "skipped"


@pytest.mark.parametrize(
    ("overlap", "active", "fate", "cancels"),
    [
        (SKIP, Active(), GOES, False),
        (SKIP, Active(open=1), SKIPPED, False),
        (SKIP, Active(claimed=1), SKIPPED, False),
        (SKIP, Active(chain=1), SKIPPED, False),
        (ALLOW, Active(), GOES, False),
        (ALLOW, Active(open=1, claimed=1, chain=1, waiting=1), GOES, False),
        (QUEUE_ONE, Active(), GOES, False),
        (QUEUE_ONE, Active(open=1), WAITS, False),
        (QUEUE_ONE, Active(claimed=1), WAITS, False),
        (QUEUE_ONE, Active(chain=1), WAITS, False),
        (QUEUE_ONE, Active(claimed=1, waiting=1), SKIPPED, False),
        (QUEUE_ONE, Active(waiting=1), SKIPPED, False),
        (CANCEL, Active(), GOES, False),
        (CANCEL, Active(open=1), GOES, True),
        (CANCEL, Active(claimed=1), WAITS, True),
        (CANCEL, Active(claimed=1, open=1, waiting=1), WAITS, True),
        (CANCEL, Active(waiting=1), GOES, True),
        (CANCEL, Active(chain=1), WAITS, False),
    ],
)
def test_one_fire_time_meets_what_is_active(overlap: Overlap, active: Active, fate: str, cancels: bool) -> None:
    made = plan(hourly(overlap=overlap), BASE, 0, at(1), active)

    assert made.overlapped == (fate == SKIPPED)
    if fate == SKIPPED:
        assert made.fires == ()
        assert skips(made) == [(1, 1, 1, "overlap")]
    else:
        (fire,) = made.fires
        assert (fire.waits, fire.cancels, fire.chain) == (fate == WAITS, cancels, False)
        assert made.skips == ()


@pytest.mark.parametrize(
    ("overlap", "waits", "skipped"),
    [
        (SKIP, [(10, False)], [20, 30]),
        (ALLOW, [(10, False), (20, False), (30, False)], []),
        (QUEUE_ONE, [(10, False), (20, True)], [30]),
        # The older ones would be cancelled by the younger before they could start.
        (CANCEL, [(30, False)], [10, 20]),
    ],
)
def test_several_young_fire_times_meet_each_other(
    overlap: Overlap, waits: list[tuple[int, bool]], skipped: list[int]
) -> None:
    made = plan(hourly(rule=Interval(10 * SECOND, BASE), overlap=overlap), BASE, 0, BASE + 30 * SECOND, Active())

    assert not made.overlapped, "nothing was there before"
    assert [((fire.fire_time - BASE) / SECOND, fire.waits) for fire in made.fires] == waits
    assert sum(skip.count for skip in made.skips) == len(skipped)
    if skipped:
        (one,) = made.skips  # a run of them is one range
        assert (one.first, one.last) == (BASE + skipped[0] * SECOND, BASE + skipped[-1] * SECOND)
        assert one.reason == "overlap"
