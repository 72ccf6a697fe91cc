"""Manifests through the real command line: validate, diff, apply, export, and changes by hand beside them."""

from pathlib import Path

import pytest

from tests.e2e.cli_project import CliProject

PERSIAN = """\
version: 1
set: هلسا
defaults: {queue_name: default, timezone: Asia/Tehran}
tasks:
  پاکسازی فایل‌های موقت:
    task_path: jobs.clean
    task_type: نظافت
    description: حذف فایل‌های قدیمی‌تر از ۲۴ ساعت
    default_params: {hours: 24}
    retry: {delay: 10s, max_delay: 10m}
  سلام: {task_path: "jobs:greet", default_params: {name: جهان}}
schedules:
  هر شش ساعت: {task: پاکسازی فایل‌های موقت, every: 6h, priority: 7}
  شبانه: {task: سلام, cron: "0 2 * * *", params: {name: "علی\\tو \\u200cرضا"}}
  یک بار: {task: سلام, run_at: 2099-12-01 09:00}
"""
SMALL = """\
version: 1
set: small
tasks:
  greet: {task_path: jobs.greet}
schedules:
  often: {task: greet, every: 1h}
"""


@pytest.fixture
def project(tmp_path: Path) -> CliProject:
    return CliProject(tmp_path)


def test_persian_names_go_in_and_come_out_unchanged(project: CliProject) -> None:
    project.write("m.yaml", PERSIAN)
    assert project.done("validate", "-f", "m.yaml") == "valid: 1 file, 2 tasks, 3 schedules\n"
    applied = project.run("apply", "-f", "m.yaml")
    assert applied.code == 0, applied.err
    assert "+ task پاکسازی فایل‌های موقت  (jobs.clean)" in applied.out
    assert applied.out.endswith("applied: 5 created\n")
    assert "no daemon is running" in applied.err
    assert project.done("apply", "-f", "m.yaml") == "unchanged: 2 tasks, 3 schedules\n"
    exported = project.done("export")
    assert "پاکسازی فایل‌های موقت:" in exported
    project.write("exported.yaml", exported)
    assert project.done("diff", "-f", "exported.yaml", "--prune") == "unchanged: 2 tasks, 3 schedules\n"
    other = CliProject(_folder(project, "other"))
    assert other.done("apply", "-f", "-", stdin=exported).endswith("applied: 5 created\n")
    assert other.done("export", "--set", "هلسا") == exported


def test_diff_answers_with_its_exit_code_and_as_json(project: CliProject) -> None:
    project.done("apply", "-f", project.write("m.yaml", SMALL))
    project.write("m.yaml", SMALL.replace("1h", "2h").replace("jobs.greet", "jobs.greet, priority: 7"))
    seen = project.run("diff", "-f", "m.yaml")
    assert seen.code == 1
    assert "    rule: every 1h -> every 2h\n" in seen.out
    assert "    next fire time " in seen.out
    assert seen.out.endswith("2 to change\n")
    rows = project.run("diff", "-f", "m.yaml", "-o", "json").json
    assert [(row["action"], row["kind"], row["name"], row["drifted"]) for row in rows] == [
        ("update", "task", "greet", False),
        ("update", "schedule", "often", False),
    ]
    assert rows[0]["fields"] == [{"key": "priority", "old": None, "new": 7}]
    assert project.run("diff", "-f", "m.yaml", "-o", "json").code == 1
    project.done("apply", "-f", "m.yaml", "--dry-run")
    assert project.run("diff", "-f", "m.yaml").code == 1


def test_a_pause_survives_apply(project: CliProject) -> None:
    project.done("apply", "-f", project.write("m.yaml", SMALL))
    assert project.done("pause", "often", "--reason", "تعمیرات").startswith("paused often")
    project.write("m.yaml", SMALL.replace("1h", "2h"))
    assert "stays paused" in project.done("apply", "-f", "m.yaml")
    assert project.done("resume", "often").startswith("resumed often: next fire time")
    assert project.run("resume", "often").code == 5


