"""The doctor on a real store: what it says of a project that is well, and of each thing that is not."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from celsched.domain.health.wishes import decode_wishes
from celsched.operations import control, doctor_machine
from celsched.operations.checks import CodeRules
from celsched.operations.checkup import Found, Verdict, listed
from celsched.operations.doctor import Patient, examine
from celsched.operations.doctor_machine import LEAST_SPACE, LITTLE_SPACE, judged_space
from celsched.operations.scope import Scope
from celsched.settings import Settings, load
from celsched.settings.model import NotifyTarget, PingTarget
from celsched.settings.secret import Secret
from celsched.store import instances
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.store.tables import states
from celsched.store.tables_watch import alerts, notifications
from celsched.version import __version__
from tests.store.messages import find, settle
from tests.support.actors import scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task
from tests.support.stores import START

HOUR = timedelta(hours=1)
MAIL = 'notify = [{name = "mail", url = "mailto://x:y@example.org"}]'
Examine = Callable[..., dict[str, Found]]


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    """The settings of a project without a broker, on the test's store."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".celsched" / "broker").mkdir(parents=True)
    (folder / ".celsched").chmod(0o700)
    (folder / "jobs.py").write_text("def clean(hours=1):\n    return hours\n")
    (folder / "celsched.toml").write_text(f'task_modules = ["jobs.*"]\n{MAIL}\n')
    return load({"database_url": str(store.engine.url)}, env={}, cwd=folder)


@pytest.fixture
def doctor(settings: Settings, scope: Scope, clock: ManualClock) -> Examine:
    """Examine the project; return what was found by the code of each check."""

    def run(*, given: Settings = settings, machine: datetime | None = None, load: bool = False) -> dict[str, Found]:
        machine_clock = ManualClock(machine or clock.now())
        found = examine(Patient(given, lambda: scope, machine_clock, CodeRules.of(given, load=load)))
        assert [check.number for check in found] == list(range(1, len(found) + 1))
        return {check.code: check.found for check in found}

    return run


def beat(store: Store, kind: str, *queues: str, version: str = __version__, at: datetime | None = None) -> None:
    now = at or store.clock.now()
    row = Instance(f"{kind}{queues}", kind, "server", 1, f"{kind}@server", version, queues, 4, 0, now, now)
    store.write(lambda tx: instances.register(tx, row))


def everybody(store: Store) -> None:
    beat(store, "daemon")
    beat(store, "watcher")
    beat(store, "worker", "default")


def verdicts(found: dict[str, Found], verdict: Verdict) -> set[str]:
    return {code for code, one in found.items() if one.verdict is verdict}


def test_a_project_that_is_well_passes_everything(doctor: Examine, scope: Scope, store: Store) -> None:
    add_task(scope, task_path="jobs.clean")
    add_schedule(scope, "گزارش")
    everybody(store)
    found = doctor(load=True)
    bad = {code: one for code, one in found.items() if one.verdict is not Verdict.PASS}
    assert not bad
    assert "'گزارش'" not in found["schedules.next"].seen
    assert "imported here" in found["tasks.resolvable"].seen


def test_nobody_alive_fails_where_schedules_wait_and_warns_where_none_does(
    doctor: Examine, scope: Scope, store: Store
) -> None:
    assert verdicts(doctor(), Verdict.FAIL) == set()
    assert {"daemon.alive", "watcher.alive"} <= verdicts(doctor(), Verdict.WARN)
    add_schedule(scope)
    beat(store, "daemon", at=START - HOUR)
    found = doctor()
    assert {"daemon.alive", "watcher.alive", "queues.consumed"} <= verdicts(found, Verdict.FAIL)
    assert "daemon@server was last heard of 1h ago" in found["daemon.alive"].seen
    assert found["daemon.alive"].fix == "celsched run"


