"""Where a command makes a store, and where it does not."""

from pathlib import Path

import pytest

from celsched.cli.context import CliContext
from celsched.cli.storage import store_of
from celsched.errors import SettingsError


def test_a_folder_that_is_no_project_gets_no_store(tmp_path: Path) -> None:
    with CliContext(env={}, cwd=tmp_path) as cli, pytest.raises(SettingsError, match="there is no celsched"):
        store_of(cli)
    assert list(tmp_path.iterdir()) == []


def test_a_named_store_needs_no_project(tmp_path: Path) -> None:
    with CliContext(env={"CELSCHED_DATABASE_URL": f"sqlite:///{tmp_path}/one.db"}, cwd=tmp_path) as cli:
        store_of(cli)
    assert (tmp_path / "one.db").exists()
