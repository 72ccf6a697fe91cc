"""celsched: schedules and watches Celery work. This face offers what a task's own code needs, and nothing heavy."""

from typing import Any

from celsched.context import Current, current, progress
from celsched.version import __version__

__all__ = ["Current", "__version__", "current", "install", "progress"]


def install(app: Any) -> None:
    """Make a Celery application's own workers able to run celsched executions (adds our worker bootstep).

    Raises:
        SettingsError: the settings of the working directory or of CELSCHED_CONFIG are unusable.
    """
    # Imported here so that `import celsched` in user code, and `celsched --help`, load neither Celery nor SQLAlchemy.
    from celsched.worker.install import install as _install

    _install(app)
