"""Reads rows of which some may be beyond this version: those are left out and told once, the others come.

A newer version wrote them, or a person by hand. What the database itself raises is never taken for such a row.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Select
from sqlalchemy.exc import DataError, SQLAlchemyError

from celsched.domain.health.gap import Gap
from celsched.store.batches import batches

log = logging.getLogger(__name__)
T = TypeVar("T")
K = TypeVar("K")

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, DataError)
"""What a value raises that a column's type, a driver or a record refuses; `DataError`: a date beyond Python's years."""
_MANY_SAID = 1000
_said: set[tuple[str, object, str]] = set()


def readable(
    tx: Connection,
    query: Select[Any],
    key: ColumnElement[Any],
    what: str,
    make: Callable[[RowMapping], T],
    gaps: list[Gap] | None = None,
) -> list[T]:
    """Return what `make` makes of each row that can be read, in the query's order; add the others to `gaps`.

    `key` tells the rows apart, `what` is the word for one.
    """
    try:
        return [make(row) for row in tx.execute(query).mappings()]
    except UNREADABLE as error:
        _raise_of_database(error)
    found: list[T] = []
    for part in batches(tx.scalars(query.with_only_columns(key)).all()):
        found += _split(part, lambda keys: _some(tx, query.where(key.in_(keys)), make), what, gaps)
    return found


def attempt(read: Callable[[], T], about: Iterable[K], unread: dict[K, Exception]) -> T | None:
    """Return what is read; None, and the error under each key of what it is about, where a row cannot be read."""
    try:
        return read()
    except UNREADABLE as error:
        _raise_of_database(error)
        unread.update(dict.fromkeys(about, error))
        return None


def _some(tx: Connection, query: Select[Any], make: Callable[[RowMapping], T]) -> list[T]:
    return [make(row) for row in tx.execute(query).mappings()]


def _split(keys: list[Any], read: Callable[[list[Any]], list[T]], what: str, gaps: list[Gap] | None) -> list[T]:
    """Read these rows, and where that fails each half of them."""
    try:
        return read(keys)
    except UNREADABLE as error:
        _raise_of_database(error)
        if len(keys) == 1:
            _tell(what, keys[0], error, gaps)
            return []
    half = len(keys) // 2
    return _split(keys[:half], read, what, gaps) + _split(keys[half:], read, what, gaps)


def _raise_of_database(error: Exception) -> None:
    if isinstance(error, SQLAlchemyError) and not isinstance(error, DataError):
        raise error


def _tell(what: str, key: object, error: Exception, gaps: list[Gap] | None) -> None:
    gap = Gap(f"read {what} {key}", error, told=True, key=key)
    if gaps is not None:
        gaps.append(gap)
    said = (what, key, gap.why)
    if said not in _said:
        if len(_said) >= _MANY_SAID:
            _said.clear()
        _said.add(said)
        words = "left out: a newer celsched wrote it, or it was changed by hand"
        log.warning("could not read %s %s: %s; %s", what, key, gap.why, words, extra={"action": "unreadable"})
