"""Owns what one look of the watcher holds: facts, the alerts that live, the rules. It never judges any of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.domain.health.finding import Finding
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.machine_facts import MachineFacts
from celsched.domain.health.rules import Layer, Rule
from celsched.domain.health.watched import Edited, Living, RuleBook, Trouble, Watched
from celsched.domain.health.work_facts import WorkFacts


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that judges may use. A slice whose facts are None was not looked at: its judges find nothing.

    `schedules` by id; `troubles`: what went wrong since the last look, the newest of each schedule and kind of trouble;
    `living`: alerts by fingerprint; `heartbeat`: how often instances report; `started`: schedules that neither
    succeeded nor failed so far, and of which something has started; `task_successes`: the newest success of tasks whose
    function was not found; `task_layers`: what tasks say of alerts whose executions have no schedule, weakest first;
    `edited`: definitions that were changed by hand; `unread`: kinds whose facts could not be read, and why;
    `unknown`: schedules that could not be read.
    """

    now: datetime
    heartbeat: timedelta
    schedules: Mapping[int, Watched] = field(default_factory=dict)
    troubles: Sequence[Trouble] = ()
    started: frozenset[int] = frozenset()
    task_successes: Mapping[int, datetime | None] = field(default_factory=dict)
    living: Mapping[str, Living] = field(default_factory=dict)
    rules: RuleBook = field(default_factory=RuleBook)
    work: WorkFacts | None = None
    machine: MachineFacts | None = None
    task_layers: Mapping[int, Sequence[Layer]] = field(default_factory=dict)
    edited: Sequence[Edited] = ()
    unread: Mapping[AlertKind, Exception] = field(default_factory=dict)
    unknown: frozenset[int] = frozenset()

    def rule(
        self,
        kind: AlertKind,
        schedule_id: int | None = None,
        labels: Mapping[str, str] | None = None,
        task_id: int | None = None,
    ) -> Rule:
        """Return what is in force of a kind: for a schedule, else for a task or something else with these labels."""
        watched = None if schedule_id is None else self.schedules.get(schedule_id)
        if watched is not None:
            return watched.rules[kind]
        return self.rules.rules(labels, self.task_layers.get(task_id, ()) if task_id is not None else ())[kind]

    def alert(self, kind: AlertKind, scope: str) -> Living | None:
        """Return the alert of this kind and scope, if it lives."""
        return self.living.get(f"{kind}:{scope}")

    def since(self, kind: AlertKind, scope: str, first: datetime | None = None) -> datetime:
        """Return from when on it is wrong: as its living alert says, else `first`, else now."""
        alert = self.alert(kind, scope)
        return (alert.since if alert is not None else first) or first or self.now


Judge = Callable[[Look], Iterator[Finding]]
"""Yields what is wrong of one kind. Whether the kind is switched off, and its hold, are `examine`'s business."""
