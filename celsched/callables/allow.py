"""Decides which task paths may be defined and run at all: those that a pattern of `task_modules` matches.

It never imports anything.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from celsched.errors import NotPermitted


def dotted_path(task_path: str) -> str:
    """Return `package.module:function` as `package.module.function`, the form that patterns are about."""
    return task_path.replace(":", ".")


def allowed(task_path: str, patterns: Sequence[str]) -> bool:
    """Return whether a pattern matches the whole dotted path; `*` stands for any characters, dots too."""
    return any(fnmatchcase(dotted_path(task_path), dotted_path(pattern)) for pattern in patterns)


def require_allowed(task_path: str, patterns: Sequence[str]) -> None:
    """Return if the path is allowed.

    Raises:
        NotPermitted: it is not; the hint is the line that would allow its module.
    """
    if allowed(task_path, patterns):
        return
    module = dotted_path(task_path).rpartition(".")[0]
    listed = ", ".join(f"`{pattern}`" for pattern in patterns) if patterns else "empty"
    raise NotPermitted(
        f"`{task_path}` is outside `task_modules` ({listed})",
        hint=f'add "{module}.*" to `task_modules` in celsched.toml if it may run',
    )
