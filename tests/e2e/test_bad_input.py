"""Every mistake a person can make is told with its place and the next step; nothing is half-written."""

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.cli_project import CliProject

MISTAKES = """\
version: 1
tasks:
  greet: {task_path: jobs.greet}
  cleen: {task_path: jobs.clean, max_retrys: 3}
  outside: {task_path: os.system}
  absent: {task_path: absent.greet}
  broken: {task_path: broken.greet}
  quits: {task_path: quits.greet}
  misnamed: {task_path: jobs.gret}
  no task: {task_path: jobs.NotATask.value}
  misfit: {task_path: jobs.greet, default_params: {nam: x}}
schedules:
  typo: {task: gret, every: 1h}
  bad cron: {task: greet, cron: "61 * * * *"}
  never: {task: greet, cron: "0 0 31 2 *"}
  nowhere: {task: greet, cron: "0 2 * * *", timezone: Asia/Teheran}
  negative: {task: greet, every: -5}
  starred: {task: greet, cron: "* * * *"}
  unfit: {task: greet, every: 1h, params: {nmae: علی}}
  two: {task: greet, every: 1h, at: 2026-12-01T09:00:00Z}
"""
EXPECTED = {
    4: "unknown key `max_retrys`",
    5: "outside `task_modules`",
    6: "absent",
    7: "broken",
    8: "importing `quits` ended the interpreter with exit code 3",
    9: "`jobs` has no `gret`",
    10: "jobs.NotATask.value",
    11: "`nam` is not one of its parameters",
    13: "there is no task `gret`",
    14: "61",
    15: "no date ever satisfies",
    16: "unknown time zone 'Asia/Teheran'",
    17: "negative duration",
    18: "5 fields",
    19: "`nmae` is not one of its parameters",
    20: "a schedule has one rule",
}
GOOD = "version: 1\nset: a\ntasks: {greet: {task_path: jobs.greet}}\nschedules: {often: {task: greet, every: 1h}}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> CliProject:
    made = CliProject(tmp_path_factory.mktemp("bad"))
    made.write("broken.py", "import nowhere_at_all\n")
    made.write("quits.py", "import os\nos._exit(3)\n")
    made.write("good.yaml", GOOD)
    made.done("define", "hello", "--task-path", "jobs.greet")
    return made


def test_every_problem_of_a_manifest_is_said_at_its_place(project: CliProject) -> None:
    refused = project.run("apply", "-f", project.write("m.yaml", MISTAKES))
    assert refused.code == 2
    heads = [line for line in refused.err.splitlines() if line.startswith("m.yaml:")]
    found = {int(head.split(":")[1]): head for head in heads}
    assert found.keys() == EXPECTED.keys(), refused.err
    for line, words in EXPECTED.items():
        assert words in found[line]
    assert len(heads) == len(EXPECTED)
    assert f"celsched: {len(EXPECTED)} problems found, nothing was written\n" in refused.err
    assert "hint: did you mean `max_retries`?" in refused.err
    assert "hint: did you mean `Asia/Tehran`?" in refused.err
    column = int(found[19].split(":")[2]) - 1
    shown = refused.err.splitlines()
    at = shown.index(found[19])
    assert shown[at + 1] == f"    {MISTAKES.splitlines()[18]}"
    assert shown[at + 2] == f"    {' ' * column}^"
    assert "m.yaml" not in refused.out
    assert "cleen" not in project.done("export")


