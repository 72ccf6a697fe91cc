"""Checks the contract between publisher and worker."""

from typing import Any

import pytest

from celsched.broker.errors import ForeignMessage
from celsched.broker.message import Message, TaskId, parse_task_id, task_id


def test_a_message_survives_its_journey() -> None:
    message = Message("k3x9", 42, 2)
    assert Message.from_kwargs(message.to_kwargs()) == message


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert Message.from_kwargs({"store": "w", "execution_id": 1, "attempt": 1, "hint": "new"}) == Message("w", 1, 1)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"store": "", "execution_id": 1, "attempt": 1},
        {"store": None, "execution_id": 1, "attempt": 1},
        {"store": "w", "execution_id": "1", "attempt": 1},
        {"store": "w", "execution_id": True, "attempt": 1},
        {"store": "w", "execution_id": 1.0, "attempt": 1},
        {"store": "w", "execution_id": 0, "attempt": 1},
        {"store": "w", "execution_id": 2**63, "attempt": 1},
        {"store": "w", "execution_id": 1, "attempt": -1},
        {"store": "w", "execution_id": 1, "attempt": ["x" * 1000]},
    ],
)
def test_foreign_arguments_are_named_and_refused(kwargs: dict[str, Any]) -> None:
    with pytest.raises(ForeignMessage) as caught:
        Message.from_kwargs(kwargs)
    assert "celsched.execute has" in caught.value.message
    assert len(caught.value.message) < 200


def test_a_task_id_tells_its_parts() -> None:
    text = task_id("k3x9", 42, 2, 3)
    assert text == "celsched-k3x9-42.2.3"
    assert parse_task_id(text) == TaskId("k3x9", 42, 2, 3)


@pytest.mark.parametrize(
    "text", ["", "celsched-w-1.1", "celsched-w-1.1.1\n", "celsched-w-۱.1.1", "celsched--1.1.1", "x" * 9]
)
def test_other_task_ids_are_refused(text: str) -> None:
    with pytest.raises(ForeignMessage, match="not a task id"):
        parse_task_id(text)
