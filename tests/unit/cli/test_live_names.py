"""Names from the store on TAB: read where there is a store, nothing and no noise where there is none."""

from pathlib import Path

import pytest
import typer

from celsched.cli.app import build
from celsched.cli.completion import live
from celsched.cli.completion_names import NAMES
from celsched.cli.context import CliContext
from celsched.cli.storage import store_of
from celsched.domain.definition import TaskDefinition
from celsched.store import definitions

NAME = "پاکسازی فایل‌های موقت"


def _complete(kind: str, folder: Path, beginning: str, *words: str) -> list[str]:
    with CliContext(env={}, cwd=folder) as cli:
        ctx: typer.Context = build().make_context("celsched", list(words), obj=cli, resilient_parsing=True)
        return [name for name, _ in live(kind)(ctx, beginning)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "celsched.toml").touch()
    with CliContext(env={}, cwd=tmp_path) as cli:
        store = store_of(cli)
        assert store_of(cli) is store, "one store for the whole call"
        task = TaskDefinition(NAME, "files.tasks.cleanup")
        store.write(lambda tx: definitions.insert_task(tx, task, cli.clock.now(), checked=False))
    return tmp_path


@pytest.mark.parametrize(("beginning", "names"), [("", [NAME]), ("پاک", [NAME]), ("x", [])])
def test_names_that_begin_so(project: Path, beginning: str, names: list[str]) -> None:
    assert _complete("task", project, beginning) == names
    assert _complete("either", project, beginning) == names
    assert _complete("schedule", project, beginning) == []


@pytest.mark.parametrize("kind", sorted(set(NAMES) - {"queue"}))
def test_no_store_is_no_completion_and_makes_none(tmp_path: Path, kind: str) -> None:
    assert _complete(kind, tmp_path, "") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("toml", ["lease = nonsense", 'database_url = "mysql://h/x"', "unknown = 1"])
def test_broken_settings_are_no_completion(tmp_path: Path, toml: str) -> None:
    (tmp_path / "celsched.toml").write_text(toml)
    assert _complete("task", tmp_path, "") == []


def test_unknown_kind_is_no_completion(tmp_path: Path) -> None:
    assert _complete("no such kind", tmp_path, "") == []


def test_queues_come_from_the_settings(tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text('queues = ["گزارش"]')
    assert _complete("queue", tmp_path, "")[:2] == ["گزارش", "default"]
