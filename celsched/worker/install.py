"""Owns `celsched.install`: it gives an application's own workers the means to run executions. It starts nothing."""

from typing import Any

from celsched.settings import Settings, load
from celsched.worker.side import WorkerSide

_ATTRIBUTE = "celsched_worker_side"


def install(app: Any, settings: Settings | None = None, name: str | None = None) -> WorkerSide:
    """Add celsched to a Celery app; again for the same app it changes nothing. Return what was added.

    The store is opened when a worker of the app starts, not here: a web process that only sends messages needs none.

    Raises:
        SettingsError: the settings of the working directory or of CELSCHED_CONFIG are unusable.
    """
    side = installed(app)
    if side is None:
        side = WorkerSide(app, load({}) if settings is None else settings, name)
        side.attach()
        setattr(app, _ATTRIBUTE, side)
    return side


def installed(app: Any) -> WorkerSide | None:
    """Return what `install` added to the app, None where it was not called."""
    found: WorkerSide | None = getattr(app, _ATTRIBUTE, None)
    return found
