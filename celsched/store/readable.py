"""Reads rows of which some may be beyond this version: those are left out and told once, the others come.

A newer version wrote them, or a person by hand. What the database itself raises is never taken for such a row.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
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
_MANY_SAID = 20_000
"""So many rows are remembered as told, or as many as one look meets."""
_SPLIT = 50
"""So many rows are searched for one by one, where the database or a column refuses them: each costs some statements."""
_TOLD = 10
"""So many rows are told one by one at a time."""
_said: dict[tuple[str, object], str] = {}
"""Why which row was said to be left out; those met last are the last ones."""


class NotTried(LookupError):
    """A row that stands beside so many which cannot be read that it was not tried."""


def readable(
    tx: Connection,
    query: Select[Any],
    key: ColumnElement[Any],
    what: str,
    make: Callable[[RowMapping], T],
    gaps: list[Gap] | None = None,
) -> list[T]:
    """Return what `make` makes of each row that can be read, in the query's order; add the others to `gaps`.

    `key` is among the columns and tells the rows apart, `what` is the word for one. There is a gap for each of them,
    however many; beside many that the database or a column refuses, good ones may be among them.
    """
    found: list[T] = []
    bad: dict[object, Exception] = {}
    try:
        for row in tx.execute(query).mappings():
            try:
                found.append(make(row))
            except UNREADABLE as error:
                _raise_of_database(error)
                bad[row[key]] = error
    except UNREADABLE as error:  # a row does not even come
        _raise_of_database(error)
        found, bad = [], {}
        for part in batches(tx.scalars(query.with_only_columns(key)).all()):
            found += _split(part, lambda keys: _some(tx, query.where(key.in_(keys)), make), bad)
    if bad:
        _tell(what, bad, gaps)
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


def _split(keys: list[Any], read: Callable[[list[Any]], list[T]], bad: dict[object, Exception]) -> list[T]:
    """Read these rows, and where that fails each half of them; add to `bad` those that fail alone."""
    try:
        return read(keys)
    except UNREADABLE as error:
        _raise_of_database(error)
        if len(keys) == 1:
            bad[keys[0]] = error
            return []
        if len(bad) >= _SPLIT:
            bad.update(dict.fromkeys(keys, NotTried(f"beside {len(bad)} others that cannot be read")))
            return []
    half = len(keys) // 2
    return _split(keys[:half], read, bad) + _split(keys[half:], read, bad)


def _raise_of_database(error: Exception) -> None:
    if isinstance(error, SQLAlchemyError) and not isinstance(error, DataError):
        raise error


def _tell(what: str, bad: Mapping[object, Exception], gaps: list[Gap] | None) -> None:
    """Add a gap for each of these rows, and log what is new among them: the first ones each, of the rest how many."""
    found = [Gap(f"read {what} {key}", error, told=True, key=key) for key, error in bad.items()]
    if gaps is not None:
        gaps += found
    words = "left out: a newer celsched wrote it, or it was changed by hand"
    new = [gap for gap in found if _said.pop((what, gap.key), None) != gap.why]
    _said.update({(what, gap.key): gap.why for gap in found})
    for gap in new[:_TOLD]:
        log.warning("could not read %s %s: %s; %s", what, gap.key, gap.why, words, extra={"action": "unreadable"})
    if len(new) > _TOLD:
        rest = len(new) - _TOLD
        log.warning("could not read %d more of kind %s either; %s", rest, what, words, extra={"action": "unreadable"})
    for old in list(_said)[: max(len(_said) - max(_MANY_SAID, len(found)), 0)]:
        del _said[old]
