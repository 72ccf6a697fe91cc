"""Decides whether a person's request may run beside what is active. It never records one (`operations` do)."""

from dataclasses import dataclass

from celsched.domain.plan import Active
from celsched.domain.policy import Overlap
from celsched.errors import Conflict


@dataclass(frozen=True, slots=True)
class Admission:
    """How a request is recorded: it waits for what is active; with `cancels` the earlier ones are cancelled first."""

    waits: bool = False
    cancels: bool = False


def admit(schedule: str, overlap: Overlap, active: Active) -> Admission:
    """Return how a request for one execution of `schedule` is recorded.

    Raises:
        Conflict: the policy refuses it; nothing is to be recorded.
    """
    match overlap:
        case Overlap.ALLOW:
            return Admission()
        case Overlap.CANCEL_RUNNING:
            return Admission(waits=bool(active.claimed or active.chain), cancels=True)
        case Overlap.QUEUE_ONE if active.waiting:
            raise Conflict(
                f"an execution of '{schedule}' already waits for the running one",
                hint="wait for it (`celsched executions --schedule ...`), or add --overlap allow",
            )
        case Overlap.QUEUE_ONE:
            return Admission(waits=active.any)
        case _ if active.any:
            raise Conflict(
                f"an execution of '{schedule}' is active, and its overlap policy is skip",
                hint="add --overlap queue_one to run after it, or --overlap allow to run beside it",
            )
    return Admission()
