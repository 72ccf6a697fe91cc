"""Time arithmetic: the rules `Once`, `Interval` and `Cron`, zones, durations and instants, all pure values.

It never reads a clock, never sleeps and keeps no cursor: aware UTC goes in, aware UTC comes out.
"""

from celsched.timing.cron import Cron
from celsched.timing.interval import Interval
from celsched.timing.once import Once

__all__ = ["Cron", "Interval", "Once"]
