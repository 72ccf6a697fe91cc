"""Owns the table of alert kinds: how bad each is, what can be set, and what makes another one speak for it.

It never judges; each kind's function does, in the module of its facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return list(Severity).index(self)


class AlertKind(StrEnum):
    """What can be wrong. The table below says when."""

    MISSED = "missed"
    LATE_START = "late_start"
    OVERDUE = "overdue"
    NO_NEXT = "no_next"
    NEVER_RAN = "never_ran"
    NO_RECENT_SUCCESS = "no_recent_success"
    FAILED = "failed"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    FAILURE_RATE = "failure_rate"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    TIMEOUT = "timeout"
    STUCK_NO_HEARTBEAT = "stuck_no_heartbeat"
    LOST_WORKER = "lost_worker"
    QUEUED_TOO_LONG = "queued_too_long"
    EXPIRED_IN_QUEUE = "expired_in_queue"
    BACKLOG = "backlog"
    NO_WORKER = "no_worker"
    UNKNOWN_TASK = "unknown_task"
    OVERLAP_SKIPS = "overlap_skips"
    AUTO_PAUSED = "auto_paused"
    PAUSED_TOO_LONG = "paused_too_long"
    DAEMON_DOWN = "daemon_down"
    WATCH_DOWN = "watch_down"
    CLOCK_JUMP = "clock_jump"
    STORE_DOWN = "store_down"
    BROKER_DOWN = "broker_down"
    OUTBOX_STUCK = "outbox_stuck"
    DUP_DELIVERY = "dup_delivery"
    BAD_DEFINITION = "bad_definition"
    DST_AHEAD = "dst_ahead"
    ENDING_SOON = "ending_soon"
    DURATION_DRIFT = "duration_drift"
    CONFIG_DRIFT = "config_drift"
    FLAPPING = "flapping"
    CHANNEL_FAILING = "channel_failing"


Value = timedelta | int | float | None
"""A parameter: a length of time, a count, a share from 0 to 1, or None where something else decides."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `about`: when it opens; `over`: when it resolves by itself; `hold`: how long it must last to open.

    `event`: it tells of something that happened and stays until something better happens, so a person may resolve it;
    the others tell of what is so now. `muted_by`: while one of these is open, no message is sent of this kind.
    """

    kind: AlertKind
    severity: Severity
    about: str
    over: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    hold: timedelta = timedelta(0)
    event: bool = False
    enabled: bool = True
    muted_by: frozenset[AlertKind] = frozenset()


_I, _W, _C = Severity.INFO, Severity.WARNING, Severity.CRITICAL
_K = AlertKind
_STORE = frozenset({_K.STORE_DOWN})
_NOBODY_FIRES = _STORE | {_K.DAEMON_DOWN}
_NOBODY_STARTS = _NOBODY_FIRES | {_K.NO_WORKER, _K.BROKER_DOWN}


def _seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


_ROWS = (
    Kind(_K.MISSED, _C,
         "a fire time was skipped as too_late, misfire_skip or catch_up_cap; only info where it was coalesced into a "
         "later one",
         "the schedule's next success", event=True, muted_by=_NOBODY_FIRES),
    Kind(_K.LATE_START, _W, "an execution has not started within `threshold`; critical at three times that",
         "it starts, is skipped or cancelled", {"threshold": None}, muted_by=_NOBODY_STARTS),
    Kind(_K.OVERDUE, _C, "a fire time passed by more than `tolerance` and no daemon decided it",
         "it is decided", {"tolerance": _seconds(30)}, muted_by=_NOBODY_FIRES),
    Kind(_K.NO_NEXT, _C, "an active schedule that has not ended has no next fire time",
         "it has one, or has ended", muted_by=_STORE),
    Kind(_K.NEVER_RAN, _W, "`fire_times` passed and nothing ever started",
         "the first start", {"fire_times": 2}, muted_by=_NOBODY_STARTS),
    Kind(_K.NO_RECENT_SUCCESS, _C,
         "no success within `after`, by default in its last `periods` fire times, `at_least` so long", "a success",
         {"after": None, "periods": 3, "at_least": _seconds(300)}, muted_by=_NOBODY_STARTS),
    Kind(_K.FAILED, _W, "an execution failed for good (off unless asked for)",
         "the schedule's next success", event=True, enabled=False, muted_by=_STORE),
    Kind(_K.CONSECUTIVE_FAILURES, _C, "`count` final failures in a row",
         "`recovery` successes in a row", {"count": 3, "recovery": 1}, event=True, muted_by=_STORE),
    Kind(_K.FAILURE_RATE, _W, "at least `share` of the last 20 ended executions failed; critical from `critical_share`",
         "below half of `share`, or nothing more is to run", {"share": 0.2, "critical_share": 0.5, "least": 5},
         muted_by=_STORE),
    Kind(_K.TOO_LONG, _W, "it runs longer than `limit`, by default than `factor` times its own p95 and p95 + `extra`",
         "it ends", {"limit": None, "factor": 3.0, "extra": _seconds(300), "least_runs": 10}, muted_by=_STORE),
    Kind(_K.TOO_SHORT, _W, "it succeeded faster than `limit`, by default than its own p5 / `factor`",
         "a run that is not too short", {"limit": None, "factor": 3.0, "least_runs": 10}, event=True, muted_by=_STORE),
    Kind(_K.TIMEOUT, _C, "an execution hit its time limit", "the schedule's next success", event=True, muted_by=_STORE),
    Kind(_K.STUCK_NO_HEARTBEAT, _C, "an execution runs and its worker has been silent for `heartbeats`",
         "a heartbeat, or its end", {"heartbeats": 3}, muted_by=_STORE),
    Kind(_K.LOST_WORKER, _C, "an execution was lost with its worker", "the schedule's next success",
         event=True, muted_by=_STORE),
    Kind(_K.QUEUED_TOO_LONG, _W,
         "sent, and not claimed for `after`, by default its start_deadline or `factor` times the p95 of its own waits, "
         "`at_least` so long (5 min while fewer than `least_runs` are known)", "it starts or expires",
         {"after": None, "factor": 5.0, "at_least": _seconds(60), "least_runs": 10}, muted_by=_NOBODY_STARTS),
    Kind(_K.EXPIRED_IN_QUEUE, _C, "an execution passed its start_deadline before it started",
         "the schedule's next success", event=True, muted_by=_NOBODY_STARTS),
    Kind(_K.BACKLOG, _W,
         "more than `depth` executions of a queue wait, or one waits for longer than `age`, or at least `growing` wait "
         "and more in each of three samples, a minute apart; critical beyond a period of a schedule on it",
         "below half of both in two samples and not growing, or nothing waits",
         {"depth": 1000, "age": _seconds(900), "growing": 100}, muted_by=_NOBODY_STARTS),
    Kind(_K.NO_WORKER, _C, "an enabled schedule names a queue that no worker consumes", "a worker consumes it",
         hold=_seconds(60), muted_by=_STORE | {_K.BROKER_DOWN}),
    Kind(_K.UNKNOWN_TASK, _C, "a worker could not find or import the function of a task", "the function runs",
         event=True, muted_by=_STORE),
    Kind(_K.OVERLAP_SKIPS, _W,
         "`in_a_row` fire times skipped as overlap, or more than `share` of the last 20; those that a late daemon "
         "skips at once count as one",
         "a fire time that runs, and at most half of `share`; or nothing more is to run",
         {"in_a_row": 3, "share": 0.2}, muted_by=_NOBODY_STARTS),
    Kind(_K.AUTO_PAUSED, _C, "the failure rule paused a schedule", "it is resumed", muted_by=_STORE),
    Kind(_K.PAUSED_TOO_LONG, _W,
         "paused without end for longer than `after`, or nothing resumed it when its end had passed by `tolerance`",
         "it is resumed, or has an end to come", {"after": timedelta(days=7), "tolerance": _seconds(30)},
         muted_by=_NOBODY_FIRES),
    Kind(_K.DAEMON_DOWN, _C, "schedules are active, and no daemon has been heard of for `heartbeats`", "a heartbeat",
         {"heartbeats": 3}, muted_by=_STORE),
    Kind(_K.WATCH_DOWN, _C, "a watcher died, none has been heard of for `heartbeats` (seen by `run`)", "a look",
         {"heartbeats": 3}, muted_by=_STORE),
    Kind(_K.CLOCK_JUMP, _C, "the clock moved by more than `jump` against the monotonic one or the store's",
         "`stable` without another", {"jump": _seconds(2), "stable": _seconds(300)}),
    Kind(_K.STORE_DOWN, _C, "the store does not answer", "it has answered for 30 s", hold=_seconds(15)),
    Kind(_K.BROKER_DOWN, _C, "the broker does not answer", "it answers", hold=_seconds(15), muted_by=_STORE),
    # Not `republish` itself: what a daemon held when it died is sent by another one only after that, in good order.
    Kind(_K.OUTBOX_STUCK, _C,
         "executions are due and were not sent for `after`, by default twice `republish`, at least 30 s: after a "
         "daemon's death they wait for it once as a rule", "they are sent",
         {"after": _seconds(60)}, muted_by=_NOBODY_FIRES | {_K.BROKER_DOWN}),
    Kind(_K.DUP_DELIVERY, _W, "a worker was handed an attempt that another had claimed", "`quiet` without another",
         {"quiet": timedelta(hours=24)}, event=True, muted_by=_STORE),
    Kind(_K.BAD_DEFINITION, _C, "a schedule cannot be computed", "it can", muted_by=_STORE),
    Kind(_K.DST_AHEAD, _I, "a clock change moves or drops a fire time `within` this time", "the change is past",
         {"within": timedelta(days=7)}, muted_by=_STORE),
    Kind(_K.ENDING_SOON, _I, "end_at lies `within` this time, or `fire_times` are left of max_runs",
         "it is extended, or has ended", {"within": timedelta(days=7), "fire_times": 3}, muted_by=_STORE),
    Kind(_K.DURATION_DRIFT, _I,
         "the median of the last 10 successes is more than `factor` times that of up to 50 before (`least_runs` at "
         "least), and `extra` longer", "below `back` times that",
         {"factor": 2.0, "back": 1.5, "extra": _seconds(1), "least_runs": 10}, muted_by=_STORE),
    Kind(_K.CONFIG_DRIFT, _I, "a task or schedule of a set was changed by hand",
         "its manifest is applied, or it is changed back", muted_by=_STORE),
    Kind(_K.FLAPPING, _W,
         "an alert opened more than `opens` times `within` this time, or it follows runs and `share` of the last 20 "
         "turned from good to bad or back; as bad as that alert", "quiet for as long, and at most half of `share`",
         {"opens": 5, "within": _seconds(3600), "share": 0.3}),
    Kind(_K.CHANNEL_FAILING, _C, "`failures` sends in a row failed on a channel", "a send works", {"failures": 3}),
)  # fmt: skip

SETTINGS_ONLY = frozenset({
    _K.BACKLOG, _K.DAEMON_DOWN, _K.WATCH_DOWN, _K.CLOCK_JUMP, _K.STORE_DOWN, _K.BROKER_DOWN, _K.OUTBOX_STUCK,
    _K.DUP_DELIVERY, _K.CHANNEL_FAILING,
})  # fmt: skip
"""Kinds of queues, processes, machines and channels: the `alerts` of a task or schedule have no say in them."""
SWITCH_ONLY = frozenset({_K.NO_WORKER})
"""Kinds of queues that a definition can switch on or off, since it names the queue, and nothing more."""

UNLABELLED = SETTINGS_ONLY - {_K.BACKLOG}
"""Kinds whose alerts carry no labels."""
OF_QUEUES = frozenset({_K.BACKLOG, _K.NO_WORKER})
"""Kinds whose alerts carry the label `queue`, and no other."""

KINDS: Mapping[AlertKind, Kind] = MappingProxyType({row.kind: row for row in _ROWS})
"""Every kind, in the order in which they are shown."""
