"""Owns the column types: instants, lengths of time, JSON, ids. It never knows a table."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Id = BigInteger().with_variant(Integer, "sqlite")
"""Integer ids; SQLite hands out rowids only for the type INTEGER."""

Json = JSON(none_as_null=True)


class Instant(TypeDecorator[datetime]):
    """An aware instant: timestamptz on PostgreSQL, integer microseconds since 1970 on SQLite; refuses naive values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's real type."""
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return what the driver gets."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive instant {value!r}: the store takes aware ones only")
        return (value - _EPOCH) // _MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware UTC instant."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _EPOCH + timedelta(microseconds=value)
        moment: datetime = value
        return moment.astimezone(UTC)


class Length(TypeDecorator[timedelta]):
    """A length of time as integer microseconds on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        """Return whole microseconds."""
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        """Return the length."""
        return None if value is None else timedelta(microseconds=value)


def to_json(value: Any) -> str:
    """Write JSON readably: Persian stays Persian."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
