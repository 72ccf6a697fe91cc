"""Owns the question whether a broker refused one queue, or does not take messages at all. It never raises or retries.

A queue whose name is reserved, that belongs to somebody else or that the user may not use must not look like a broker
that is down: it would be tried first for ever, and nothing that is due after it would be sent.
"""

_DECLARING = frozenset({"Queue.declare", "Exchange.declare"})
_ABOUT_ONE = frozenset({403, 404, 405, 406})
"""AMQP: refused, not found, locked by another connection, there with other properties."""


def refuses_one_queue(error: BaseException) -> bool:
    """Return whether the error, or what caused it, is about the queue that was named; its neighbours may be fine."""
    found: BaseException | None = error
    while found is not None:
        # A refused login has a code of these too, and a refused `Basic.publish` is about all queues.
        if getattr(found, "reply_code", None) in _ABOUT_ONE and getattr(found, "method_name", None) in _DECLARING:
            return True
        said = str(found)
        if said.startswith("WRONGTYPE") or (type(found).__name__ == "NoPermissionError" and " key" in said):
            return True
        found = found.__cause__
    return False
