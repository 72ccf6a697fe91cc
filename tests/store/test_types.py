"""Instants, lengths, JSON and text keep their exact value in both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, select, text
from sqlalchemy.exc import StatementError

from celsched.store.store import Store
from celsched.store.types import Instant, Json, Length

PERSIAN = "گزارش «شبانه» فایل‌های موقت ۱۲۳ — \\u062f 🙂"
_probe = Table(
    "probe",
    MetaData(),
    Column("at", Instant),
    Column("length", Length),
    Column("json", Json),
    Column("text", Text),
)


def _round_trip(store: Store, **values: object) -> tuple[object, ...]:
    def work(tx: Connection) -> tuple[object, ...]:
        _probe.create(tx)
        tx.execute(insert(_probe).values(**values))
        return tuple(tx.execute(select(*(_probe.c[name] for name in values))).one())

    return store.write(work)


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2286, 11, 20, 17, 46, 39, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=3, minutes=30))),
    ],
)
def test_an_instant_keeps_its_microseconds_and_comes_back_in_utc(store: Store, instant: datetime) -> None:
    (found,) = _round_trip(store, at=instant)

    assert found == instant
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


def test_a_naive_instant_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="naive instant"):
        _round_trip(store, at=datetime(2026, 3, 1, 12, tzinfo=UTC).replace(tzinfo=None))


def test_a_length_keeps_its_microseconds(store: Store) -> None:
    length = timedelta(days=400, microseconds=7)

    assert _round_trip(store, length=length) == (length,)


@pytest.mark.parametrize(
    "value", [{"نام": PERSIAN, "n": 1, "x": 1.5, "none": None, "list": [True, {"a": []}]}, [], "", 0, False, None]
)
def test_json_keeps_its_value(store: Store, value: object) -> None:
    assert _round_trip(store, json=value) == (value,)


def test_json_is_stored_readably_and_nothing_as_null(store: Store) -> None:
    def work(tx: Connection) -> list[tuple[object, ...]]:
        _probe.create(tx)
        tx.execute(insert(_probe), [{"json": {"a": "سلام"}}, {"json": None}])
        raw = text("SELECT CAST(json AS TEXT) FROM probe")
        return [tuple(row) for row in tx.execute(raw)]

    assert store.write(work) == [('{"a":"سلام"}',), (None,)]


def test_json_refuses_what_json_does_not_have(store: Store) -> None:
    with pytest.raises((StatementError, ValueError), match="not JSON compliant"):
        _round_trip(store, json={"x": float("nan")})


def test_text_keeps_every_character(store: Store) -> None:
    assert _round_trip(store, text=PERSIAN) == (PERSIAN,)
