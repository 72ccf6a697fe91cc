"""What people change by hand although a manifest says it: seen by a watcher, until the two agree again."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RuleBook
from celsched.manifest.source import source_of
from celsched.monitor.check import Watcher
from celsched.operations import control, edit
from celsched.operations.apply import apply
from celsched.operations.checks import CodeRules
from celsched.operations.manifests import Terms, plan
from celsched.operations.scope import Scope
from celsched.store.edits import EditReader
from tests.support.clock import ManualClock

MANIFEST = """\
version: 1
set: ops
tasks:
  سلام: {task_path: jobs.greet}
schedules:
  گزارش: {task: سلام, every: 10m, priority: 1}
  other: {task: سلام, every: 10m}
"""


class Site:
    """A store, a folder of code, and a watcher that looks a little later each time."""

    def __init__(self, scope: Scope, folder: Path, clock: ManualClock, general: dict[AlertKind, Tuning]) -> None:
        (folder / "jobs.py").write_text("def greet():\n    pass\n")
        self._scope, self._clock = scope, clock
        self.rules = CodeRules(("jobs.*",), str(folder), [str(folder)], ())
        self._watcher = Watcher(
            scope.store, clock, rules=RuleBook(general), heartbeat=timedelta(seconds=10), settings={}
        )

    def apply(self, text: str = MANIFEST) -> None:
        seen = plan(self._scope, [source_of("m.yaml", text.encode())], self.rules, Terms())
        apply(self._scope, seen.wanted, seen.preview, checked=seen.checked.tasks)

    def edit(self, name: str, **options: object) -> None:
        def changed(old: ScheduleDefinition | None) -> ScheduleDefinition:
            assert old is not None
            return replace(old, options={**old.options, **options})

        self._clock.advance(timedelta(seconds=5))
        edit.edit_schedule(self._scope, self.rules, name, changed)

    def drifts(self) -> list[str]:
        self._clock.advance(timedelta(seconds=5))
        firing = self._watcher.run_once().firing
        return [f"{one.fingerprint}: {one.summary}" for one in firing if one.kind is AlertKind.CONFIG_DRIFT]


@pytest.fixture
def site(scope: Scope, tmp_path: Path, clock: ManualClock) -> Site:
    made = Site(scope, tmp_path, clock, {})
    made.apply()
    assert made.drifts() == []
    return made


def test_an_edit_is_told_until_its_manifest_is_applied_again(site: Site) -> None:
    site.edit("گزارش", priority=9)
    site.edit("گزارش", queue_name="slow")
    (told,) = site.drifts()
    assert told == (
        'config_drift:schedule:2: priority, queue_name of the schedule "گزارش" was changed by hand by سارا: '
        'the manifest of the set "ops" said otherwise when it was last applied'
    )
    assert site.drifts() == [told]
    site.apply()
    assert site.drifts() == []


def test_what_is_changed_back_and_what_no_set_owns_is_no_drift(site: Site, scope: Scope) -> None:
    site.edit("گزارش", priority=9)
    site.edit("گزارش", priority=1)
    assert site.drifts() == []
    site.edit("other", priority=3)
    assert [told.partition(" ")[0] for told in site.drifts()] == ["config_drift:schedule:1:"]
    control.delete_schedule(scope, "other")
    assert site.drifts() == [], "it is gone"


def test_a_manifest_that_says_what_was_done_by_hand_ends_it(site: Site) -> None:
    site.edit("گزارش", priority=9)
    assert len(site.drifts()) == 1
    site.apply(MANIFEST.replace("priority: 1", "priority: 9"))
    assert site.drifts() == [], "it was exported, and applied: nothing else changed"
    site.edit("گزارش", priority=1)
    assert len(site.drifts()) == 1, "the manifest says 9 now"


def test_what_was_changed_back_is_neither_shown_as_drift_nor_confirmed(site: Site, scope: Scope) -> None:
    site.edit("گزارش", priority=9)
    site.edit("گزارش", priority=1)
    for text in (MANIFEST, MANIFEST.replace("priority: 1", "priority: 5")):
        seen = plan(scope, [source_of("m.yaml", text.encode())], site.rules, Terms()).preview
        assert (seen.drifted, seen.agreed) == (frozenset(), frozenset())


def test_a_task_drifts_too_and_a_kind_that_is_switched_off_is_not_told(
    site: Site, scope: Scope, tmp_path: Path, clock: ManualClock
) -> None:
    def described(old: TaskDefinition | None) -> TaskDefinition:
        assert old is not None
        return replace(old, description="بهتر")

    clock.advance(timedelta(seconds=5))
    edit.edit_task(scope, site.rules, "سلام", described)
    assert [told.partition(" ")[0] for told in site.drifts()] == ["config_drift:task:1:"]
    silent = Site(scope, tmp_path, clock, {AlertKind.CONFIG_DRIFT: Tuning(enabled=False)})
    assert silent.drifts() == []


def test_only_what_was_added_to_the_audit_is_taken_and_each_event_once(
    site: Site, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = EditReader()
    site.edit("گزارش", priority=9)
    assert [one.fields for one in scope.store.read(reader.look)] == [("priority",)]
    site.edit("گزارش", priority=1)
    for _ in range(2):
        assert scope.store.read(reader.look) == [], "the first edit alone would differ again"
    site.edit("other", priority=2)
    assert [one.name for one in scope.store.read(reader.look)] == ["other"]
    assert scope.store.read(EditReader().look) == scope.store.read(reader.look)
