"""Owns what a look says of daemons, watchers, clocks, services and channels. It judges nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Seen:
    """An instance. `silent`: for how long it has not been heard of, by the observer's own watching where it can say.

    `duplicates`: how many messages it refused because another had claimed their attempt; `duplicate_at`: the last one.
    """

    id: str
    kind: str
    host: str
    name: str
    beat_at: datetime
    silent: timedelta = timedelta(0)
    queues: Sequence[str] = ()
    stopped_at: datetime | None = None
    duplicates: int = 0
    duplicate_at: datetime | None = None

    def lives(self, patience: timedelta) -> bool:
        """Whether it has not stopped and was heard of within `patience`."""
        return self.stopped_at is None and self.silent <= patience


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The clock of the watcher's machine.

    `moved`: its greatest step against the monotonic one since the last look; `ahead`: of the store's, None where
    that has no clock of its own.
    """

    moved: timedelta = timedelta(0)
    ahead: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service says to the watcher: what is wrong (None: it answers), and for how long it has been so."""

    error: str | None
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class Openings:
    """When the alerts of one fingerprint opened lately, oldest first."""

    fingerprint: str
    subject: str
    at: Sequence[datetime]
    schedule_id: int | None = None
    queue: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How sending through a channel goes: how many sends were refused since the last that was accepted."""

    channel: str
    failures_in_a_row: int
    last_error: str | None = None
    last_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """Who was heard of, and how clocks, services and channels are.

    `host`: of the watcher that looks; clock and broker are as seen from there, None where nothing can be said yet.
    `openings`: of fingerprints that opened often, or flap.
    """

    host: str = ""
    active_schedules: int = 0
    daemons: Sequence[Seen] = ()
    daemon_stopped_at: datetime | None = None
    watchers: Sequence[Seen] = ()
    watcher_stopped_at: datetime | None = None
    clock: ClockReading | None = None
    broker: Answer | None = None
    openings: Sequence[Openings] = ()
    channels: Sequence[ChannelHealth] = ()
