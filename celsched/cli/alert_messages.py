"""Owns how the messages about one alert read: to whom, what became of each. It never looks them up."""

from collections.abc import Iterator, Mapping
from typing import Any

from celsched.cli.alert_list import busy
from celsched.cli.table import Column, Kind, Table
from celsched.domain.health.kinds import AlertKind
from celsched.operations.alerts import Detail
from celsched.store.notices import FAILED, PENDING, SENT, STALE
from celsched.store.told import LOOKED_AT, Telling

_WAITS, _REFUSED, _GIVEN_UP = "waits", "refused", "given up"
_BECAME = {SENT: "sent", FAILED: _GIVEN_UP, STALE: "replaced"}
_MESSAGE = (
    Column("channel", kind=Kind.WORD),
    Column("reason", kind=Kind.WORD),
    Column("became", "message", kind=Kind.WORD, style=lambda word: "red" if word in {_REFUSED, _GIVEN_UP} else None),
    Column("created_at", "made", Kind.WALL, rank=2),
    Column("sent_at", "sent", Kind.TIME),
    Column("next_try_at", "next try", Kind.DUE),
    Column("error", least=20, most_lines=3),
)


def messages_table(found: Detail) -> Table:
    """Return for eyes the messages that told of it, newest first."""
    rows = [{**message_row(one), "became": _became(one)} for one in found.told.messages]
    return Table(busy(_MESSAGE, rows, {"sent_at", "next_try_at", "error"}), rows, "channel")


def message_remarks(found: Detail, channels: Mapping[str, bool]) -> Iterator[str]:
    """Yield what else is to be known of its messages; `channels`: which are set, and whether each is pushed to."""
    alert, told = found.alert, found.told
    heard = {one.channel for one in told.messages}
    if alert.kind is AlertKind.STORE_DOWN:
        yield "messages: `celsched watch` sends those about the store itself, and keeps none"
    elif not told.messages:
        yield "messages: none is known that told of it"
    if not channels:
        yield "no channel is set"
    for name in (name for name, pushes in channels.items() if pushes and name not in heard):
        yield f"channel '{name}': only its newest push is kept, and that does not tell of it"
    if told.more:
        yield f"only the newest {LOOKED_AT} messages were looked at; older ones may have told of it too"


def message_row(one: Telling) -> dict[str, Any]:
    """Return what programs get of a message."""
    return {
        "channel": one.channel,
        "reason": one.reason,
        "state": one.state,
        "created_at": one.created_at,
        "sent_at": one.sent_at,
        "next_try_at": one.next_try_at,
        "error": one.error,
    }


def _became(one: Telling) -> str:
    if one.state == PENDING:
        return _REFUSED if one.failures else _WAITS
    return _BECAME.get(one.state, one.state)
