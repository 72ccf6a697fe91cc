"""A worker of celsched that stops asking its broker for messages once a file `deaf` lies in its folder. Never part of
the product: `python -m tests.scenarios.deaf_worker WORDS..` is `celsched WORDS..` with that fault.

Its watchdog gives a broker three seconds to come back instead of forty, so that a test need not wait for that.
"""

import sys
from pathlib import Path
from typing import Any

from kombu.transport.redis import Channel

from celsched.cli.app import main
from celsched.worker import hearing

_ask: Any = Channel._brpop_start


def _ask_unless_deaf(self: Any, timeout: float | None = None) -> None:
    if not Path("deaf").exists():
        _ask(self, timeout)


if __name__ == "__main__":
    Channel._brpop_start = _ask_unless_deaf  # type: ignore[method-assign]
    hearing._RECONNECTS = 3.0
    sys.exit(main())
