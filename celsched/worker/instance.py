"""Owns how a worker describes itself in the list of instances. It never writes it."""

from collections.abc import Sequence
from datetime import datetime

from celsched.store.instances import Instance
from celsched.version import __version__
from celsched.worker.identity import Identity


def instance_of(identity: Identity, queues: Sequence[str], capacity: int, now: datetime) -> Instance:
    """Return the record of a worker that starts now."""
    return Instance(
        id=identity.id,
        kind="worker",
        host=identity.host,
        pid=identity.pid,
        name=identity.name,
        version=__version__,
        queues=list(queues),
        capacity=capacity,
        busy=0,
        started_at=now,
        beat_at=now,
    )
