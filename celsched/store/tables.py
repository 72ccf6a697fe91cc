"""Owns the tables, keys and indexes of definitions and executions, each with its purpose. It never holds a query.

The migrations in `migrations/` lead to exactly this schema, with the tables of `tables_watch`; a test compares the two.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from celsched.store import tables_watch  # noqa: F401  registers its tables
from celsched.store.metadata import metadata as metadata  # for who wants it with all tables
from celsched.store.types import Id, Instant, Json, Length

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="Facts of the whole store: its word (part of every message), when it was made",
)

tasks = Table(
    "task_definitions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("task_path", Text, nullable=False),
    Column("task_type", Text),
    Column("description", Text),
    Column("default_params", Json, nullable=False),
    Column("params_schema", Json),
    Column("options", Json, nullable=False),
    Column("defaults", Json, nullable=False),
    Column("owner", Text),
    Column("checked", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    sqlite_autoincrement=True,
    comment="Named units of work; a deleted one stays for its executions",
)
Index("uq_task_definitions_live_name", tasks.c.name, unique=True, postgresql_where=text("deleted_at IS NULL"),
      sqlite_where=text("deleted_at IS NULL"))  # fmt: skip

schedules = Table(
    "schedules",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("task_id", Id, ForeignKey("task_definitions.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("schedule_type", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("options", Json, nullable=False),
    Column("defaults", Json, nullable=False),
    Column("owner", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    sqlite_autoincrement=True,
    comment="Schedule definitions as written; what happened to them is in schedule_states",
)
Index("uq_schedules_live_name", schedules.c.name, unique=True, postgresql_where=text("deleted_at IS NULL"),
      sqlite_where=text("deleted_at IS NULL"))  # fmt: skip

states = Table(
    "schedule_states",
    metadata,
    Column("schedule_id", Id, ForeignKey("schedules.id"), primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("base", Instant, nullable=False),
    Column("cursor", Instant, nullable=False),
    Column("next_fire_time", Instant),
    Column("wake_at", Instant),
    Column("runs", Integer, nullable=False),
    Column("paused_at", Instant),
    Column("paused_until", Instant),
    Column("pause_reason", Text),
    Column("paused_by", Text),
    Column("last_fire_time", Instant),
    Column("last_success_at", Instant),
    Column("last_failure_at", Instant),
    Column("success_streak", Integer, nullable=False),
    Column("failure_streak", Integer, nullable=False),
    Column("error", Text),
    Column("purged_until", Instant),
    Column("active_since", Instant),
    Column("recent", Text, nullable=False, server_default=text("''")),
    comment="What happened to a schedule so far; its row lock is taken before executions are decided",
)
# What the due scan looks for.
Index("ix_schedule_states_wake_at", states.c.wake_at, postgresql_where=text("wake_at IS NOT NULL"),
      sqlite_where=text("wake_at IS NOT NULL"))  # fmt: skip

executions = Table(
    "executions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("task_id", Id, ForeignKey("task_definitions.id"), nullable=False),
    Column("task", Text, nullable=False),
    Column("schedule_id", Id, ForeignKey("schedules.id")),
    Column("schedule", Text),
    Column("revision", Integer, nullable=False),
    Column("fire_time", Instant),
    Column("until", Instant),
    Column("count", Integer, nullable=False, server_default=text("1")),
    Column("reason", Text),
    Column("request_id", Text),
    Column("origin_id", Id),
    Column("chain", Text),
    Column("waits", Boolean, nullable=False, server_default=text("false")),
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    Column("due_at", Instant, nullable=False),
    Column("dispatch_at", Instant, nullable=False),
    Column("deadline", Instant),
    Column("publish_after", Instant, nullable=False),
    Column("publishes", Integer, nullable=False, server_default=text("0")),
    Column("sends", Integer, nullable=False, server_default=text("0")),
    Column("celery_task_id", Text),
    Column("claim_token", Text),
    Column("worker", Text),
    Column("host", Text),
    Column("pid", Integer),
    Column("heartbeat", Integer, nullable=False, server_default=text("0")),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("cancel_force", Boolean, nullable=False, server_default=text("false")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("losses", Integer, nullable=False, server_default=text("0")),
    Column("task_path", Text),
    Column("params", Json),
    Column("params_schema", Json),
    Column("queue_name", Text),
    Column("priority", Integer),
    Column("max_retries", Integer),
    Column("retry", Json),
    Column("retry_on_lost", Integer),
    Column("soft_time_limit", Length),
    Column("time_limit", Length),
    Column("start_deadline", Length),
    Column("on_store_outage", Text),
    Column("overlap", Text),
    Column("labels", Json),
    Column("created_at", Instant, nullable=False),
    Column("queued_at", Instant),
    Column("started_at", Instant),
    Column("attempt_started_at", Instant),
    Column("finished_at", Instant),
    Column("recorded_at", Instant),
    Column("result", Json),
    Column("error", Text),
    Column("progress_done", Float),
    Column("progress_total", Float),
    Column("progress_message", Text),
    Column("requested_by", Text),
    Column("requested_host", Text),
    Column("requested_token", Text),
    sqlite_autoincrement=True,
    comment="One row per fire time or request, and its fate; each row is its own outbox",
)
# One row per fire time: this key, not a lock, is what makes a fire time happen once.
Index("uq_executions_fire_time", executions.c.schedule_id, executions.c.fire_time, unique=True,
      postgresql_where=text("cause = 'schedule'"), sqlite_where=text("cause = 'schedule'"))  # fmt: skip
# A repeated request finds its row.
Index("uq_executions_request_id", executions.c.request_id, unique=True,
      postgresql_where=text("request_id IS NOT NULL"), sqlite_where=text("request_id IS NOT NULL"))  # fmt: skip
# What ends, re-reads or shows progress of a claim.
Index("ix_executions_claim_token", executions.c.claim_token, postgresql_where=text("claim_token IS NOT NULL"),
      sqlite_where=text("claim_token IS NOT NULL"))  # fmt: skip
# What the publisher looks for: rows to be sent or sent again, oldest first.
_UNSENT = "state IN ('pending', 'retrying', 'queued') AND NOT waits"
Index("ix_executions_to_publish", executions.c.publish_after, executions.c.dispatch_at,
      postgresql_where=text(_UNSENT), sqlite_where=text(_UNSENT))  # fmt: skip
# What overlap, heartbeats, recovery and health look at: everything that has not ended.
_LIVE = "state IN ('pending', 'queued', 'running', 'retrying')"
Index("ix_executions_live", executions.c.schedule_id, executions.c.state, executions.c.id,
      postgresql_where=text(_LIVE), sqlite_where=text(_LIVE))  # fmt: skip
# Lists and the ledger of one schedule or task, newest first; retention.
Index("ix_executions_schedule", executions.c.schedule_id, executions.c.fire_time)
Index("ix_executions_task", executions.c.task_id, executions.c.id)
Index("ix_executions_finished", executions.c.finished_at)

# What the watcher looks for: everything that went wrong lately.
_TROUBLE = (
    "(state IN ('failed', 'timed_out', 'lost', 'expired') OR reason IN ('too_late', 'misfire_skip', 'catch_up_cap'))"
)
Index("ix_executions_trouble", executions.c.finished_at, postgresql_where=text(_TROUBLE),
      sqlite_where=text(_TROUBLE))  # fmt: skip

# And the ends that reached the store long after they happened (only those have `recorded_at`).
_LATE_END = "recorded_at IS NOT NULL"
Index("ix_executions_late_end", executions.c.recorded_at, postgresql_where=text(_LATE_END),
      sqlite_where=text(_LATE_END))  # fmt: skip
# And the fire times for which a later one stood.
_COALESCED = "reason = 'coalesced'"
Index("ix_executions_coalesced", executions.c.finished_at, postgresql_where=text(_COALESCED),
      sqlite_where=text(_COALESCED))  # fmt: skip

UNSENT, LIVE, TROUBLE, COALESCED = text(_UNSENT), text(_LIVE), text(_TROUBLE), text(_COALESCED)
"""The predicates of these indexes, word for word: SQLite uses a partial index only where a query repeats them.

They are unqualified, so they belong into queries (or subqueries) that read `executions` alone.
"""

attempts = Table(
    "attempts",
    metadata,
    Column("execution_id", Id, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("claim_token", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("error_type", Text),
    Column("error", Text),
    Column("traceback", Text),
    Column("cpu_seconds", Float),
    Column("peak_memory_bytes", Id),
    comment="Every try of every execution",
)

logs = Table(
    "execution_logs",
    metadata,
    Column("execution_id", Id, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("level", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("text", Text, nullable=False),
    comment="Captured lines, numbered within their attempt",
)
