"""Owns the version of the schema: which one a store has, whether we can use it, and how it is upgraded.

Alembic is imported only to upgrade: it costs more than all the rest of a short command.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from celsched.errors import StoreVersionError

VERSIONS = ("0001", "0002", "0003")
"""Every schema version this celsched knows, oldest first; each is a file in `migrations/versions`."""
HEAD = VERSIONS[-1]


def current_version(tx: Connection) -> str | None:
    """Return the version the store has; None where it holds no celsched tables."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    version: str | None = tx.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def is_current(version: str | None, *, place: str) -> bool:
    """Return whether `version` is ours.

    Raises:
        StoreVersionError: it is one that this celsched does not know, so a newer one.
    """
    if version is not None and version not in VERSIONS:
        raise StoreVersionError(
            f"the store {place} has schema {version}, newer than this celsched knows ({HEAD})",
            hint="upgrade celsched on this machine",
        )
    return version == HEAD


def upgrade(engine: Engine) -> None:
    """Bring the store to the newest schema, in one transaction; several processes may try at once."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect().execution_options(celsched_unlimited=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7305812)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
