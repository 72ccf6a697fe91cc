"""The entry point: global options, mistakes, exit codes, and what `--help` may not import."""

import importlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import typer

from celsched import errors
from celsched.cli import app as cli_app
from celsched.cli.commands import COMMANDS
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode, exit_code
from celsched.cli.lazy import Entry
from celsched.cli.usage import hoisted
from tests.unit.cli.conftest import Call, Terminal


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError("x"), 2),
        (errors.InvalidManifest(["x"]), 2),
        (errors.NotFound("x"), 3),
        (errors.NotPermitted("x"), 4),
        (errors.Conflict("x"), 5),
        (errors.StoreUnreachable("x"), 6),
        (errors.StoreVersionError("x"), 78),
        (errors.BrokerUnreachable("x"), 6),
        (KeyboardInterrupt(), 130),
        (errors.CelschedError("x"), 70),
        (ValueError("x"), 70),
    ],
)
def test_each_error_has_one_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError("x"), 78),
        (errors.StoreVersionError("x"), 78),
        (errors.StoreUnreachable("x"), 6),
        (errors.InvalidManifest(["x"]), 2),
    ],
)
def test_a_daemon_says_where_starting_again_does_not_help(error: BaseException, code: int) -> None:
    assert exit_code(error, daemon=True) == code


def test_every_class_of_error_has_a_code() -> None:
    def below(kind: type[errors.CelschedError]) -> list[type[errors.CelschedError]]:
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]

    kinds = [kind for child in errors.CelschedError.__subclasses__() for kind in below(child)]
    bare = [kind.__new__(kind) for kind in kinds if kind.__module__ == errors.__name__]
    assert [type(error).__name__ for error in bare if exit_code(error) is ExitCode.FAULT] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_the_table_is_there_and_has_help(name: str, call: Call) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    assert hasattr(importlib.import_module(module), attribute)
    result = call(name, "--help")
    assert result.code == 0


def test_help_shows_every_visible_command_with_its_line(call: Call) -> None:
    typer_output = subprocess.run(
        [sys.executable, "-m", "celsched", "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for name, entry in COMMANDS.items():
        assert (name in typer_output) is not entry.hidden


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from celsched.cli.app import main; main(['--help'])\n"
        "heavy = {'sqlalchemy', 'celery', 'kombu', 'redis', 'pydantic', 'yaml', 'alembic', 'jsonschema', 'rich'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stderr == "[]\n"


def test_one_command_imports_no_other() -> None:
    code = (
        "import sys; from celsched.cli.app import main; main(['version', '-o', 'name'])\n"
        "print([m for m in sys.modules if m in ('celsched.cli.config', 'celsched.cli.init', 'celsched.store.store',"
        " 'celery', 'sqlalchemy')], file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stderr == "[]\n"


def test_version_option_works_beside_any_command() -> None:
    found = subprocess.run([sys.executable, "-m", "celsched", "--version"], capture_output=True, text=True, timeout=60)
    assert found.stdout == "celsched 0.1.0\n"
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["confg"], "celsched: there is no command `confg`\nhint: did you mean `config`?\n"),
        (["zzzzzz"], "celsched: there is no command `zzzzzz`\nhint: `celsched --help` lists the commands\n"),
        (
            ["config", "--outptu", "json"],
            "celsched: there is no option `--outptu`\nhint: did you mean `--output`?\n"
            "hint: `celsched config --help` shows how it is used\n",
        ),
        (
            ["config", "-o", "xml"],
            "celsched: invalid value for '-o' / '--output': "
            "'xml' is not one of 'table', 'json', 'jsonl', 'csv', 'name'\n"
            "hint: `celsched config --help` shows how it is used\n",
        ),
        (["config", "leese"], "celsched: there is no setting `leese`\nhint: did you mean `lease`?\n"),
    ],
)
def test_mistyped_words_get_a_suggestion(call: Call, args: list[str], message: str) -> None:
    result = call(*args)
    assert result.err.endswith(message)
    assert result.out == ""
    assert result.code == (ExitCode.NOT_FOUND if "leese" in args else ExitCode.USAGE)


