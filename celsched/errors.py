"""The exception tree of celsched; each class says what happened, and carries a hint about the next step.

It holds no exit codes and no HTTP codes: `celsched.cli.exits` and the web face map classes to those.
Two more classes, which only speaking to a broker can raise, are in `celsched.broker.errors`.

CelschedError
├── UsageError                the request makes no sense as written
│   ├── InvalidRule           a cron expression, interval, instant or zone
│   ├── InvalidDefinition     a task or schedule definition
│   ├── InvalidParams         parameters that do not fit the task
│   ├── InvalidManifest       a manifest; carries every problem found
│   └── SettingsError         celsched.toml, an environment variable or a flag
├── NotFound                  no object of that name or id
├── NotPermitted              the caller may not do this
├── Conflict                  the store's present state forbids it
└── Unreachable               a service that is needed does not answer
    ├── StoreUnreachable      the database
    │   └── StoreVersionError the database answers, but its schema is not ours
    └── BrokerUnreachable     the message broker
"""

from collections.abc import Sequence


class CelschedError(Exception):
    """Base of all errors that a person is meant to read: `message` is one sentence, `hint` the next step or None."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CelschedError):
    """The request makes no sense as written."""


class InvalidRule(UsageError):
    """A rule cannot be built; `field` names the part of its text that is wrong, where one can be named."""

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class InvalidDefinition(UsageError):
    """A task or schedule definition is not acceptable; `key` names the offending key of the manifest."""

    def __init__(self, message: str, *, key: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


class InvalidParams(UsageError):
    """Parameters do not fit the task's JSON Schema or the function's signature."""


class InvalidManifest(UsageError):
    """A manifest holds mistakes; `problems` are all of them, rendered one per item with their place."""

    def __init__(self, problems: Sequence[str], *, hint: str | None = None) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} found, nothing was written", hint=hint)
        self.problems = tuple(problems)


class SettingsError(UsageError):
    """A setting has an unusable value; the message names the setting and its origin."""


class NotFound(CelschedError):
    """No object of this kind has this name or id; the hint suggests near names."""


class NotPermitted(CelschedError):
    """The caller may not do this."""


class Conflict(CelschedError):
    """The present state of the store forbids the request; nothing was changed."""


class Unreachable(CelschedError):
    """A service that is needed does not answer."""


class StoreUnreachable(Unreachable):
    """The database does not answer, or cannot be opened.

    `reason`: what it or its driver said, without the address that the message begins with; None where there is none.
    """

    def __init__(self, message: str, *, hint: str | None = None, reason: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class StoreFull(StoreUnreachable):
    """The database answers, but its disk takes nothing more; what is stored can still be read."""


class StoreVersionError(StoreUnreachable):
    """The database answers, but its schema is newer than this celsched, or not upgraded yet."""


class BrokerUnreachable(Unreachable):
    """The message broker does not accept messages."""
