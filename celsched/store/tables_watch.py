"""Owns the tables of who watches and who acted: alerts, silences, messages, instances, audit. It holds no query."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from celsched.store.metadata import metadata
from celsched.store.types import Id, Instant, Json

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("fingerprint", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("schedule_id", Id, ForeignKey("schedules.id")),
    Column("subject", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("details", Json, nullable=False),
    Column("pending_since", Instant, nullable=False),
    Column("opened_at", Instant),
    Column("seen_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", Instant),
    Column("note", Text),
    Column("queue", Text),
    Column("labels", Json, nullable=False, server_default=text("'{}'")),
    Column("event_at", Instant),
    Column("muted_by", Text),
    Column("silence_id", Id),
    Column("resolved_by", Text),
    sqlite_autoincrement=True,
    comment="States that open and resolve",
)
# One living alert per fingerprint, whoever finds it first.
_LIVING = "state <> 'resolved'"
Index("uq_alerts_living", alerts.c.fingerprint, unique=True,
      postgresql_where=text(_LIVING), sqlite_where=text(_LIVING))  # fmt: skip

# The history of one alert: did a person resolve it, does it flap.
Index("ix_alerts_fingerprint", alerts.c.fingerprint, alerts.c.id)
Index("ix_alerts_resolved_at", alerts.c.resolved_at)

silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("matchers", Json, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("author", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
    comment="No messages about what matches, from starts_at to ends_at; ended early by an earlier ends_at",
)

notice_groups = Table(
    "notice_groups",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("members", Json, nullable=False),
    comment="What a channel was last told of a group of alerts; `version` guards against a second watcher",
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("channel", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("details", Json, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Instant, nullable=False),
    Column("next_try_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("error", Text),
    UniqueConstraint("channel", "incident"),
    sqlite_autoincrement=True,
    comment="Messages through channels: each is sent until it is accepted, or given up",
)
# What is still to be sent.
_TO_SEND = "state = 'pending'"
Index("ix_notifications_to_send", notifications.c.next_try_at, postgresql_where=text(_TO_SEND),
      sqlite_where=text(_TO_SEND))  # fmt: skip
Index("ix_notifications_channel", notifications.c.channel, notifications.c.id)

TO_SEND, LIVING = text(_TO_SEND), text(_LIVING)
"""The predicates of these indexes, word for word (see `tables`): without them all that ever was would be read."""

instances = Table(
    "instances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("queues", Json, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("beat_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("note", Text),
    Column("duplicates", Integer, nullable=False, server_default=text("0")),
    Column("duplicate_at", Instant),
    comment="Running daemons, workers and watchers",
)

audit = Table(
    "audit_events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("user", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("token", Text),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Json, nullable=False),
    sqlite_autoincrement=True,
    comment="Who changed what, when; insert-only",
)
Index("ix_audit_events_at", audit.c.at)