def test_prune_is_previewed_confirmed_and_limited(project: CliProject) -> None:
    names = [f"s{number}" for number in range(5)]
    body = "".join(f"  {name}: {{task: greet, every: 1h}}\n" for name in names)
    many = SMALL.replace("  often: {task: greet, every: 1h}\n", body)
    project.done("apply", "-f", project.write("m.yaml", many))
    project.done("define", "by hand", "--task-path", "jobs.greet")
    without_set = project.run("apply", "-f", "-", "--prune", stdin=SMALL.replace("set: small\n", ""))
    assert without_set.code == 2
    assert "has no `set`" in without_set.err
    project.write("m.yaml", SMALL)
    assert "- schedule s0" in project.run("diff", "-f", "m.yaml", "--prune").out
    wide = project.run("apply", "-f", "m.yaml", "--prune", "--yes")
    assert wide.code == 5
    assert "hint: if that is meant, add --allow-prune 5" in wide.err
    unasked = project.run("apply", "-f", "m.yaml", "--prune", "--allow-prune", "5")
    assert unasked.code == 2
    assert "add --yes" in unasked.err
    assert project.done("export").count("every: 1h") == 5
    done = project.done("apply", "-f", "m.yaml", "--prune", "--allow-prune", "5", "--yes")
    assert done.endswith("applied: 1 created, 5 deleted, 1 unchanged\n")
    left = project.done("export")
    assert "by hand:" in left
    assert "s0" not in left


def test_what_belongs_to_another_set_is_left_alone_unless_adopted(project: CliProject) -> None:
    project.done("apply", "-f", project.write("m.yaml", SMALL))
    project.write("other.yaml", SMALL.replace("small", "other"))
    refused = project.run("apply", "-f", "other.yaml")
    assert refused.code == 5
    assert "belongs to the set `small` (and 1 more belong to others)" in refused.err
    assert "hint: add --adopt" in refused.err
    assert project.run("apply", "-f", "other.yaml", "--adopt").code == 2
    assert "2 taken over" in project.done("apply", "-f", "other.yaml", "--adopt", "--yes")
    assert project.done("export", "--set", "other").count("set: other") == 1
    assert project.run("export", "--set", "small").code == 3


def test_drift_by_hand_is_warned_about_and_shown(project: CliProject) -> None:
    project.done("apply", "-f", project.write("m.yaml", SMALL))
    by_hand = project.run("define", "greet", "--priority", "9", "--label", "team=ops")
    assert by_hand.code == 0
    assert "it belongs to the set `small`" in by_hand.err
    drifted = project.run("diff", "-f", "m.yaml")
    assert drifted.code == 1
    assert "~ task greet  (changed outside of its manifest)\n    priority: 9 -> (none)\n" in drifted.out
    assert "1 changed" in project.done("apply", "-f", "m.yaml")
    assert project.run("diff", "-f", "m.yaml").code == 0


def test_a_manifest_that_says_what_was_done_by_hand_is_confirmed_once(project: CliProject) -> None:
    project.done("apply", "-f", project.write("m.yaml", SMALL))
    project.run("define", "greet", "--priority", "9")
    exported = project.write("exported.yaml", project.done("export", "--set", "small"))
    assert project.run("diff", "-f", exported).code == 0
    said = "confirmed: the manifest says of the task 'greet' what somebody had changed by hand\n"
    assert project.done("apply", "-f", exported) == "unchanged: 1 task, 1 schedule\n" + said
    assert project.done("apply", "-f", exported) == "unchanged: 1 task, 1 schedule\n"


def test_define_and_schedule_change_only_what_is_given(project: CliProject) -> None:
    project.done("define", "گزارش", "--task-path", "jobs.clean", "--param", "hours=24", "--type", "نظافت",
                 "--retry-delay", "5s", "--time-limit", "30m", "--label", "team=ops")  # fmt: skip
    project.done("define", "گزارش", "--retry-factor", "3", "--priority", "8", "--label", "tier=1")
    project.done("schedule", "شبانه", "--task", "گزارش", "--cron", "0 2 * * *", "--timezone", "Asia/Tehran",
                 "--start-at", "2026-12-01 00:00", "--misfire", "skip", "--disabled")  # fmt: skip
    project.done("schedule", "شبانه", "--param", "hours=48", "--enabled", "--unset", "misfire")
    text = project.done("export")
    assert "default_params:\n      hours: 24" in text
    assert "factor: 3" in text
    assert "delay: 5s" in text
    assert "labels:\n      team: ops\n      tier: '1'" in text
    assert "start_at: '2026-11-30T20:30:00Z'" in text
    assert "hours: 48" in text
    assert "enabled: true" in text
    assert "misfire" not in text
    assert project.done("schedule", "شبانه", "--enabled") == "unchanged\n"
    assert project.run("schedule", "شبانه", "--param", "hour=3").code == 2


