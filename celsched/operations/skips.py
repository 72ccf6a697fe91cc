"""Owns the plain words for each reason why a fire time made no execution, with the policy values. Pure."""

from dataclasses import dataclass
from datetime import datetime

from celsched.domain.definition import Effective
from celsched.domain.execution import Execution, Reason
from celsched.domain.plan import CATCH_UP_CAP
from celsched.operations.wording import moment, span
from celsched.store.overview import Deed


@dataclass(frozen=True, slots=True)
class SkipFacts:
    """What was found about a skipped row beyond its record."""

    policies: Effective
    blocker: Execution | None = None
    stand_in: Execution | None = None
    """The newer fire time that ran instead."""
    pause: Deed | None = None


def skip_reason(row: Execution, at: datetime, facts: SkipFacts) -> str:
    """Return why the fire time `at` of the skipped `row` made no execution, as the end of a sentence."""
    policies = facts.policies
    found = f"a daemon found it due {span(row.created_at - at)} after its time"
    match row.reason:
        case Reason.PAUSED:
            return f"the schedule was {_paused(facts.pause, policies)} then"
        case Reason.DELETED:
            return "the schedule was deleted before a daemon had decided it"
        case Reason.TOO_LATE:
            return f"{found}, and catch_up_window is {span(policies.catch_up_window)}: no daemon ran in between"
        case Reason.MISFIRE_SKIP:
            return f"{found}, later than misfire_after ({span(policies.misfire_after)}), and misfire is skip"
        case Reason.COALESCED:
            instead = f"execution {facts.stand_in.id}" if facts.stand_in else "a newer fire time"
            return f"{found}, and misfire is {policies.misfire}: {instead} stood for it"
        case Reason.CATCH_UP_CAP:
            return f"{found}, and misfire run_all takes the newest {CATCH_UP_CAP} fire times only"
        case Reason.OVERLAP:
            return _overlap(facts)
    return str(row.reason or "no reason was recorded")


def _overlap(facts: SkipFacts) -> str:
    earlier = f"execution {facts.blocker.id}" if facts.blocker else "an earlier execution"
    return f"{earlier} was still active, and overlap is {facts.policies.overlap}"


def _paused(pause: Deed | None, policies: Effective) -> str:
    if pause is None:
        return "paused or disabled"
    why = pause.details.get("reason")
    text = f"paused (by {pause.user} at {moment(pause.at, policies.timezone)}"
    return f"{text}: {why})" if why else f"{text})"
