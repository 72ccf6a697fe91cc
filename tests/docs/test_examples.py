"""The examples are valid, apply, and do what their comments say; the units are what `celsched systemd` prints."""

import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.domain.message_template import FIELDS
from tests.docs.project import EXAMPLES, Shell, copy_of
from tests.docs.readme import README
from tests.support.waiting import wait_until

MANIFESTS = [path for path in sorted(EXAMPLES.rglob("*.yaml")) if ".celsched" not in path.parts]
UNITS = {"celsched.service": "daemon", "celsched-worker.service": "worker", "celsched-watch.service": "watch"}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_manifest_is_valid_and_applies_once(tmp_path: Path, manifest: Path) -> None:
    place = manifest.relative_to(EXAMPLES)
    shell = copy_of(place.parts[0], tmp_path)
    file = str(shell.folder.joinpath(*place.parts[1:]))
    assert "valid: 1 file" in _said(shell, "validate", "--strict", "-f", file)
    assert "applied: " in _said(shell, "apply", "-f", file)
    assert "unchanged:" in _said(shell, "apply", "-f", file)


def test_the_policies_apply_together(tmp_path: Path) -> None:
    shell = copy_of("policies", tmp_path)
    result = shell.run("celsched apply -f . && celsched schedules -o name | wc -l")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].strip() == "19"


def test_the_clock_changes_of_the_policies_are_told(tmp_path: Path) -> None:
    shell = copy_of("policies", tmp_path)
    result = shell.run(
        "celsched apply -f dst.yaml >&2 && celsched next 'daily in new york' --since 2027-03-13 -n 2 -o json"
    )
    assert result.returncode == 0, result.stderr
    gap = json.loads(result.stdout)[1]
    assert gap["fire_time"] == "2027-03-14T07:00:00Z"
    assert "03:00 EDT" in json.dumps(gap)


def test_the_pipeline_checks_applies_and_is_idempotent(tmp_path: Path) -> None:
    shell = copy_of("ci", tmp_path)
    listed = "celsched schedules -o name | sort"
    assert _ok(shell, f"./deploy.sh check && {listed}").splitlines()[-1] == "5 to create"
    assert _ok(shell, f"./deploy.sh apply && {listed}").splitlines()[-3:] == [
        "reconcile nightly",
        "statements monthly",
        "تطبیق هفتگی",
    ]
    assert "unchanged: 2 tasks, 3 schedules" in _ok(shell, "./deploy.sh apply")
    (shell.folder / "manifests" / "statements.yaml").unlink()
    assert "2 to delete" in _ok(shell, "./deploy.sh apply")
    assert "statements" not in _ok(shell, listed)


def test_the_pipeline_fails_with_the_place_of_a_mistake_and_changes_nothing(tmp_path: Path) -> None:
    shell = copy_of("ci", tmp_path)
    manifest = shell.folder / "manifests" / "billing.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("30 1 * * *", "30 25 * * *"), encoding="utf-8")
    result = shell.run("./deploy.sh apply")
    assert result.returncode == 2
    assert "billing.yaml:15:11: " in result.stderr
    assert not (shell.folder / ".celsched").exists()


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_what_the_command_prints(tmp_path: Path, name: str) -> None:
    (tmp_path / "celsched.toml").write_text('broker_url = "redis://127.0.0.1:6379/0"\ntask_modules = ["tasks.*"]\n')
    shell = Shell(tmp_path)
    printed = _ok(shell, f"celsched systemd {UNITS[name]} --user celsched")
    executable = _ok(shell, "command -v celsched").strip()
    wanted = printed.replace(executable, "/opt/celsched/bin/celsched").replace(str(tmp_path), "/srv/celsched")
    assert (EXAMPLES / "systemd" / name).read_text().strip() == wanted.strip()


def _said(shell: Shell, *args: str) -> str:
    """Call the command line in this process, which saves starting one, and return what it said."""
    out = io.StringIO()
    code = main(list(args), cli=CliContext(stdout=out, stderr=out, env={}, cwd=shell.folder))
    assert code == ExitCode.DONE, out.getvalue()
    return out.getvalue()


def _ok(shell: Shell, script: str) -> str:
    result = shell.run(script)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_webhook_arrives_signed_as_its_template_draws_it(tmp_path: Path) -> None:
    shell = copy_of("webhook", tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = shell.folder / "celsched.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(":8065/", f":{port}/"), encoding="utf-8")
    log = shell.folder / "receiver.log"
    with log.open("wb") as out:
        receiver = subprocess.Popen(
            [sys.executable, "receiver.py", str(port), "choose your own"], cwd=shell.folder, stdout=out, stderr=out
        )
    try:
        wait_until(lambda: _answers(port), message="the receiver listens")
        shown = _ok(shell, "celsched config notify")
        assert "***" in shown
        assert "username" not in shown
        assert _ok(shell, "celsched alerts test chat").strip() == "chat: accepted"
        word, _, body = log.read_text(encoding="utf-8").strip().partition(" ")
    finally:
        receiver.kill()
        receiver.wait()
    assert word == "signed"
    assert json.loads(body) == {
        "username": "celsched",
        "text": json.loads(body)["text"],
        "props": {"severity": "info", "resolved": False, "count": 1, "thread": None},
    }
    title, _, text = json.loads(body)["text"].partition("\n")
    assert title == "**[test] celsched: this is a test**"
    assert text.endswith("سلام")


def test_the_documents_name_every_field_of_a_template() -> None:
    for document in (README, EXAMPLES / "webhook" / "README.md"):
        text = document.read_text(encoding="utf-8")
        assert not [name for name in FIELDS if f"`${{{name}}}`" not in text]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
