"""How log lines read: Persian with its joiners as it was written, and nothing that could steer a terminal.

It never starts a daemon; records are made here.
"""

import io
import logging

import pytest

from celsched.cli.log_output import LineFormatter, formatter_for


def line(form: logging.Formatter, said: str, *about: object) -> str:
    return form.format(logging.LogRecord("celsched.x", logging.INFO, "x.py", 1, said, about, None))


@pytest.mark.parametrize("terminal", [True, False])
def test_joiners_stay_and_control_characters_do_not(terminal: bool) -> None:
    form = LineFormatter(terminal=terminal, colour=False, zone="Asia/Tehran")
    said = line(form, "dispatched '%s'", "گزارش‌های\x1b[2J روزانه")
    assert said.endswith("dispatched 'گزارش‌های\\x1b[2J روزانه'")
    assert line(form, "first\nsecond").endswith("first\n    second")


def test_a_traceback_that_a_task_wrote_cannot_steer_a_terminal_either() -> None:
    record = logging.LogRecord("celsched.x", logging.ERROR, "x.py", 1, "it failed", (), None)
    try:
        raise ValueError("\x1b]0;title\x07 نمی‌شود")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    said = formatter_for(io.StringIO(), "UTC").format(record)
    assert "\x1b" not in said
    assert "نمی‌شود" in said