def test_define_and_schedule_take_their_part_of_a_file(project: CliProject) -> None:
    project.write("m.yaml", SMALL)
    early = project.run("schedule", "-f", "m.yaml")
    assert early.code == 2
    assert "m.yaml:6:17: schedules.often.task: the task `greet` is not stored yet" in early.err
    assert project.done("define", "-f", "m.yaml").endswith("applied: 1 created\n")
    assert project.done("schedule", "-f", "m.yaml").endswith("applied: 1 created\n")
    assert project.done("apply", "-f", "m.yaml") == "unchanged: 1 task, 1 schedule\n"


def test_people_read_times_in_the_zone_of_the_schedule_and_programs_in_utc(project: CliProject) -> None:
    project.write("celsched.toml", f'{project.settings}timezone = "Asia/Tehran"\n')
    project.write("m.yaml", SMALL.replace("every: 1h", "at: 2099-12-01 09:00"))
    made = project.done("apply", "-f", "m.yaml")
    assert "+ schedule often  (at 2099-12-01T09:00:00+03:30: greet)\n    first fires 2099-12-01 09:00 +0330\n" in made
    said = project.done("show", "schedule", "often", "-o", "json")
    assert '"rule": "once at 2099-12-01T05:30:00Z"' in said
    project.write("m.yaml", SMALL.replace("every: 1h", "at: 2099-12-01 10:00, timezone: UTC, end_at: 2100-01-01"))
    seen = project.run("diff", "-f", "m.yaml").out
    assert "    rule: at 2099-12-01T05:30:00+00:00 -> at 2099-12-01T10:00:00+00:00\n" in seen
    assert "    end_at: (none) -> 2100-01-01T00:00:00+00:00\n" in seen
    assert "    next fire time 2099-12-01 05:30 UTC -> 2099-12-01 10:00 UTC\n" in seen
    (row,) = project.run("diff", "-f", "m.yaml", "-o", "json").json
    assert row["consequences"] == ["next fire time 2099-12-01T05:30:00Z -> 2099-12-01T10:00:00Z"]
    assert {"key": "end_at", "old": None, "new": "2100-01-01T00:00:00Z"} in row["fields"]
    by_hand = project.run("schedule", "past", "--task", "greet", "--at", "2020-01-01 12:00")
    assert "+ schedule past  (at 2020-01-01T12:00:00+03:30: greet)\n" in by_hand.out
    assert "warning: 2020-01-01T12:00:00+03:30 is past" in by_hand.err


def test_a_new_time_in_the_past_is_warned_about_once(project: CliProject) -> None:
    project.write("m.yaml", SMALL.replace("every: 1h", "at: 2020-01-01T00:00:00Z"))
    assert project.run("validate", "-f", "m.yaml", "--strict").code == 2
    first = project.run("apply", "-f", "m.yaml")
    assert first.code == 0
    assert "warning: 2020-01-01T00:00:00+00:00 is past" in first.err
    again = project.run("apply", "-f", "m.yaml", "--strict")
    assert again.code == 0
    assert "warning" not in again.err
    by_hand = project.run("schedule", "late", "--task", "greet", "--at=-1h")
    assert by_hand.code == 0
    assert "is past" in by_hand.err


def test_delete_confirms_and_refuses_to_leave_schedules_behind(project: CliProject) -> None:
    project.done("apply", "-f", project.write("m.yaml", SMALL))
    assert project.run("delete", "schedule", "often").code == 2
    used = project.run("delete", "task", "greet", "--yes")
    assert used.code == 5
    assert "--cascade" in used.err
    missing = project.run("delete", "schedule", "oftn", "--yes")
    assert missing.code == 3
    assert "did you mean `often`?" in missing.err
    project.done("delete", "task", "greet", "--cascade", "--yes")
    assert project.done("export") == "version: 1\n"


def test_code_that_is_not_here_is_applied_unchecked(project: CliProject) -> None:
    project.write("m.yaml", SMALL.replace("jobs.greet", "absent.greet"))
    assert project.run("apply", "-f", "m.yaml").code == 2
    assert project.done("validate", "-f", "m.yaml", "--no-import").endswith("(code not imported)\n")
    assert project.done("apply", "-f", "m.yaml", "--no-import").endswith("applied: 2 created\n")


def _folder(project: CliProject, name: str) -> Path:
    folder = project.folder / name
    folder.mkdir()
    return folder
