"""Owns the facts of the whole store. It never holds settings."""

import secrets

from sqlalchemy import Connection, select

from celsched.store.dialect import dialect_of
from celsched.store.tables import meta


def store_word(tx: Connection) -> str:
    """Return the short random word made with the store; it is part of every message and Celery task id."""
    dialect = dialect_of(tx)
    row = select(meta.c.value).where(meta.c.key == "word")
    word: str | None = tx.scalar(row)
    if word is None:
        tx.execute(dialect.insert(meta).values(key="word", value=secrets.token_hex(3)).on_conflict_do_nothing())
        word = tx.scalar(row)
    return str(word)
