"""Owns how the end of an execution is said in a sentence and turned into an exit code. It never waits for one."""

from celsched.cli import format as human
from celsched.cli.exits import ExitCode
from celsched.domain.execution import Execution, State

_CODES = {
    State.SUCCEEDED: ExitCode.DONE,
    State.FAILED: ExitCode.FAILED,
    State.TIMED_OUT: ExitCode.FAILED,
}


def outcome_code(execution: Execution) -> ExitCode:
    """Return what `--wait` ends with for an execution that has ended."""
    return _CODES.get(execution.state, ExitCode.NOT_RUN)


def outcome_sentence(execution: Execution) -> str:
    """Return what became of an execution, with its ids."""
    words = [f"execution {execution.id} of '{execution.subject}' {str(execution.state).replace('_', ' ')}"]
    if execution.duration is not None:
        words.append(f"in {human.duration(execution.duration)}")
    if execution.attempt > 1:
        words.append(f"at attempt {execution.attempt}")
    if execution.reason:
        words.append(f"({execution.reason.replace('_', ' ')})")
    sentence = " ".join(words)
    return f"{sentence}: {human.one_line(execution.error)}" if execution.error else sentence
