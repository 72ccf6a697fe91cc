"""The delay that spreads fire times of many schedules.

It never draws at random: the delay is the same after a restart, on every machine, and in `celsched next`.
"""

import hashlib
import unicodedata
from datetime import UTC, datetime, timedelta

from celsched.timing.rule import as_utc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def jitter_delay(schedule_name: str, fire_time: datetime, jitter: timedelta) -> timedelta:
    """Return a delay in [0, jitter), whole microseconds, that depends on the name and the fire time only."""
    span = jitter // _MICROSECOND
    if span <= 0:
        return timedelta(0)
    name = unicodedata.normalize("NFC", schedule_name)
    instant = (as_utc(fire_time) - _EPOCH) // _MICROSECOND
    digest = hashlib.sha256(f"{instant}\n{name}".encode("utf-8", "surrogatepass")).digest()
    return timedelta(microseconds=int.from_bytes(digest, "big") % span)
