"""Owns the exit codes and the one map from error classes to them. It never exits; `celsched.cli.app` does."""

from enum import IntEnum

from celsched import errors


class ExitCode(IntEnum):
    """What a command ends with; scripts rely on each of them."""

    DONE = 0
    """Done, or the answer is yes."""
    NO = 1
    """The answer is no: `diff` found differences, `watch --once` found trouble, `doctor` has a failed check."""
    USAGE = 2
    """Usage, settings of a command, or an invalid manifest."""
    NOT_FOUND = 3
    NOT_PERMITTED = 4
    CONFLICT = 5
    """The present state of the store forbids it."""
    UNREACHABLE = 6
    """Store or broker does not answer."""
    FAILED = 10
    """`--wait`: the execution failed or timed out."""
    NOT_RUN = 11
    """`--wait`: the execution was skipped, expired, cancelled or lost."""
    FAULT = 70
    """A fault of celsched itself."""
    WATCHDOG = 75
    """`worker` was stopped by its own watchdog; start it again."""
    CONFIGURATION = 78
    """The store's schema is not ours, or a daemon cannot start with these settings; trying again does not help."""
    TIMEOUT = 124
    """`--timeout` was reached."""
    INTERRUPTED = 130


_CODES: dict[type[BaseException], ExitCode] = {
    errors.UsageError: ExitCode.USAGE,
    errors.NotFound: ExitCode.NOT_FOUND,
    errors.NotPermitted: ExitCode.NOT_PERMITTED,
    errors.Conflict: ExitCode.CONFLICT,
    errors.Unreachable: ExitCode.UNREACHABLE,
    errors.StoreVersionError: ExitCode.CONFIGURATION,
    KeyboardInterrupt: ExitCode.INTERRUPTED,
}


def exit_code(error: BaseException, *, daemon: bool = False) -> ExitCode:
    """Return the code of the error's nearest known class; a `daemon` has its own for settings."""
    if daemon and isinstance(error, errors.SettingsError):
        return ExitCode.CONFIGURATION
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), ExitCode.FAULT)
