"""Alembic's entry: runs the migrations on the connection that `celsched.store.migrate` hands in, and nowhere else."""

from alembic import context

from celsched.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
context.run_migrations()
