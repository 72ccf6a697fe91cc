"""`celsched doctor` where there is no project, where warnings count, and on a terminal."""

import re
from pathlib import Path

from tests.unit.cli.conftest import Call


def test_outside_of_a_project_it_is_a_mistake_and_makes_nothing(call: Call, tmp_path: Path) -> None:
    result = call("doctor", env={"HOME": str(tmp_path / "home")})
    assert result.code == 2
    assert "no celsched.toml" in result.err
    assert not list(tmp_path.iterdir())


def test_warnings_fail_only_where_they_are_asked_to(call: Call, tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text("")
    call("tasks")
    assert call("doctor", "--no-import").code == 0
    assert call("doctor", "--no-import", "--strict").code == 1


def test_on_a_terminal_the_commands_stand_alone_below(call: Call, tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text("")
    call("tasks")
    result = call("doctor", "--no-import", terminal=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.out)
    assert plain.split()[:4] == ["#", "STATUS", "CHECK", "SEEN"]
    assert "\ncelsched run  # 6, 7\n" in plain
    assert "22 checks: " in result.err
