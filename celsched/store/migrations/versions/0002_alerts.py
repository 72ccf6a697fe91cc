"""What the watcher keeps: recent outcomes of each schedule, marks on alerts, silences, messages.

Only additions, with defaults: processes of the version before go on beside it.
"""

import sqlalchemy as sa
from alembic import op

from celsched.store.types import Id, Instant, Json

revision = "0002"
down_revision = "0001"

_TROUBLE = sa.text(
    "(state IN ('failed', 'timed_out', 'lost', 'expired') OR reason IN ('too_late', 'misfire_skip', 'catch_up_cap'))"
)
_TO_SEND = sa.text("state = 'pending'")


def upgrade() -> None:
    op.add_column("schedule_states", sa.Column("active_since", Instant(), nullable=True))
    op.add_column("schedule_states", sa.Column("recent", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("instances", sa.Column("duplicates", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("instances", sa.Column("duplicate_at", Instant(), nullable=True))
    op.create_index(
        "ix_executions_trouble", "executions", ["finished_at"], postgresql_where=_TROUBLE, sqlite_where=_TROUBLE
    )
    _alerts()
    _silences()
    _messages()


def _alerts() -> None:
    op.add_column("alerts", sa.Column("queue", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("labels", Json, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("alerts", sa.Column("event_at", Instant(), nullable=True))
    op.add_column("alerts", sa.Column("muted_by", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("silence_id", Id, nullable=True))
    op.add_column("alerts", sa.Column("resolved_by", sa.Text(), nullable=True))
    op.create_index("ix_alerts_fingerprint", "alerts", ["fingerprint", "id"])
    op.create_index("ix_alerts_resolved_at", "alerts", ["resolved_at"])


def _silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("matchers", Json, nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
        comment="No messages about what matches, from starts_at to ends_at; ended early by an earlier ends_at",
        sqlite_autoincrement=True,
    )


def _messages() -> None:
    op.create_table(
        "notice_groups",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("members", Json, nullable=False),
        sa.PrimaryKeyConstraint("channel", "group_key", name=op.f("pk_notice_groups")),
        comment="What a channel was last told of a group of alerts; `version` guards against a second watcher",
    )
    op.drop_table("notifications")  # nothing has written to it yet
    op.create_table(
        "notifications",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_try_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("channel", "incident", name=op.f("uq_notifications_channel_incident")),
        comment="Messages through channels: each is sent until it is accepted, or given up",
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_notifications_to_send", "notifications", ["next_try_at"], postgresql_where=_TO_SEND, sqlite_where=_TO_SEND
    )
    op.create_index("ix_notifications_channel", "notifications", ["channel", "id"])
