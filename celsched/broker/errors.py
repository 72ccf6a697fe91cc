"""Owns the two errors that only speaking to a broker can raise.

It never holds the transient one: a broker that does not answer is `celsched.errors.BrokerUnreachable`.
"""

from celsched.errors import CelschedError


class PublishRefused(CelschedError):
    """This message can never be sent, whatever the broker's state; sending it again is useless."""


class ForeignMessage(CelschedError):
    """A message or task id is not one of ours, or holds values of the wrong type."""
