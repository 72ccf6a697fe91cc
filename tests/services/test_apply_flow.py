"""Manifests from text to a real SQLite store: what a plan says, and that applying it does just that or nothing."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from celsched.domain.changes import Action, Definitions
from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.errors import Conflict, InvalidDefinition, InvalidManifest
from celsched.manifest.encode import dump
from celsched.manifest.source import source_of
from celsched.operations import control, edit
from celsched.operations.apply import apply, refuse
from celsched.operations.checks import CodeRules, check_code
from celsched.operations.export import export
from celsched.operations.liveness import daemon_lives
from celsched.operations.manifests import Plan, Terms, plan, stored_definitions
from celsched.operations.scope import Scope
from celsched.store.presence import Presence
from tests.support.stores import START, clock_of

MANIFEST = """\
version: 1
set: a
tasks:
  greet: {task_path: jobs.greet, default_params: {name: علی}}
schedules:
  often: {task: greet, every: 10m}
"""
FIRST = START + timedelta(minutes=10)


@pytest.fixture
def rules(tmp_path: Path) -> CodeRules:
    (tmp_path / "jobs.py").write_text("def greet(name, loud=False):\n    return name\n")
    (tmp_path / "hangs.py").write_text("import threading\nthreading.Event().wait()\n")
    return CodeRules(("jobs.*", "hangs.*"), str(tmp_path), [str(tmp_path)], ())


def planned(scope: Scope, rules: CodeRules, text: str, terms: Terms | None = None) -> Plan:
    return plan(scope, [source_of("m.yaml", text.encode())], rules, terms or Terms())


def carry_out(scope: Scope, rules: CodeRules, text: str, terms: Terms | None = None) -> Plan:
    seen = planned(scope, rules, text, terms)
    apply(scope, seen.wanted, seen.preview, checked=seen.checked.tasks)
    return seen


def names(scope: Scope) -> list[str]:
    stored = scope.store.read(stored_definitions)
    return [task.name for task in stored.tasks] + [schedule.name for schedule in stored.schedules]


def test_what_was_applied_comes_out_as_it_went_in(scope: Scope, rules: CodeRules) -> None:
    seen = carry_out(scope, rules, MANIFEST)
    assert seen.checked.tasks == {"greet"}
    found = export(scope, {"a"})
    again = planned(scope, rules, dump(found.tasks, found.schedules), Terms(prune=True))
    assert again.preview.empty


def test_a_plan_says_what_follows_for_fire_times(scope: Scope, rules: CodeRules) -> None:
    first = carry_out(scope, rules, MANIFEST)
    assert first.preview.consequences == {"often": (("first fires ", FIRST),)}
    clock_of(scope.store).advance(timedelta(minutes=11))
    change = planned(scope, rules, MANIFEST.replace("10m", "20m"))
    assert change.preview.consequences["often"] == (
        ("1 due fire time runs first, by the old definition",),
        ("next fire time ", FIRST, " -> ", FIRST + timedelta(minutes=21)),
    )


def test_what_changed_since_the_preview_is_not_applied_over(scope: Scope, rules: CodeRules) -> None:
    carry_out(scope, rules, MANIFEST)
    seen = planned(scope, rules, MANIFEST.replace("10m", "20m"))
    edit.edit_schedule(scope, rules, "often", _with_priority)
    with pytest.raises(Conflict, match="changed by somebody else"):
        apply(scope, seen.wanted, seen.preview, checked=seen.checked.tasks)
    assert "20m" not in dump((), export(scope).schedules)


def test_a_refused_prune_changes_nothing(scope: Scope, rules: CodeRules) -> None:
    many = MANIFEST + "".join(f"  s{number}: {{task: greet, every: 1h}}\n" for number in range(4))
    carry_out(scope, rules, many)
    before = names(scope)
    seen = planned(scope, rules, MANIFEST.replace("10m", "20m"), Terms(prune=True))
    assert len(seen.preview.changes.deletions) == 4
    for attempt in (
        lambda: refuse(seen.preview, seen.wanted),
        lambda: apply(scope, seen.wanted, seen.preview, checked=()),
    ):
        with pytest.raises(Conflict, match="would delete 4 objects; at most 3"):
            attempt()
    assert names(scope) == before


def test_a_task_that_another_set_uses_is_not_pruned(scope: Scope, rules: CodeRules) -> None:
    carry_out(scope, rules, MANIFEST)
    carry_out(scope, rules, "version: 1\nset: b\nschedules: {theirs: {task: greet, every: 1h}}\n")
    empty = planned(scope, rules, "version: 1\nset: a\n", Terms(prune=True))
    with pytest.raises(Conflict, match="'greet', which 'theirs' still uses"):
        refuse(empty.preview, empty.wanted)


def test_an_import_that_hangs_is_a_problem_of_its_task(scope: Scope, rules: CodeRules) -> None:
    hanging = CodeRules(rules.task_modules, rules.folder, rules.python_path, (), timeout=3.0)
    text = MANIFEST.replace("schedules:", "  stuck: {task_path: hangs.greet}\nschedules:")
    with pytest.raises(InvalidManifest) as caught:
        planned(scope, hanging, text)
    (problem,) = caught.value.problems
    assert problem.startswith("m.yaml:5:22: tasks.stuck.task_path: importing `hangs` took longer than 3 s")
    assert names(scope) == []


def test_stored_schedules_must_still_fit_a_changed_task(scope: Scope, rules: CodeRules) -> None:
    carry_out(scope, rules, MANIFEST)
    without = MANIFEST.replace(", default_params: {name: علی}", "").partition("schedules:")[0]
    with pytest.raises(InvalidManifest) as caught:
        planned(scope, rules, without)
    assert "the stored schedule `often` would no longer fit" in caught.value.problems[0]
    with pytest.raises(InvalidManifest) as caught:
        planned(scope, rules, "version: 1\nset: a\nschedules: {often: {task: greet, every: 1h, params: {lod: true}}}\n")
    assert "hint: did you mean `loud`?" in caught.value.problems[0]


def test_a_stored_task_that_cannot_be_imported_is_said_where_it_is_named(scope: Scope, rules: CodeRules) -> None:
    blind = CodeRules((*rules.task_modules, "gone.*"), rules.folder, rules.python_path, (), load=False)
    assert carry_out(scope, blind, MANIFEST.replace("jobs.greet", "gone.greet")).checked.tasks == frozenset()
    other = "version: 1\nset: a\nschedules: {x: {task: greet, every: 1h}}\n"
    seeing = CodeRules(blind.task_modules, rules.folder, rules.python_path, ())
    with pytest.raises(InvalidManifest) as caught:
        planned(scope, seeing, other)
    assert caught.value.problems[0].startswith("m.yaml:3:23: schedules.x.task: the stored task `greet`: ")
    stored = scope.store.read(stored_definitions)
    assert check_code(Definitions(), stored, seeing).faults == ()


def test_an_edit_by_hand_keeps_its_owner_and_shows_as_drift(scope: Scope, rules: CodeRules) -> None:
    carry_out(scope, rules, MANIFEST)
    edited = edit.edit_schedule(scope, rules, "often", _with_priority)
    assert edited.owner == "a"
    assert export(scope, {"a"}).schedules[0].options == {"priority": 9}
    seen = planned(scope, rules, MANIFEST)
    assert seen.preview.drifted == {("schedule", "often")}
    apply(scope, seen.wanted, seen.preview, checked=())
    changed = planned(scope, rules, MANIFEST.replace("10m", "20m"))
    assert [change.action for change in changed.preview.changes.made] == [Action.UPDATE]
    assert changed.preview.drifted == frozenset()


def test_an_edit_that_a_schedule_does_not_bear_is_refused(scope: Scope, rules: CodeRules) -> None:
    carry_out(scope, rules, MANIFEST.replace("every: 10m", "every: 10m, soft_time_limit: 5m"))
    with pytest.raises(InvalidDefinition, match="its schedule 'often': the soft limit"):
        edit.edit_task(scope, rules, "greet", lambda old: _with_limit(old, timedelta(minutes=1)))
    assert export(scope).tasks[0].options == {}


def test_a_pause_is_no_business_of_a_manifest(scope: Scope, rules: CodeRules) -> None:
    carry_out(scope, rules, MANIFEST)
    control.pause(scope, ["often"])
    assert planned(scope, rules, MANIFEST).preview.empty
    change = carry_out(scope, rules, MANIFEST.replace("10m", "20m"))
    assert change.preview.consequences["often"] == (("stays paused",),)
    assert set(control.resume(scope, ["often"])) == {"often"}


def test_a_daemon_lives_while_it_beats(scope: Scope) -> None:
    every = timedelta(seconds=10)
    assert not daemon_lives(scope, every)
    Presence(scope.store, scope.clock, "daemon", every=every).beat()
    assert daemon_lives(scope, every)
    clock_of(scope.store).advance(timedelta(seconds=31))
    assert not daemon_lives(scope, every)


def _with_priority(old: ScheduleDefinition | None) -> ScheduleDefinition:
    assert old is not None
    return replace(old, options={**old.options, "priority": 9})


def _with_limit(old: TaskDefinition | None, limit: timedelta) -> TaskDefinition:
    assert old is not None
    return replace(old, options={**old.options, "time_limit": limit})