def test_a_queue_without_a_consumer_is_named_with_the_command(
    doctor: Examine, settings: Settings, scope: Scope, store: Store
) -> None:
    add_schedule(scope, "one", queue_name="گزارش‌ها")
    add_schedule(scope, "two")
    beat(store, "worker", "default")
    flags = {"broker_url": "memory://", "database_url": settings.database_url.reveal()}
    bad = doctor(given=load(flags, env={}, cwd=settings.project_folder))["queues.consumed"]
    assert bad == Found(Verdict.FAIL, bad.seen, "celsched worker -Q 'گزارش‌ها'")
    assert "'گزارش‌ها' (1 schedule)" in bad.seen
    beat(store, "worker", "celsched")
    assert doctor()["queues.consumed"].verdict is Verdict.PASS


def test_the_three_standing_invariants(doctor: Examine, scope: Scope, store: Store, clock: ManualClock) -> None:
    for name in ("late", "asleep", "busy"):
        add_schedule(scope, name)
    clock.advance(HOUR + timedelta(seconds=10))
    beat(store, "worker", at=clock.now())
    found = doctor()
    assert found["schedules.overdue"].verdict is Verdict.FAIL
    assert found["schedules.overdue"].seen.startswith("3 schedules undecided")
    scan(store)
    start(store, 1, worker="worker()")
    asleep = states.c.schedule_id == 2
    store.write(lambda tx: tx.execute(update(states).where(asleep).values(wake_at=None, next_fire_time=None)))
    clock.advance(timedelta(minutes=10))
    found = doctor()
    assert found["schedules.overdue"].verdict is Verdict.PASS
    assert "'asleep'" in found["schedules.next"].seen
    assert found["executions.stuck"].seen == "running on a worker that is gone: 1"
    assert found["executions.sent"].seen.startswith("2 executions due for a minute")
    assert found["executions.stuck"].fix == "celsched run"
    beat(store, "daemon", at=clock.now())
    assert doctor()["executions.stuck"].fix == "celsched status 1"


def test_what_ended_or_rests_has_no_next_fire_time_rightly(
    doctor: Examine, scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, "once", at=START + timedelta(minutes=1))
    add_schedule(scope, "off", enabled=False)
    add_schedule(scope, "paused")
    control.pause(scope, ["paused"])
    clock.advance(HOUR)
    scan(store)
    assert doctor()["schedules.next"].verdict is Verdict.PASS


def test_broken_definitions_and_critical_alerts(doctor: Examine, scope: Scope, store: Store) -> None:
    add_schedule(scope, "شبانه")
    store.write(lambda tx: tx.execute(update(states).values(error="unknown time zone 'Mars'")))
    row = {"state": "open", "details": {}, "pending_since": START, "opened_at": START, "seen_at": START, "labels": {}}
    wrong = {"kind": "missed", "severity": "critical", "subject": "شبانه", "summary": "'شبانه' missed 02:00"}
    store.write(lambda tx: tx.execute(insert(alerts), [row | wrong | {"fingerprint": "missed:schedule:1"}]))
    found = doctor()
    assert "'شبانه': unknown time zone 'Mars'" in found["definitions.sound"].seen
    assert found["definitions.sound"].fix == "celsched show schedule 'شبانه'"
    assert found["alerts.critical"].seen == "alert 1 missed: 'شبانه' missed 02:00"
    store.write(lambda tx: tx.execute(update(alerts).values(acknowledged_at=START)))
    assert doctor()["alerts.critical"].verdict is Verdict.PASS


def test_code_that_workers_do_not_find_is_told_once(doctor: Examine, store: Store) -> None:
    row = {"state": "open", "details": {}, "pending_since": START, "opened_at": START, "seen_at": START, "labels": {}}
    rows = [
        row
        | {
            "kind": "unknown_task",
            "severity": "critical",
            "subject": name,
            "fingerprint": name,
            "summary": f'no worker can run the task "{name}": `jobs` has no `x`',
        }
        for name in ("گم", "other")
    ]
    store.write(lambda tx: tx.execute(insert(alerts), rows[:1]))
    seen = 'no worker can run the task "گم": `jobs` has no `x`'
    assert doctor()["tasks.resolvable"].seen == seen
    store.write(lambda tx: tx.execute(insert(alerts), rows[1:]))
    assert doctor()["tasks.resolvable"].seen == f"{seen}; likewise 'other'"