def test_no_arguments_show_the_help_on_standard_error(call: Call) -> None:
    result = call()
    assert result.code == ExitCode.USAGE
    assert "Usage: celsched" in result.err
    assert result.out == ""


def _with_command(monkeypatch: pytest.MonkeyPatch, command: Callable[[], object], *, daemon: bool = False) -> None:
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "planted", command, raising=False)
    entry = Entry(f"{__name__}:planted", "Planted.", "Test", daemon=daemon)
    monkeypatch.setattr(cli_app.Root, "table", {"planted": entry})
    monkeypatch.setitem(COMMANDS, "planted", entry)


def _raises(error: BaseException) -> Callable[[], NoReturn]:
    def planted() -> NoReturn:
        raise error

    return planted


def test_user_error_is_message_and_hint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_command(monkeypatch, _raises(errors.Conflict("it \x1b[2J is so", hint="do that")))
    result = call("planted")
    assert (result.code, result.err) == (5, "celsched: it \\x1b[2J is so\nhint: do that\n")


def test_manifest_problems_come_first(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_command(monkeypatch, _raises(errors.InvalidManifest(["a.yaml:1:2: x: bad", "a.yaml:3:1: y: worse"])))
    result = call("planted")
    assert result.err == ("a.yaml:1:2: x: bad\na.yaml:3:1: y: worse\ncelsched: 2 problems found, nothing was written\n")


def test_fault_of_ours_is_one_line_without_secrets(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_command(monkeypatch, _raises(ValueError("redis://:hunter2@h broke\nand more")))
    result = call("planted")
    assert result.code == ExitCode.FAULT
    assert result.err.startswith("celsched: internal fault: ValueError: redis://:***@h broke\nhint: ")
    assert "Traceback" not in result.err
    verbose = call("-v", "planted")
    assert "Traceback" in verbose.err
    assert "hunter2" not in verbose.err


def test_settings_error_of_a_daemon_is_78(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_command(monkeypatch, _raises(errors.SettingsError("x")), daemon=True)
    assert call("planted").code == ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (lambda: ExitCode.NO, 1),
        (lambda: None, 0),
        (_raises(typer.Exit(11)), 11),
        (_raises(KeyboardInterrupt()), 130),
        (_raises(typer.Abort()), 130),
        (_raises(BrokenPipeError()), 0),
    ],
)
def test_how_a_command_ends(
    call: Call, monkeypatch: pytest.MonkeyPatch, command: Callable[[], object], code: int
) -> None:
    _with_command(monkeypatch, command)
    result = call("planted")
    assert (result.code, result.err) == (code, "")


def test_reader_that_leaves_makes_no_noise() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "celsched", "config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 0


def test_a_full_disk_behind_the_output_is_no_fault_of_ours(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "celsched", "config"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
    assert done.returncode == ExitCode.UNREACHABLE
    assert "celsched: cannot write: No space left on device\nhint: " in done.stderr


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (["tasks", "--config", "x", "-o", "json"], ["--config", "x", "tasks", "-o", "json"]),
        (["tasks", "--database-url=x"], ["--database-url=x", "tasks"]),
        (["tasks", "--", "--config", "x"], ["tasks", "--", "--config", "x"]),
        (["tasks", "--quiet", "-q"], ["--quiet", "tasks", "-q"]),
        (["tasks", "--config"], ["--config", "tasks"]),
    ],
)
def test_global_options_may_stand_behind_the_command(given: list[str], moved: list[str]) -> None:
    assert hoisted(given) == moved


def test_confirmation_needs_a_person_or_yes(tmp_path: Path) -> None:
    pipe = CliContext(stdin=io.StringIO("y\n"), stdout=io.StringIO(), stderr=io.StringIO(), env={}, cwd=tmp_path)
    assert pipe.confirm("delete?", yes=True)
    with pytest.raises(errors.UsageError, match=r"not confirmed: delete\?"):
        pipe.confirm("delete?", yes=False)
    for typed, answer in (("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("no\n", False)):
        person = CliContext(stdin=Terminal(typed), stdout=Terminal(), stderr=Terminal(), env={}, cwd=tmp_path)
        assert person.confirm("delete?", yes=False) is answer
