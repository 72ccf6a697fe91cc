"""Owns the due scan: lock what is due, let the planner decide, record it. It never talks to a broker."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from celsched.clock import Clock
from celsched.domain.compose import recipe_of, subject_of
from celsched.domain.definition import effective
from celsched.domain.execution import Reason, Recipe, Requester
from celsched.domain.options import Layer
from celsched.domain.plan import Active, Subject, decide
from celsched.settings.fault import Fault, no_fault
from celsched.store import audit, due
from celsched.store.definitions import StoredSchedule
from celsched.store.due import Broken, Decision
from celsched.store.store import Store, Tx
from celsched.store.transitions import active_of
from celsched.timing.instant import format_instant

log = logging.getLogger(__name__)
BATCH = 100
"""Schedules per transaction."""
_PATIENCE = 5.0
"""Seconds for which one scan tries: the daemon's loop tries again, and tells the service manager in between."""


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one scan did. `full`: the batch was full, so more may be due right now."""

    schedules: int = 0
    fires: int = 0
    skips: int = 0
    full: bool = False


class DueScan:
    """Decides every due fire time once, whoever else scans the same store."""

    def __init__(self, store: Store, clock: Clock, settings: Layer, by: Requester, *, fault: Fault = no_fault) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._zone: str = settings.get("timezone", "UTC")
        self._by = by
        self._fault = fault
        self._parts: dict[tuple[int, int, int, object], tuple[Subject, Recipe]] = {}

    def run_once(self) -> TickResult:
        """Decide up to `BATCH` due schedules in one transaction; raise what the store raises."""
        decisions = self._store.write(self._decide_due, patience=_PATIENCE)
        if decisions:
            self._fault("fires.committed")
        for decision in decisions:
            _tell(decision, self._zone)
        return TickResult(
            schedules=len(decisions),
            fires=sum(len(decision.plan.fires) for decision in decisions),
            skips=sum(skip.count for decision in decisions for skip in decision.plan.skips),
            full=len(decisions) >= BATCH,
        )

    def _decide_due(self, tx: Tx) -> list[Decision]:
        now = self._clock.now()
        locked, broken = due.lock_due(tx, now, BATCH)
        active = active_of(tx, [schedule.id for schedule in locked]) if locked else {}
        decisions = []
        for schedule in locked:
            try:
                decisions.append(self._decide(schedule, now, active.get(schedule.id, Active())))
            except Exception as error:  # a broken schedule must not stop the others
                broken.append(Broken(schedule.id, schedule.state.revision, schedule.name, str(error)))
        if decisions:
            broken += due.record_fenced(tx, decisions, now)
        for one in broken:
            _complain(one)
            due.mark_broken(tx, one, now)
        fenced = {one.schedule_id for one in broken}
        recorded = [decision for decision in decisions if decision.schedule.id not in fenced]
        for decision in recorded:
            if decision.resumed:
                audit.write(tx, self._by, audit.Event("resume", "schedule", decision.schedule.name), now)
        if recorded:
            self._fault("fires.recorded")
        return recorded

    def _decide(self, schedule: StoredSchedule, now: datetime, active: Active) -> Decision:
        subject, recipe = self._parts_of(schedule)
        return Decision(schedule, decide(subject, schedule.state, now, active), recipe, resumed=schedule.state.paused)

    def _parts_of(self, schedule: StoredSchedule) -> tuple[Subject, Recipe]:
        # Building a rule costs four times a call of it, so it is kept until either definition changes.
        key = (schedule.id, schedule.revision, schedule.task.revision, schedule.state.base)
        found = self._parts.get(key)
        if found is None:
            task, definition = schedule.task.definition, schedule.definition
            policies = effective(task, definition, self._settings)
            found = (subject_of(definition, policies, schedule.state.base), recipe_of(task, definition, policies))
            if len(self._parts) > 50_000:
                self._parts.clear()
            self._parts[key] = found
        return found


def _complain(broken: Broken) -> None:
    log.error(
        "schedule '%s' cannot be planned: %s",
        broken.name,
        broken.error,
        extra={"action": "broken", "schedule": broken.name},
    )


def _tell(decision: Decision, zone: str) -> None:
    name = decision.schedule.name
    for fire in decision.plan.fires:
        log.info(
            "dispatched '%s' for %s%s",
            name,
            format_instant(fire.fire_time, zone),
            " (waits)" if fire.waits else "",
            extra={"action": "dispatched", "schedule": name, "fire_time": fire.fire_time},
        )
    for skip in decision.plan.skips:
        say: Callable[..., None] = log.info if skip.reason in (Reason.OVERLAP, Reason.PAUSED) else log.warning
        say(
            "skipped %d fire time%s of '%s' from %s: %s",
            skip.count,
            "" if skip.count == 1 else "s",
            name,
            format_instant(skip.first, zone),
            skip.reason,
            extra={"action": "skipped", "schedule": name, "reason": str(skip.reason)},
        )