def test_a_channel_that_refused_its_last_message(doctor: Examine, store: Store) -> None:
    assert "nothing was sent yet through 'mail'" in doctor()["channels.accept"].seen
    row = {"channel": "mail", "incident": "x", "state": "pending", "severity": "info", "title": "", "body": "",
           "details": {}, "tries": 2, "failures": 2,
           "created_at": START, "next_try_at": START, "error": "550 no"}  # fmt: skip
    store.write(lambda tx: tx.execute(insert(notifications), [row]))
    assert doctor()["channels.accept"] == Found(
        Verdict.FAIL, "'mail' refused the last message: 550 no", "celsched alerts test mail"
    )


def test_a_channel_whose_program_cannot_be_started_fails(
    doctor: Examine, store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*programs: str) -> Found:
        targets = [NotifyTarget(f"نوبت{n}", Secret(""), command=(name, "--to")) for n, name in enumerate(programs)]
        return doctor(given=replace(settings, notify=tuple(targets)))["channels.accept"]

    shown = "celsched config notify"
    (tmp_path / "tell").write_text("#!/bin/sh\ntouch ran\n")
    program = str(tmp_path / "tell")
    gone = f"there is no program {program}2"
    assert found(f"{program}2") == Found(Verdict.FAIL, f"the channel 'نوبت0': {gone}", shown)
    assert found(f"{program}2", "/bin/nothere").seen == f"the channel 'نوبت0': {gone}; nor can 'نوبت1' send"
    assert found(str(tmp_path)).seen == f"the channel 'نوبت0': there is no program {tmp_path}"
    closed = Found(Verdict.FAIL, f"the channel 'نوبت0': {program} is not executable", f"chmod +x {program}")
    assert found(program) == closed
    nowhere = "the channel 'نوبت0': there is no program tell in the folders of PATH"
    assert found("tell") == Found(Verdict.FAIL, nowhere, shown)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found("tell") == closed
    (tmp_path / "tell").chmod(0o755)
    assert {found(one).verdict for one in (program, "tell")} == {Verdict.PASS}
    assert found("./tell").verdict is Verdict.WARN  # from the folder of the watcher it may be there
    beat(store, "watcher")  # on another machine: its programs count
    assert found(f"{program}2").verdict is Verdict.WARN
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("installed", [True, False])
def test_a_channel_that_nothing_here_can_send_through_fails(
    doctor: Examine, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "apprise", None)
    given = replace(settings, notify=(NotifyTarget("c", Secret("webhok+http://h/hunter2")),))
    found = doctor(given=given)["channels.accept"]
    assert (found.verdict, found.fix) == (Verdict.FAIL, "celsched config notify")
    assert found.seen.startswith("the channel 'c'")
    assert found.seen.endswith(" (did you mean `webhook+http`?)")
    assert "hunter2" not in found.seen
    half = replace(settings, notify=(NotifyTarget("c", Secret("webhook+ftp://h/hunter2")),))
    assert doctor(given=half)["channels.accept"].verdict is Verdict.FAIL
    assert doctor()["channels.accept"].verdict is (Verdict.PASS if installed else Verdict.FAIL)  # mailto:
    beat(store, "watcher")  # on another machine
    assert doctor(given=given)["channels.accept"].verdict is Verdict.WARN


def test_a_refused_message_counts_more_than_a_program_that_may_be_elsewhere(
    doctor: Examine, store: Store, settings: Settings
) -> None:
    row = {"channel": "mail", "incident": "x", "state": "pending", "severity": "info", "title": "", "body": "",
           "details": {}, "tries": 2, "failures": 2,
           "created_at": START, "next_try_at": START, "error": "550 no"}  # fmt: skip
    store.write(lambda tx: tx.execute(insert(notifications), [row]))
    given = replace(settings, notify=(NotifyTarget("c", Secret(""), command=("./no",)), *settings.notify))
    found = doctor(given=given)["channels.accept"]
    assert (found.verdict, found.seen) == (Verdict.FAIL, "'mail' refused the last message: 550 no")


