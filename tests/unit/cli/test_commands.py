"""init, config, systemd, schema, version and completion."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from celsched.cli.completion_scripts import BASH, FISH, ZSH
from celsched.cli.exits import ExitCode
from tests.unit.cli.conftest import Call


def test_init_writes_a_project_that_loads_and_never_overwrites(call: Call, tmp_path: Path) -> None:
    first = call("init", "پروژه")
    folder = tmp_path / "پروژه"
    assert first.code == 0
    assert first.out.splitlines() == [str(folder / name) for name in ("celsched.toml", "schedules.yaml", "tasks.py")]
    assert tomllib.loads((folder / "celsched.toml").read_text())["task_modules"] == ["tasks.*"]
    assert call("config", "task_modules", "--config", str(folder), "-o", "json").code == 0
    (folder / "tasks.py").write_text("mine")
    (folder / "celsched.toml").unlink()
    second = call("init", "پروژه")
    assert second.code == ExitCode.CONFLICT
    assert "already holds schedules.yaml, tasks.py; nothing was written" in second.err
    assert (folder / "tasks.py").read_text() == "mine"
    assert not (folder / "celsched.toml").exists()


def test_tasks_of_init_run(call: Call, tmp_path: Path) -> None:
    call("init")
    code = "import tasks; print(tasks.greet(name='x'), tasks.disk_usage()['path'])"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.stdout == "{'greeted': 'x'} /\n", run.stderr


def test_init_where_nothing_can_be_written(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("init", "file/inside")
    assert result.code == ExitCode.NOT_PERMITTED
    assert "cannot be written: Not a directory" in result.err


def test_config_masks_secrets_and_names_origins(call: Call, tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text(
        'broker_url = "redis://:hunter2@h/0"\n[[notify]]\nurl = "tgram://hunter2/5"\n'
    )
    env = {"CELSCHED_LEASE": "90s", "CELSCHED_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    for form in ("json", "jsonl", "csv", "table"):
        result = call("config", "-o", form, env=env)
        assert result.code == 0
        assert "hunter2" not in result.out + result.err
    rows = {row["name"]: row for row in json.loads(call("config", "-o", "json", env=env).out)}
    assert rows["broker_url"]["value"] == "redis://:***@h/0"
    assert rows["broker_url"]["origin"] == f"{tmp_path}/celsched.toml:1"
    assert rows["lease"] == {**rows["lease"], "value": "1m30s", "origin": "CELSCHED_LEASE"}
    assert rows["notify"]["value"][0]["url"] == "tgram://***"
    assert "fault" not in rows


def test_config_names_variables_that_begin_like_ours_and_do_nothing(call: Call) -> None:
    env = {"CELSCHED_TYPO": "hunter2", "CELSCHED_ALERT_TITLE": "x", "CELSCHED_BODY": "1", "CELSCHED_LEASE": "90s"}
    result = call("config", "lease", env=env)
    assert result.code == 0
    warnings = [line for line in result.err.splitlines() if "warning" in line]
    assert warnings == ["warning: the variable CELSCHED_TYPO is no setting and has no effect"]
    assert "warning" not in call("version", env=env).err


def test_config_with_a_broken_file_is_a_clear_error(call: Call, tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text("lese = 1\n")
    result = call("config")
    assert result.code == ExitCode.USAGE
    assert result.err == f"celsched: {tmp_path}/celsched.toml:1: unknown setting `lese`\nhint: did you mean `lease`?\n"


def test_quiet_says_no_more_than_results(call: Call) -> None:
    assert "no settings file found" in call("config", "lease").err
    assert call("-q", "config", "lease").err == ""


def test_systemd_prints_one_unit_when_embedded_and_three_with_a_broker(call: Call, tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text('drain = "45s"\n')
    alone = call("systemd", "--user", "celsched").out
    assert alone.count("[Service]") == 1
    for line in (
        "Type=notify",
        "WatchdogSec=30",
        "Restart=always",
        "RestartSec=1",
        "KillMode=mixed",
        "TimeoutStopSec=60",
        "User=celsched",
        f"WorkingDirectory={tmp_path}",
        f"Environment=CELSCHED_CONFIG={tmp_path}/celsched.toml",
        "RestartPreventExitStatus=78",
    ):
        assert f"\n{line}\n" in alone
    env = {"CELERY_BROKER_URL": "redis://:hunter2@h/"}
    three = call("systemd", env=env)
    assert three.out.count("[Service]") == 3
    assert "celsched-worker.service" in three.out
    assert "hunter2" not in three.out
    assert "came from this shell: broker_url" in three.err


def test_systemd_units_survive_the_verifier(call: Call, tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        assert call("systemd", "watch").out.startswith("# /etc/systemd/system/celsched-watch.service\n[Unit]\n")
        return
    unit = tmp_path / "celsched-watch.service"
    unit.write_text(call("systemd", "watch", "--user", "root").out)
    checked = subprocess.run([verifier, "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert "Unknown" not in checked.stderr


def test_schema_is_a_json_schema(call: Call) -> None:
    schema = json.loads(call("schema").out)
    assert schema["type"] == "object"
    assert {"version", "tasks", "schedules"} <= set(schema["properties"])


def test_version_lists_what_it_runs_on(call: Call) -> None:
    rows = {row["name"]: row["version"] for row in json.loads(call("version", "-o", "json").out)}
    assert rows["celsched"] == "0.1.0"
    assert rows["celery"]


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_completion_scripts(call: Call, shell: str, script: str) -> None:
    assert call("completion", shell).out == script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["conf"], ["config"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["--config", "/x", "vers"], ["version"]),
        (["version", "-o", "js"], ["json", "jsonl"]),
        (["version", "--config", "/x", "-o", "c"], ["csv"]),
        (["config", "hea"], ["heartbeat"]),
        (["--data"], ["--database-url"]),
        (["__"], []),
        (["nonsense", "x"], []),
        (["config", "--nonsense", ""], []),
    ],
)
def test_completion_answers(call: Call, words: list[str], expected: list[str]) -> None:
    result = call("__complete", "--", *words)
    assert (result.code, result.err) == (0, "")
    found = [line.partition("\t")[0] for line in result.out.splitlines()]
    if expected or words == ["__"]:
        assert found == expected
    else:
        assert "config" not in found


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash itself is what is tested")
def test_bash_inserts_names_with_spaces_quoted(tmp_path: Path) -> None:
    fake = tmp_path / "celsched"
    fake.write_text('#!/bin/sh\nprintf "%s|" "$@" >"$0.log"\nprintf "نام کار\\tremark\\nplain\\n"\n')
    fake.chmod(0o755)
    script = f"""{BASH}
COMP_WORDS=(celsched show schedule my\\ na); COMP_CWORD=3; _celsched_complete; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    run = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout == "نام\\ کار\nplain\n", run.stderr
    assert (tmp_path / "celsched.log").read_text() == "__complete|--|show|schedule|my na|"
