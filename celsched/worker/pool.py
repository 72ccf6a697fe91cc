"""Owns the pool of a worker of ours: Celery's, but neither ends loudly by the other's death.

It never judges what a dead child ran: `guard` does.
"""

from typing import Any

from celery.concurrency import asynpool
from celery.concurrency.prefork import TaskPool


class _Child(asynpool.Worker):  # type: ignore[misc] # Celery carries no types
    """A child that ends without a word where its worker was killed while it booted; else it would show a traceback."""

    def on_loop_start(self, pid: int) -> None:
        """Tell the worker that this child is ready."""
        try:
            super().on_loop_start(pid)
        except BrokenPipeError:
            raise SystemExit(1) from None


class _Children(asynpool.AsynPool):  # type: ignore[misc] # Celery carries no types
    Worker = _Child

    def _track_child_process(self, proc: Any, hub: Any) -> None:
        """Watch a child for its end, but one whose end was seen already: it has nothing left that could be watched.

        It may still be in the list where the broker comes back at that very moment and all children are watched anew;
        Celery ends the worker then. The next look at the pool replaces it.
        """
        if getattr(proc, "_sentinel_poll", proc) is not None:
            super()._track_child_process(proc, hub)


class SteadyPool(TaskPool):  # type: ignore[misc] # Celery carries no types
    """Celery's pool of processes, which replaces a child that dies in the worker's first moments as any later one."""

    Pool = _Children

    def did_start_ok(self) -> bool:
        """Answer yes: at no, Celery ends the whole worker, with a traceback, for one child that was killed early.

        Celery asks once, before its loop runs; the loop's first turn finds the dead child and starts another.
        """
        return True


def has_processes(pool: object) -> bool:
    """Tell a pool of processes by its class, or by its name where Celery has not looked it up yet."""
    return issubclass(pool, TaskPool) if isinstance(pool, type) else "prefork" in str(pool)
