"""The house as drawn, where no linter holds it: sizes, names, what a module says of itself, and what the face loads."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import celsched

PACKAGE = Path(celsched.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts)
SOURCES = {path.relative_to(PACKAGE): path.read_text(encoding="utf-8") for path in MODULES}
TREES = {path: ast.parse(text) for path, text in SOURCES.items()}

LONGEST_FILE = 300
LONGEST_FUNCTION = 40
MEDIAN_FILE = 120


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function's place and the lines of its code: signature and docstring are contract, not code."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[min(len(node.body) - 1, int(ast.get_docstring(node) is not None))]
                yield f"{path}:{node.lineno} {node.name}", (node.end_lineno or 0) - first.lineno + 1


def test_files_are_short() -> None:
    lengths = {str(path): text.count("\n") for path, text in SOURCES.items() if text.strip()}
    assert not {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE}
    assert statistics.median(lengths.values()) <= MEDIAN_FILE


def test_functions_are_short() -> None:
    assert not [(place, lines) for place, lines in functions() if lines > LONGEST_FUNCTION]


def test_names_say_what_a_module_is_about() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base", "core"}
    assert not [path for path in SOURCES if vague & {*path.parts, path.stem}]


def test_every_module_says_what_it_owns_and_what_it_never_does() -> None:
    mute = []
    for path, tree in TREES.items():
        text = ast.get_docstring(tree) or ""
        if (
            SOURCES[path].strip()
            and path.name not in {"__init__.py", "__main__.py"}
            and len(re.findall(r"[.;]", text)) < 2
        ):
            mute.append(str(path))
    assert not mute


def test_nothing_hides_behind_type_checking() -> None:
    assert not [path for path, text in SOURCES.items() if "TYPE_CHECKING" in text]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import celsched", {"celery", "sqlalchemy", "typer", "yaml", "pydantic", "croniter"}),
        ("import celsched.cli.app, celsched.cli.commands", {"celery", "kombu", "sqlalchemy", "yaml", "rich"}),
        ("import celsched.domain.plan", {"celery", "sqlalchemy", "typer", "yaml", "pydantic"}),
        ("import celsched.operations.browse, celsched.store.store", {"celery", "kombu", "yaml", "typer", "alembic"}),
        ("import celsched.cli.executions, celsched.cli.schedules", {"celery", "kombu", "rich", "yaml"}),
    ],
)
def test_what_a_part_does_not_load(statement: str, absent: set[str]) -> None:
    script = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not absent & set(loaded)
