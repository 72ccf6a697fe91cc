"""Owns the tables of what watches and who acted: alerts, notifications, instances, audit. It never holds a query."""

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
    sqlite_autoincrement=True,
    comment="States that open and resolve",
)
# One living alert per fingerprint, whoever finds it first.
Index("uq_alerts_living", alerts.c.fingerprint, unique=True,
      postgresql_where=text("state <> 'resolved'"), sqlite_where=text("state <> 'resolved'"))  # fmt: skip

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("next_try_at", Instant),
    Column("sent_at", Instant),
    Column("error", Text),
    UniqueConstraint("channel", "incident"),
    sqlite_autoincrement=True,
    comment="One message about an alert through one channel",
)

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
