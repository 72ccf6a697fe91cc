"""Every command explains itself, and so does each of its options."""

import io
import re
from pathlib import Path

import pytest

from celsched.cli.app import build, main
from celsched.cli.commands import COMMANDS
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from tests.docs.readme import README
from tests.docs.tables import TABLES

SHOWN = [name for name, entry in COMMANDS.items() if not entry.hidden]


@pytest.mark.parametrize("name", SHOWN)
def test_a_command_has_help(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli = CliContext(stdout=io.StringIO(), stderr=io.StringIO(), env={}, cwd=tmp_path)
    assert main([name, "--help"], cli=cli) == ExitCode.DONE
    text = capsys.readouterr().out
    usage, _, rest = text.partition("\n")
    assert usage.startswith(f"Usage: celsched {name}")
    assert rest.strip().splitlines()[0].strip()[:1].isupper()
    assert not list(tmp_path.iterdir()), "asking for help made something"
    assert max(map(len, text.splitlines())) <= 100, "as when each of many values is told as one word"
    assert "..." not in rest, "a line about a subcommand is cut"
    assert not re.search(r"\{[^}]*[a-z]", usage.replace("task|schedule", "")), "an argument is named in capitals"


def test_the_one_line_of_each_command_is_a_sentence() -> None:
    for name in SHOWN:
        assert COMMANDS[name].help[0].isupper(), name
        assert COMMANDS[name].help.endswith("."), name


@pytest.mark.parametrize("name", SHOWN)
def test_an_option_that_a_command_needs_is_in_the_text_of_the_readme(name: str) -> None:
    root = build()
    context = root.make_context("celsched", ["version"], obj=CliContext())
    command = root.get_command(context, name)
    prose = re.sub(r"^```.*?^```$", "", README.read_text(encoding="utf-8"), flags=re.M | re.S)
    for param in command.params:
        if param.required and param.param_type_name == "option":
            assert re.search(rf"`{name}[^`]* {param.opts[0]}\b", prose), param.opts[0]


def test_every_exit_code_is_explained() -> None:
    assert TABLES["exits"]().count("\n") == len(ExitCode) + 2
