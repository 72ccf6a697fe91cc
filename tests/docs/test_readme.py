"""The README's blocks are run: shell lines in a copy of the quickstart, manifests and settings by their readers."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from celsched.settings import load
from tests.docs.project import Shell, copy_of, daemon
from tests.docs.readme import README, ROOT, Block, blocks
from tests.docs.tables import filled

_ELSEWHERE = ("run by: ", "not run: ")
_SEEN = (
    "hello, world",
    "crunch numbers' succeeded",
    "https://reporter:***@example.org/ping with token=***",
    "the schedule is paused since",
    "unchanged:",
    "اول هر ماه",
)
"""What the README says one sees; each text must turn up in the output of its blocks."""


def test_the_tables_are_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert filled(text) == text, "run `python -m tests.docs.tables`"


def test_the_newcomers_two_commands_are_there_once_for_ci_to_read() -> None:
    by_ci = [block.text for block in blocks("sh") if block.remark == "run by: .ci/run"]
    assert by_ci == [
        "python3 -m venv .venv && .venv/bin/pip install . && cd examples/quickstart"
        " && ../../.venv/bin/celsched run --apply schedules.yaml --for 30s\n",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n",
    ]


def test_the_versions_of_python_are_those_of_the_package() -> None:
    said = re.search(r"tests have run on ([\d., and]+)\)", README.read_text(encoding="utf-8"))
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    assert said is not None
    assert re.findall(r"3\.\d+", said[1]) == [one.rpartition(" ")[2] for one in classifiers if ":: Python ::" in one]


def test_a_block_that_is_not_run_here_says_who_runs_it_or_why_not() -> None:
    remarks = [block.remark for block in blocks("sh") + blocks("python") if block.remark is not None]
    assert len(remarks) == 5
    assert all(remark.startswith(_ELSEWHERE) for remark in remarks)


def test_the_shell_blocks_run_in_the_quickstart_and_show_what_the_text_says(tmp_path: Path) -> None:
    shell = copy_of("quickstart", tmp_path)
    background = next(block for block in blocks("sh") if block.remark and "fixture" in block.remark)
    with daemon(shell, background.text):
        output = "".join(_ran(shell, block) for block in blocks("sh") if block.remark is None)
    missing = [text for text in _SEEN if text not in output]
    assert not missing, f"{missing} not in\n{output}"


def _ran(shell: Shell, block: Block) -> str:
    result = shell.run(block.text)
    assert result.returncode == 0, f"README.md:{block.line}\n{block.text}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_manifest_of_the_readme_is_valid(tmp_path: Path, block: Block) -> None:
    (tmp_path / "celsched.toml").write_text('task_modules = ["files.tasks.*"]\n')
    (tmp_path / "manifest.yaml").write_text(block.text, encoding="utf-8")
    result = Shell(tmp_path).run("celsched validate --no-import -f manifest.yaml")
    assert result.returncode == 0, result.stderr
    assert "valid: 1 file, 1 task, 3 schedules" in result.stdout + result.stderr


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_of_the_readme_are_read(tmp_path: Path, block: Block) -> None:
    (tmp_path / "celsched.toml").write_text(block.text)
    settings = load({}, {}, tmp_path)
    assert settings.task_modules == ("files.tasks.*",)
    assert not settings.warnings


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_of_the_readme_is_python(block: Block) -> None:
    imported = {node.module for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"celsched", "celsched.tasks", "celery"}
