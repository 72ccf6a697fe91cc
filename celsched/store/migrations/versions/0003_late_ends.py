"""What the watcher looks for besides: ends that were recorded long after they happened, fire times that were coalesced.

Only additions: processes of the version before go on beside it.
"""

import sqlalchemy as sa
from alembic import op

from celsched.store.types import Instant

revision = "0003"
down_revision = "0002"

_LATE_END = sa.text("recorded_at IS NOT NULL")
_COALESCED = sa.text("reason = 'coalesced'")


def upgrade() -> None:
    op.add_column("executions", sa.Column("recorded_at", Instant(), nullable=True))
    op.create_index(
        "ix_executions_late_end", "executions", ["recorded_at"], postgresql_where=_LATE_END, sqlite_where=_LATE_END
    )
    op.create_index(
        "ix_executions_coalesced",
        "executions",
        ["finished_at"],
        postgresql_where=_COALESCED,
        sqlite_where=_COALESCED,
    )