def test_a_ping_that_is_not_set_is_named_with_its_schedules(
    doctor: Examine, scope: Scope, store: Store, settings: Settings
) -> None:
    assert doctor()["pings.known"].verdict is Verdict.PASS
    add_schedule(scope, "شبانه", alerts=decode_wishes("alerts", {"ping": "nightly"}))
    add_schedule(scope, "weekly", alerts=decode_wishes("alerts", {"ping": "week"}))
    given = replace(settings, pings=(PingTarget("week", Secret("https://h/hunter2")),))
    beat(store, "daemon")
    assert doctor(given=given)["pings.known"] == Found(
        Verdict.FAIL,
        "ping 'nightly' is not among `pings` of these settings, so none is sent for 'شبانه'",
        "celsched config pings",
    )
    beat(store, "watcher")  # on another machine: its settings send pings
    assert doctor(given=given)["pings.known"].verdict is Verdict.WARN
    near = replace(given, pings=(*given.pings, PingTarget("nightly2", Secret("https://h"))))
    assert "(did you mean `nightly2`?)" in doctor(given=near)["pings.known"].seen
    well = replace(given, pings=(*given.pings, PingTarget("nightly", Secret("https://h"))))
    assert doctor(given=well)["pings.known"].seen == "2 schedules with a ping, and each is set"


def test_tasks_that_may_not_run_or_cannot_be_found(doctor: Examine, scope: Scope) -> None:
    add_task(scope, "forbidden", task_path="os.system")
    add_task(scope, "گم", task_path="jobs.nothing")
    found = doctor(load=True)
    assert found["tasks.allowed"].verdict is Verdict.FAIL
    assert "'forbidden' (os.system)" in found["tasks.allowed"].seen
    assert found["tasks.resolvable"].verdict is Verdict.FAIL
    assert found["tasks.resolvable"].seen.startswith("'گم'")
    assert doctor(load=False)["tasks.resolvable"].verdict is Verdict.SKIP


def test_settings_that_let_nothing_run_are_told_before_a_task_is_defined_and_after(
    doctor: Examine, settings: Settings, scope: Scope
) -> None:
    nothing = replace(settings, task_modules=())
    assert doctor()["tasks.allowed"].verdict is Verdict.SKIP
    found = doctor(given=nothing)["tasks.allowed"]
    assert (found.verdict, found.fix) == (Verdict.WARN, "celsched config task_modules")
    assert found.seen.startswith("`task_modules` is empty: no task may run until it has a pattern")
    add_schedule(scope)
    found = doctor(given=nothing)["tasks.allowed"]
    assert found.verdict is Verdict.FAIL
    assert found.seen.startswith("not allowed by `task_modules`, which is empty: 'task' (")


@pytest.mark.parametrize(
    ("apart", "verdict"), [(1, Verdict.PASS), (-1, Verdict.PASS), (3, Verdict.FAIL), (-3, Verdict.FAIL)]
)
def test_clocks_may_be_two_seconds_apart(doctor: Examine, clock: ManualClock, apart: int, verdict: Verdict) -> None:
    assert doctor(machine=clock.now() + timedelta(seconds=apart))["store.clock"].verdict is verdict


def test_a_mix_of_versions_is_a_warning(doctor: Examine, store: Store) -> None:
    beat(store, "worker", version="0.0.9")
    assert doctor()["instances.version"].seen.endswith("others run: worker@server (0.0.9)")


def test_data_that_everybody_may_read_fails_with_the_command(doctor: Examine, settings: Settings) -> None:
    settings.data_folder.chmod(0o755)
    found = doctor()["data.private"]
    assert (found.verdict, found.fix) == (Verdict.FAIL, f"chmod 700 {settings.data_folder}")
    settings.data_folder.chmod(0o750)
    assert doctor()["data.private"].verdict is Verdict.PASS


def test_an_unwritable_broker_folder_is_no_traceback(doctor: Examine, settings: Settings) -> None:
    broker = settings.data_folder / "broker"
    broker.rmdir()
    assert doctor()["broker.reachable"].verdict is Verdict.SKIP
    broker.write_text("no folder")
    assert doctor()["broker.reachable"].verdict is Verdict.FAIL


