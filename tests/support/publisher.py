"""Owns the publisher that remembers instead of sending.

It never talks to a broker; a test sets `failure` to play one that is down or refuses.
"""

from dataclasses import dataclass, field

from celsched.broker.message import Message


@dataclass(frozen=True)
class Sent:
    """One message as the dispatcher handed it over."""

    message: Message
    task_id: str
    queue: str
    priority: int


@dataclass
class RecordingPublisher:
    """A `celsched.broker.publisher.MessagePublisher` that keeps what it is given, in order, in `sent`.

    While `failure` is set every publish raises it and records nothing; `attempts` counts those too.
    """

    sent: list[Sent] = field(default_factory=list)
    failure: Exception | None = None
    attempts: int = 0
    closed: bool = False

    def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
        """Record the message, or raise `failure`."""
        self.attempts += 1
        if self.failure is not None:
            raise self.failure
        self.sent.append(Sent(message, task_id, queue, priority))

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
