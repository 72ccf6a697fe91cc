"""Whether a person's request may run beside what is active: every policy with everything that can be active."""

import pytest

from celsched.domain.admission import Admission, admit
from celsched.domain.plan import Active
from celsched.domain.policy import Overlap
from celsched.errors import Conflict

OPEN, RUNNING, CHAIN, WAITING = Active(open=1), Active(claimed=1), Active(chain=1), Active(claimed=1, waiting=1)
NOW, AFTER = Admission(), Admission(waits=True)
REPLACES, REPLACES_AFTER = Admission(cancels=True), Admission(waits=True, cancels=True)


@pytest.mark.parametrize(
    ("overlap", "active", "expected"),
    [
        (Overlap.SKIP, Active(), NOW),
        (Overlap.SKIP, Active(waiting=1), NOW),
        (Overlap.ALLOW, Active(), NOW),
        (Overlap.ALLOW, OPEN, NOW),
        (Overlap.ALLOW, RUNNING, NOW),
        (Overlap.ALLOW, CHAIN, NOW),
        (Overlap.ALLOW, WAITING, NOW),
        (Overlap.QUEUE_ONE, Active(), NOW),
        (Overlap.QUEUE_ONE, OPEN, AFTER),
        (Overlap.QUEUE_ONE, RUNNING, AFTER),
        (Overlap.QUEUE_ONE, CHAIN, AFTER),
        (Overlap.CANCEL_RUNNING, Active(), REPLACES),
        (Overlap.CANCEL_RUNNING, OPEN, REPLACES),
        (Overlap.CANCEL_RUNNING, RUNNING, REPLACES_AFTER),
        (Overlap.CANCEL_RUNNING, CHAIN, REPLACES_AFTER),
        (Overlap.CANCEL_RUNNING, WAITING, REPLACES_AFTER),
    ],
)
def test_a_request_is_admitted(overlap: Overlap, active: Active, expected: Admission) -> None:
    assert admit("شبانه", overlap, active) == expected


@pytest.mark.parametrize(
    ("overlap", "active", "hint"),
    [
        (Overlap.SKIP, OPEN, "--overlap queue_one"),
        (Overlap.SKIP, RUNNING, "--overlap queue_one"),
        (Overlap.SKIP, CHAIN, "--overlap queue_one"),
        (Overlap.QUEUE_ONE, WAITING, "--overlap allow"),
    ],
)
def test_a_request_is_refused_with_the_way_out(overlap: Overlap, active: Active, hint: str) -> None:
    with pytest.raises(Conflict, match="شبانه") as caught:
        admit("شبانه", overlap, active)

    assert caught.value.hint is not None
    assert hint in caught.value.hint
