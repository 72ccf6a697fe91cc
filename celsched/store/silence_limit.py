"""Owns how long a connection to PostgreSQL waits for a sign of life; then it counts as lost and is closed.

TCP's own limits do not see a server that is frozen, or one behind a proxy that answers for it: without this a process
waits for ever. It never cancels a statement that the server works on: the server's limits (dialect.py) are shorter. Nor
does it leave anything half said to a server that may hear no more of us.
"""

from collections.abc import Generator, Iterable
from typing import Any

import psycopg

from celsched.clock import SystemClock

SILENCE = 10.0
"""Seconds; longer than any statement may take on a server that lives."""
_monotonic = SystemClock().monotonic


class _SilentServer(Exception):
    """Nothing came, and nothing could be sent, for too long."""


class SyncedCursor(psycopg.Cursor[Any]):
    """A cursor that waits for each statement's end before it sends the next.

    psycopg sends those of `executemany` in a pipeline. Where we are cut off in the midst of one the server waits for
    its end, and none of its limits runs meanwhile: the locks of that transaction would be held for ever.
    """

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        """Run a statement for each of the parameters; `returning` is not offered."""
        count = 0
        for params in params_seq:
            self.execute(query, params)
            count += self.rowcount
        self._rowcount = count


class HearingConnection(psycopg.Connection[Any]):
    """A connection that is closed once its server has been silent for `silence` seconds in one wait."""

    silence: float | None = SILENCE
    """None: it waits for as long as it takes, as a change of the schema must."""

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait as psycopg does, but not for ever.

        Raises:
            psycopg.OperationalError: the server was silent; the connection is closed, as a lost one is.
        """
        if self.silence is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(_heard(gen, self.silence), *args, **kwargs)
        except _SilentServer:
            # Not cancelled politely: that asks the silent server once more.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server was silent for {self.silence:g} s") from None


def _heard(gen: Generator[Any, Any, Any], limit: float) -> Generator[Any, Any, Any]:
    """Pass on what psycopg's waiting and its protocol say to each other; it looks up every 0.1 s where nothing comes.

    Raises:
        _SilentServer: for `limit` seconds the connection was ready for nothing.
    """
    try:
        wish = next(gen)
        heard = _monotonic()
        while True:
            ready = yield wish
            if ready:
                heard = _monotonic()
            elif _monotonic() - heard >= limit:
                gen.close()
                raise _SilentServer
            wish = gen.send(ready)
    except StopIteration as end:
        return end.value
