"""Owns the two errors that only speaking to a broker can raise.

It never holds the transient one: a broker that does not answer is `celsched.errors.BrokerUnreachable`.
"""

from celsched.errors import CelschedError


class PublishRefused(CelschedError):
    """This message cannot be sent although the broker takes others; trying it again soon is useless."""


class ForeignMessage(CelschedError):
    """A message or task id is not one of ours, or holds values of the wrong type."""