def test_a_dead_store_leaves_the_checks_that_can_be_made(doctor: Examine, settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database, and long enough to be sure of it" * 100)
    found = doctor(given=load({"database_url": f"sqlite:///{broken}"}, env={}, cwd=settings.project_folder))
    assert found["store.reachable"].verdict is Verdict.FAIL
    assert verdicts(found, Verdict.PASS) >= {"broker.reachable", "data.space", "zones.data", "extras.installed"}
    assert found["daemon.alive"].verdict is found["tasks.resolvable"].verdict is Verdict.SKIP


def test_a_store_that_is_not_there_is_not_made(doctor: Examine, settings: Settings, tmp_path: Path) -> None:
    found = doctor(given=load({"database_url": f"sqlite:///{tmp_path}/new.db"}, env={}, cwd=settings.project_folder))
    assert (found["store.reachable"].verdict, found["store.schema"].fix) == (Verdict.WARN, "celsched db upgrade")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    ("channel", "verdict"),
    [
        ("webhook+http://127.0.0.1:9/x", Verdict.PASS),
        ("alertmanager+http://127.0.0.1:9", Verdict.PASS),
        ("log:", Verdict.PASS),
        ("command:true", Verdict.PASS),
        ("mailto://x:y@example.org", Verdict.FAIL),
    ],
)
def test_only_channels_of_apprise_need_its_extra(
    doctor: Examine, settings: Settings, monkeypatch: pytest.MonkeyPatch, channel: str, verdict: Verdict
) -> None:
    (settings.project_folder / "celsched.toml").write_text(f'notify = ["{channel}"]\n')
    given = load({}, env={}, cwd=settings.project_folder)
    monkeypatch.setattr(doctor_machine, "find_spec", lambda name: None)
    assert doctor(given=given)["extras.installed"].verdict is verdict


def test_space_and_lists() -> None:
    place = Path("/x")
    assert judged_space(LEAST_SPACE - 1, place).verdict is Verdict.FAIL
    assert judged_space(LITTLE_SPACE - 1, place).verdict is Verdict.WARN
    assert judged_space(LITTLE_SPACE, place) == replace(judged_space(LITTLE_SPACE, place), verdict=Verdict.PASS)
    assert judged_space(77464 * 1024**2, place).seen == "75.6 GiB free at /x"
    assert judged_space(LEAST_SPACE, place).seen == "100 MiB free at /x"
    assert listed(["a", "b", "c", "d", "e"]) == "'a', 'b', 'c' and 2 more"
    assert listed(["12", "13"], 5) == "12, 13 and 3 more"


def test_a_watcher_that_sees_not_everything_fails(doctor: Examine, store: Store) -> None:
    everybody(store)
    now = store.clock.now()
    store.write(lambda tx: instances.beat(tx, "watcher()", now, note="could not judge missed"))
    found = doctor()["watcher.alive"]
    assert found == Found(
        Verdict.FAIL, "watcher@server could not judge missed: its log says why", "celsched watch --once"
    )


def test_rows_that_cannot_be_read_are_told_and_stop_no_check(doctor: Examine, scope: Scope, store: Store) -> None:
    everybody(store)
    made = add_schedule(scope, "گزارش")
    add_schedule(scope, "good")
    settle(store, find(since=store.clock.now()))
    store.write(lambda tx: tx.execute(update(alerts).values(kind="no_such_kind_yet")))
    spoilt = text("UPDATE schedule_states SET paused_until = 'tomorrow' WHERE schedule_id = :id")
    store.write(lambda tx: tx.execute(spoilt, {"id": made.id}))
    found = doctor()
    assert (found["definitions.sound"].verdict, found["alerts.critical"].verdict) == (Verdict.FAIL, Verdict.WARN)
    assert found["definitions.sound"].seen.startswith(f"could not read schedule {made.id}: TypeError")
    assert found["alerts.critical"].seen.startswith("could not read alert 1: ValueError: 'no_such_kind_yet'")
    assert found["queues.consumed"].verdict is Verdict.PASS