def test_parameters_that_do_not_fit_are_told_beside_every_other_problem(project: CliProject) -> None:
    text = """version: 1
tasks:
  greet: {task_path: jobs.greet, max_retrys: 1}
  unread: {task_path: jobs.greet, default_params: 5}
schedules:
  bad rule: {task: greet, cron: "61 * * * *", params: {nme: x}}
  no rule: {task: greet, params: {nme: x}}
  bad key: {task: greet, every: 1h, tags: 1, params: {nme: x}}
  unread: {task: greet, every: 1h, params: 5}
  of unread: {task: unread, every: 1h, params: {nme: x}}
"""
    refused = project.run("validate", "-f", "-", stdin=text)
    assert refused.code == 2
    heads = [line for line in refused.err.splitlines() if line.startswith("<stdin>:")]
    assert [int(head.split(":")[1]) for head in heads] == [3, 4, 6, 6, 7, 7, 8, 8, 9], refused.err
    misfits = [head for head in heads if "`nme` is not one of its parameters" in head]
    assert [int(head.split(":")[1]) for head in misfits] == [6, 7, 8]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\ntasks:\n  a: {task_path: [\n", "<stdin>:"),
        ("version: 1\ntasks:\n\ta: 1\n", "<stdin>:3:1: "),
        ("version: 2\n", "<stdin>:1:10: version: "),
        ("- a\n", "<stdin>:1:1: a manifest is a mapping"),
        ("version: 1\nschedules:\n  a: {task: hello, cron: * * * * *}\n", "quote"),
    ],
)
def test_broken_yaml_has_its_place(project: CliProject, text: str, said: str) -> None:
    refused = project.run("validate", "-f", "-", "--no-import", stdin=text)
    assert refused.code == 2
    assert said in refused.err
    assert refused.out == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["define", "x", "--task-path", "os.system"], 4, 'hint: add "os.*" to `task_modules`'),
        (["define", "x", "--task-path", "absent.greet"], 2, "absent"),
        (["define", "x"], 2, "--task-path is missing"),
        (["define", "x", "--task-path", "jobs.greet", "--param", "name"], 2, "not of the form key=value"),
        (["define", "x", "--task-path", "jobs.greet", "--params-schema", "nope.json"], 2, "cannot be read"),
        (["define"], 2, "NAME is missing"),
        (["schedule", "x", "--task", "helo", "--every", "1h"], 3, "hint: did you mean `hello`?"),
        (["schedule", "x", "--task", "hello"], 2, "its rule is missing"),
        (["schedule", "x", "--task", "hello", "--every", "-5m"], 2, "'-5m' is not a duration"),
        (["schedule", "x", "--task", "hello", "--cron", "0 0 31 2 *"], 2, "no date ever satisfies"),
        (["schedule", "x", "--task", "hello", "--every", "1h", "--timezone", "Tehran"], 2, "unknown time zone"),
        (["schedule", "x", "--task", "hello", "--at", "2026-02-30"], 2, "not a date of the calendar"),
        (["schedule", "x", "--task", "hello", "--every", "1h", "--overlap", "skp"], 2, "hint: did you mean `skip`?"),
        (["schedule", "x", "--task", "hello", "--every", "1h", "--unset", "overlap"], 2, "it is not set here"),
        (["schedule", "x", "--task", "hello", "--every", "1h", "--cron", "* * * * *"], 2, "exclude each other"),
        (["pause", "x"], 3, "there is no schedule 'x'"),
        (["pause"], 2, "celsched pause --help"),
        (["validate"], 2, "no manifest was named"),
        (["validate", "-f", "nope.yaml"], 2, "nope.yaml: cannot be read: No such file"),
        (["delete", "tsk", "x"], 2, "task"),
        (["show", "executions", "1"], 2, "`celsched show executions`\nhint: did you mean `execution`?"),
        (["show", "execution", "x"], 2, "'ID': it must be a whole number\n"),
        (["next", "-n", "0"], 2, "it must be greater than or equal to 1\n"),
        (["apply", "-f"], 2, "requires an argument\nhint: `celsched apply --help`"),
        (["logs", "helo"], 3, "there is no task or schedule 'helo'\nhint: did you mean `hello`?"),
        (["logs", "hello"], 3, "no execution of 'hello' has been recorded"),
        (["executions", "--status", "faild"], 2, "\nhint: did you mean `failed`?\n"),
        (["silence", "--for", "1h", "--until", "18:00", "--reason", "x"], 2, "--for and --until exclude each other"),
        (["completion"], 2, "missing argument 'SHELL'. Choose from: bash, zsh, fish\n"),
        (["why", "7"], 3, "if it is the id of an execution: `celsched show execution 7`"),
        (["alerts"], 0, "no alert is open"),
        (["alerts", "--state", "all"], 0, "no alert fits"),
        (["executions"], 0, "no execution yet"),
        (["export", "--set", "nope"], 3, "no stored object belongs to a set 'nope'"),
    ],
)
def test_a_mistake_on_the_command_line(project: CliProject, words: list[str], code: int, said: str) -> None:
    refused = project.run(*words)
    assert refused.code == code, refused.err
    assert said in refused.err
    assert refused.out == ""


def test_an_unreachable_store_is_said(project: CliProject) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hunter2@127.0.0.1:{closed.getsockname()[1]}/none"
        refused = project.run("--database-url", url, "apply", "-f", "good.yaml")
        checked = project.run("--database-url", url, "validate", "-f", "good.yaml")
    assert refused.code == 6
    assert "does not answer" in refused.err
    assert "hint: check `database_url`" in refused.err
    assert "hunter2" not in refused.err + checked.err
    assert checked.code == 0
    assert "does not answer" in checked.err


def test_a_store_of_a_newer_celsched_is_refused(tmp_path: Path) -> None:
    project = CliProject(tmp_path)
    project.write("good.yaml", GOOD)
    project.done("apply", "-f", "good.yaml")
    with sqlite3.connect(tmp_path / ".celsched" / "celsched.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    refused = project.run("apply", "-f", "good.yaml")
    assert refused.code == 78
    assert "newer" in refused.err


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    project = CliProject(tmp_path, env={"CELSCHED_DATA_FOLDER": "jobs.py/data"})
    refused = project.run("apply", "-f", project.write("good.yaml", GOOD))
    assert refused.code == 6
    assert "the data folder" in refused.err
    assert "hint:" in refused.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_store_is_said(tmp_path: Path) -> None:
    project = CliProject(tmp_path)
    project.done("define", "hello", "--task-path", "jobs.greet")
    data = tmp_path / ".celsched"
    for path in [*data.iterdir(), data]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    refused = project.run("define", "hello", "--priority", "9")
    data.chmod(0o700)
    assert refused.code in (4, 6)
    assert "hint:" in refused.err


def test_a_bad_preload_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    project = CliProject(tmp_path, settings='task_modules = ["jobs.*"]\npreload = ["jobs", "nowhere_at_all"]\n')
    refused = project.run("validate", "-f", project.write("good.yaml", GOOD))
    assert refused.code == 2
    assert "`preload`" in refused.err
    assert "nowhere_at_all" in refused.err
