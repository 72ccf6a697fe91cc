"""Turns a task path into something that can be called, and explains to its author why it cannot.

It never decides whether the path may be used (`allow` does), and never calls what it finds.
"""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType, TracebackType
from typing import Any

from celsched.domain.checks import split_task_path
from celsched.domain.names import suggestion
from celsched.errors import InvalidDefinition, SettingsError


class Kind(StrEnum):
    """What a task path can name."""

    FUNCTION = "function"
    """Anything that is called and returns its result."""
    COROUTINE = "coroutine"
    """An `async def` function."""
    CELERY_TASK = "celery task"
    """A task object of Celery (`@shared_task`, `@app.task`), bound or not."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A task path and what it names."""

    task_path: str
    target: Any
    kind: Kind

    @property
    def function(self) -> Callable[..., Any]:
        """What takes the parameters: the target, or `run` of a Celery task (without `self` of a bound one)."""
        found: Callable[..., Any] = self.target.run if self.kind is Kind.CELERY_TASK else self.target
        return found


def prepare_imports(python_path: Sequence[str], preload: Sequence[str]) -> None:
    """Put `python_path` first on `sys.path` and import the `preload` modules, in order.

    Raises:
        SettingsError: a module of `preload` cannot be imported.
    """
    sys.path[:0] = [folder for folder in python_path if folder not in sys.path]
    importlib.invalidate_caches()
    for name in preload:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            raise SettingsError(f"`preload`: {_failure(name, error)}") from error


def resolve(task_path: str) -> Resolved:
    """Import the module of `task_path` and return what the path names in it.

    Attributes are followed below the module only, never into another module that it happens to import: else a pattern
    of `task_modules` would allow whatever its modules use.

    Raises:
        InvalidDefinition: the path has no fit form, its module cannot be imported, or it names no unit of work.
    """
    parts = split_task_path(task_path)
    if parts is None:
        raise _refused(f"{task_path!r} is not the path of a function", "write package.module.function")
    module, names = _module(task_path, parts)
    target: Any = module
    walked = module.__name__
    for name in names:
        try:
            below = getattr(target, name)
        except AttributeError:
            near = suggestion(name, [known for known in dir(target) if not known.startswith("_")])
            raise _refused(f"`{walked}` has no `{name}`", near) from None
        if isinstance(below, ModuleType):
            raise _refused(f"`{walked}.{name}` is the module `{below.__name__}`", "name a function in its own module")
        target, walked = below, f"{walked}.{name}"
    return Resolved(task_path, target, _kind(target, task_path))


def _module(task_path: str, parts: tuple[str, ...]) -> tuple[ModuleType, tuple[str, ...]]:
    """Return the longest part of the path that is a module, and the rest; with a colon that part is given."""
    module, colon, _ = task_path.partition(":")
    length = module.count(".") + 1 if colon else len(parts) - 1
    for count in range(length, 0, -1):
        name = ".".join(parts[:count])
        try:
            return importlib.import_module(name), parts[count:]
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if colon or count == 1 or missing == parts[0] or not f"{name}.".startswith(f"{missing}."):
                raise _refused(_failure(name, error), _import_hint(name, missing)) from error
        except (Exception, SystemExit) as error:
            raise _refused(_failure(name, error), None) from error
    raise AssertionError("the first part either is a module or is not")


def _kind(target: Any, task_path: str) -> Kind:
    if _is_celery_task(target):
        return Kind.CELERY_TASK
    if inspect.isclass(target):
        raise _refused(f"`{task_path}` is a class", "name a function, or a method of an object made in the module")
    if not callable(target):
        raise _refused(f"`{task_path}` is not callable but {_a(type(target).__name__)}", "name a function")
    parts = (target, inspect.getattr_static(type(target), "__call__", None))  # an object may be called, too
    if any(inspect.isgeneratorfunction(part) or inspect.isasyncgenfunction(part) for part in parts):
        raise _refused(f"`{task_path}` is a generator: calling it runs nothing", "name a function that loops over it")
    return Kind.COROUTINE if any(map(inspect.iscoroutinefunction, parts)) else Kind.FUNCTION


def _is_celery_task(target: Any) -> bool:
    """Return whether this is a task object, judged by its shape: Celery itself need not be installed to be asked."""
    return (
        not inspect.isclass(target)
        and isinstance(getattr(target, "name", None), str)
        and callable(getattr(target, "run", None))
        and callable(getattr(target, "push_request", None))
    )


def _import_hint(name: str, missing: str) -> str:
    if missing == name or f"{name}.".startswith(f"{missing}."):
        return "is its folder in `python_path`, and are the names spelt right?"
    return f"install `{missing}` where celsched runs, or put its folder into `python_path`"


def _failure(name: str, error: BaseException) -> str:
    """Return one sentence: what importing `name` raised, and where in the user's code."""
    last = traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
    place = _place(error)
    return f"`{name}` cannot be imported: {last}" + (f" ({place})" if place else "")


def _place(error: BaseException) -> str | None:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = list(_frames(error.__traceback__))
    return f"{frames[-1][0]}:{frames[-1][1]}" if frames else None


def _frames(trace: TracebackType | None) -> list[tuple[str, int]]:
    """Return file and line of the frames that are neither Python's import machinery nor ours."""
    ours = (__file__, importlib.__file__)
    return [
        (frame.filename, frame.lineno or 0)
        for frame in traceback.extract_tb(trace)
        if frame.filename not in ours and not frame.filename.startswith("<frozen ")
    ]


def _a(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def _refused(message: str, hint: str | None) -> InvalidDefinition:
    return InvalidDefinition(message, key="task_path", hint=hint)
