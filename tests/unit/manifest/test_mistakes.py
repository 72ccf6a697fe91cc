"""Every mistake a person can make in a manifest is refused at the line and column where it stands."""

from datetime import UTC, datetime, timedelta

import pytest

from celsched.domain.definition import RuleSpec
from celsched.domain.health.kinds import SETTINGS_ONLY, UNLABELLED
from celsched.errors import InvalidManifest
from celsched.manifest.load import require
from tests.unit.manifest.reading import heads, read

TASK = "version: 1\ntasks: {t: {task_path: a.b}}\nschedules:\n  s:\n    task: t\n"


def test_a_sound_manifest() -> None:
    loaded = read(
        """\
        version: 1
        set: helssa
        defaults: {queue_name: default, timezone: Asia/Tehran}
        tasks:
          پاکسازی فایل‌های موقت:
            task_path: files.tasks.cleanup_temp_files
            task_type: cleanup
            default_params: {hours: 24}
            params_schema: {type: object}
            retry: {delay: 10s, factor: 2}
            soft_time_limit: 25m
            time_limit: 30m
        schedules:
          every six hours: {task: پاکسازی فایل‌های موقت, schedule_type: interval, interval_seconds: 21600}
          nightly: {task: پاکسازی فایل‌های موقت, cron_expression: "0 2 * * *", params: {hours: 48}}
          once: {task: پاکسازی فایل‌های موقت, run_at: 2026-12-01 09:00, start_at: 2026-11-01, timezone: UTC}
          at home: {task: stored, at: 2026-12-01 09:00}
        """,
        stored_tasks=["stored"],
    )
    assert [problem.render() for problem in (*loaded.problems, *loaded.warnings)] == []
    schedules = {schedule.name: schedule for schedule in loaded.definitions.schedules}
    assert schedules["every six hours"].rule == RuleSpec.every(timedelta(hours=6))
    assert schedules["nightly"].rule == RuleSpec.cron("0 2 * * *")
    assert schedules["once"].rule == RuleSpec.at(datetime(2026, 12, 1, 9, tzinfo=UTC))
    assert schedules["once"].options["start_at"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert schedules["at home"].rule == RuleSpec.at(datetime(2026, 12, 1, 5, 30, tzinfo=UTC))
    assert {schedule.owner for schedule in schedules.values()} == {"helssa"}
    assert schedules["nightly"].defaults == {"queue_name": "default", "timezone": "Asia/Tehran"}
    assert "timezone" not in schedules["nightly"].options
    assert loaded.sets == {"helssa"}


@pytest.mark.parametrize(
    ("line", "head"),
    [
        ("every: 5m\n    evry: 5m", "f.yaml:7:5: schedules.s.evry: unknown key `evry`"),
        ("every: 5m\n    task_path: a.b", "f.yaml:7:5: schedules.s.task_path: `task_path` may not stand here"),
        ("every: -5", "f.yaml:6:12: schedules.s.every: -5 is a negative duration"),
        ("every: 0", "f.yaml:6:12: schedules.s.every: a period is at least 1 second"),
        ("every: 1.5s", "f.yaml:6:12: schedules.s.every: a period is a number of whole seconds"),
        ("every: [5]", "f.yaml:6:12: schedules.s.every: `every` must be a period, not a list"),
        ("every: true", "f.yaml:6:12: schedules.s.every: `every` must be a period, not true"),
        (
            "interval_seconds: 6h",
            "f.yaml:6:23: schedules.s.interval_seconds: `interval_seconds` must be a number of seconds, "
            "not the text '6h'",
        ),
        ("cron: 5", "f.yaml:6:11: schedules.s.cron: `cron` must be text, not the number 5"),
        ("cron:", "f.yaml:6:10: schedules.s.cron: `cron` has no value"),
        (
            'cron: "0 0 31 2 *"',
            "f.yaml:6:11: schedules.s.cron: no date ever satisfies day of month 31, month 2, day of",
        ),
        ('cron: "61 * * * *"', "f.yaml:6:11: schedules.s.cron: minute"),
        ("cron: every day", "f.yaml:6:11: schedules.s.cron: "),
        ("at: tomorrow", "f.yaml:6:9: schedules.s.at: 'tomorrow' is not an instant"),
        ("at: +5s", "f.yaml:6:9: schedules.s.at: '+5s' is not an instant"),
        ("at: 2026-02-30", "f.yaml:6:9: schedules.s.at: 2026-02-30 is not a date of the calendar"),
        (
            "at: 2027-03-28 02:30\n    timezone: Europe/Berlin",
            "f.yaml:6:9: schedules.s.at: 2027-03-28 02:30:00 does not exist in Europe/Berlin",
        ),
        (
            "at: 2026-10-25 02:30\n    timezone: Europe/Berlin",
            "f.yaml:6:9: schedules.s.at: 2026-10-25 02:30:00 comes twice in Europe/Berlin",
        ),
        (
            "every: 5m\n    timezone: Asia/Tehrn",
            "f.yaml:7:15: schedules.s.timezone: `timezone`: unknown time zone 'Asia/Tehrn'",
        ),
        ("every: 5m\n    at: 2027-01-01", "f.yaml:7:5: schedules.s.at: a schedule has one rule, and `every` is there"),
        (
            "every: 5m\n    interval_seconds: 300",
            "f.yaml:7:5: schedules.s.interval_seconds: a schedule has one rule, and `every` is there already",
        ),
        (
            "every: 5m\n    schedule_type: cron",
            "f.yaml:7:20: schedules.s.schedule_type: `schedule_type` says cron, but `every` makes it interval",
        ),
        (
            "every: 5m\n    schedule_type: crn",
            "f.yaml:7:20: schedules.s.schedule_type: `schedule_type` must be one of once, interval, cron, not the text",
        ),
        ("priority: 3", "f.yaml:4:3: schedules.s: this schedule has no rule: one of `every`, `cron`, `at` is missing"),
        ("schedule_type: once", "f.yaml:4:3: schedules.s: this schedule has no rule: a rule of type once is missing"),
        (
            "every: 5m\n    priority: 10",
            "f.yaml:7:15: schedules.s.priority: `priority` must be a whole number from 0 to 9",
        ),
        ("every: 5m\n    overlap: skp", "f.yaml:7:14: schedules.s.overlap: `overlap` must be one of skip, allow,"),
        ("every: 5m\n    enabled: on", "f.yaml:7:14: schedules.s.enabled: `enabled` must be true or false, not 'on'"),
        ("every: 5m\n    params: [1]", "f.yaml:7:13: schedules.s.params: this must be a mapping, not a list"),
        ("every: 5m\n    jitter: 150s", "f.yaml:7:13: schedules.s.jitter: a jitter of 2m30s is not less than half the"),
        (
            "every: 5m\n    start_at: 2027-01-02\n    end_at: 2027-01-01",
            "f.yaml:8:13: schedules.s.end_at: the end (2027-01-01T00:00:00+00:00) is before the start",
        ),
        ("every: 5m\n    time_limit: ", "f.yaml:7:16: schedules.s.time_limit: `time_limit` has no value"),
        (
            "every: 5m\n    time_limit: 5m\n    soft_time_limit: 5m",
            "f.yaml:8:22: schedules.s.soft_time_limit: the soft limit (5m) is not shorter than the hard one (5m)",
        ),
        ("at: 2026-01-01", "f.yaml:6:9: schedules.s.at: warning: 2026-01-01T00:00:00+00:00 is past"),
        ('cron: "*/90 * * * *"', "f.yaml:6:11: schedules.s.cron: warning: minute"),
    ],
)
def test_a_mistake_in_a_schedule(line: str, head: str) -> None:
    found = heads(f"{TASK}    {line}\n")
    assert len(found) == 1, found
    assert found[0].startswith(head)


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ("description: x", "f.yaml:3:3: tasks.t: `task_path` is missing"),
        ("task_path: foo", "f.yaml:4:16: tasks.t.task_path: 'foo' is not the path of a function"),
        ("task_path: 5", "f.yaml:4:16: tasks.t.task_path: `task_path` must be text, not the number 5"),
        ("task_path: a.b\n    queue_nmae: x", "f.yaml:5:5: tasks.t.queue_nmae: unknown key `queue_nmae`"),
        ("task_path: a.b\n    misfire: skip", "f.yaml:5:5: tasks.t.misfire: `misfire` may not stand here"),
        ("task_path: a.b\n    every: 5m", "f.yaml:5:5: tasks.t.every: `every` may not stand here"),
        ("task_path: a.b\n    description: 5", "f.yaml:5:18: tasks.t.description: `description` must be text"),
        ("task_path: a.b\n    params_schema: [a]", "f.yaml:5:20: tasks.t.params_schema: this must be a mapping, not a"),
        (
            "task_path: a.b\n    default_params: x",
            "f.yaml:5:21: tasks.t.default_params: this must be a mapping, not the",
        ),
        (
            "task_path: a.b\n    max_retries: -3",
            "f.yaml:5:18: tasks.t.max_retries: `max_retries` must be a whole number",
        ),
        ("task_path: a.b\n    retry: {delay: 10x}", "f.yaml:5:20: tasks.t.retry.delay: `retry.delay`: '10x' is not a"),
        ("task_path: a.b\n    retry: {fctor: 2}", "f.yaml:5:13: tasks.t.retry.fctor: unknown key `fctor`"),
        ("task_path: a.b\n    alerts: 5", "f.yaml:5:13: tasks.t.alerts: `alerts` must be a mapping from alert kind"),
        ("task_path: a.b\n    alerts: {fialed: true}", "f.yaml:5:14: tasks.t.alerts.fialed: unknown key `fialed`"),
        (
            "task_path: a.b\n    alerts:\n      too_long: {limit: soon}",
            "f.yaml:6:25: tasks.t.alerts.too_long.limit: `alerts.too_long.limit`: 'soon' is not a",
        ),
        (
            "task_path: a.b\n    alerts:\n      failed: {severty: info}",
            "f.yaml:6:25: tasks.t.alerts.failed.severty: `alerts.failed` has no `severty`",
        ),
        ("task_path: a.b\n    alerts: {ping: 5}", "f.yaml:5:20: tasks.t.alerts.ping: "),
        ("task_path: a.b\n    retry: 5", "f.yaml:5:12: tasks.t.retry: `retry` must be a mapping with delay"),
        ("task_path: a.b\n    labels: {a: 5}", "f.yaml:5:13: tasks.t.labels: `labels` must be a mapping from text"),
        (
            "task_path: a.b\n    soft_time_limit: 1h\n    time_limit: 1m",
            "f.yaml:5:22: tasks.t.soft_time_limit: the soft",
        ),
    ],
)
def test_a_mistake_in_a_task(body: str, head: str) -> None:
    found = heads(f"version: 1\ntasks:\n  t:\n    {body}\n")
    assert len(found) == 1, found
    assert found[0].startswith(head)


@pytest.mark.parametrize("kind", sorted(SETTINGS_ONLY))
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{TASK}    every: 5m\n    alerts: {{KIND: true}}\n", "f.yaml:7:14: schedules.s.alerts.KIND"),
        (
            "version: 1\ntasks: {t: {task_path: a.b, alerts: {KIND: {enabled: false}}}}\n",
            "f.yaml:2:38: tasks.t.alerts.KIND",
        ),
        ("version: 1\ndefaults: {alerts: {KIND: {severity: info}}}\n", "f.yaml:2:21: defaults.alerts.KIND"),
    ],
)
def test_a_kind_that_only_the_settings_tune_is_no_unknown_key(text: str, place: str, kind: str) -> None:
    (problem,) = read(text.replace("KIND", kind)).problems
    assert problem.head == f"{place.replace('KIND', kind)}: `{kind}` may not stand here"
    assert problem.hint is not None
    assert "tune it in the settings: `[alerts]`" in problem.hint
    assert ("[[alert_rules]]" in problem.hint) is (kind not in UNLABELLED)


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("set: a\n", "f.yaml:1:1: `version` is missing"),
        ("version: 2\n", "f.yaml:1:10: version: this celsched reads version 1, not the number 2"),
        ("version: true\n", "f.yaml:1:10: version: this celsched reads version 1, not true"),
        ("version: 1\nset: 5\n", "f.yaml:2:6: set: a set must be text, not 5"),
        ("version: 1\nset: ' a'\n", "f.yaml:2:6: set: the set ' a' begins or ends with a space"),
        ("version: 1\ntask: {}\n", "f.yaml:2:1: task: unknown key `task`"),
        ("version: 1\ntasks: [a]\n", "f.yaml:2:8: tasks: this must be a mapping, not a list"),
        ("version: 1\ntasks: {t: a.b}\n", "f.yaml:2:12: tasks.t: a task is a mapping of its keys, not the text 'a.b'"),
        ("version: 1\ntasks: {t: }\n", "f.yaml:2:9: tasks.t: a task is a mapping of its keys, not empty"),
        (
            "version: 1\ntasks: {' t': {task_path: a.b}}\n",
            "f.yaml:2:9: tasks.\" t\": the name ' t' begins or ends with",
        ),
        ("version: 1\ntasks: {1: {task_path: a.b}}\n", "f.yaml:2:9: tasks.1: a key must be text, not `1`"),
        ("version: 1\ndefaults: {priorty: 5}\n", "f.yaml:2:12: defaults.priorty: unknown key `priorty`"),
        ("version: 1\ndefaults: {every: 5m}\n", "f.yaml:2:12: defaults.every: `every` may not stand here"),
        ("version: 1\ndefaults: {on_store_outage: kill}\n", "f.yaml:2:12: defaults.on_store_outage: `on_store_outage`"),
        ("version: 1\ndefaults: {timezone: Mars}\n", "f.yaml:2:22: defaults.timezone: `timezone`: unknown time zone"),
    ],
)
def test_a_mistake_in_the_manifest_itself(text: str, head: str) -> None:
    found = heads(text)
    assert len(found) == 1, found
    assert found[0].startswith(head)


def test_an_unknown_task_is_suggested_from_the_manifests_and_the_store() -> None:
    loaded = read(
        "version: 1\ntasks: {greet: {task_path: a.b}}\n"
        "schedules:\n  s: {task: gret, every: 5m}\n  u: {task: stord, every: 5m}\n",
        stored_tasks=["stored"],
    )
    assert [(problem.head, problem.hint) for problem in loaded.problems] == [
        ("f.yaml:4:13: schedules.s.task: there is no task `gret`", "did you mean `greet`?"),
        ("f.yaml:5:13: schedules.u.task: there is no task `stord`", "did you mean `stored`?"),
    ]


def test_one_name_in_two_files_or_documents_is_named_with_both_places() -> None:
    one = "version: 1\ntasks:\n  t: {task_path: a.b}\n"
    assert heads(one, "version: 1\n\ntasks:\n  t: {task_path: a.b}\n") == [
        "g.yaml:4:3: tasks.t: the task `t` is defined twice, first at f.yaml:3:3"
    ]
    assert heads(f"{one}---\n{one}") == ["f.yaml:7:3: tasks.t: the task `t` is defined twice, first at f.yaml:3:3"]


def test_two_spellings_of_one_name_are_one_name() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    text = f"version: 1\ntasks:\n  {composed}: {{task_path: a.b}}\n  {decomposed}: {{task_path: a.b}}\n"
    assert heads(text) == [
        f"f.yaml:4:3: tasks.{decomposed}: the task `{composed}` is defined twice, first at f.yaml:3:3"
    ]


def test_all_problems_come_at_once_in_the_order_of_the_lines() -> None:
    text = (
        "version: 1\ntasks:\n  a: {}\n  b: {task_path: a.b, priority: 11, max_retries: x}\n"
        'schedules:\n  s: {task: c, cron: "0 0 31 2 *", timezone: Mars, priority: 11}\n'
    )
    places = [head.split(": ")[0] for head in heads(text)]
    assert places == [f"f.yaml:{place}" for place in ("3:3", "4:33", "4:50", "6:13", "6:22", "6:46", "6:62")]


def test_a_mistake_of_the_defaults_is_told_once_where_it_stands() -> None:
    text = (
        "version: 1\ndefaults: {jitter: 1h}\ntasks: {t: {task_path: a.b}}\n"
        "schedules:\n  a: {task: t, every: 5m}\n  b: {task: t, every: 6m}\n  c: {task: t, every: 1d}\n"
    )
    assert heads(text) == [
        "f.yaml:2:20: defaults.jitter: with `a`: a jitter of 1h is not less than half the shortest period (5m)"
    ]


def test_later_checks_find_the_place_of_a_key() -> None:
    loaded = read(
        "version: 1\ntasks:\n  t:\n    task_path: a.b\n    default_params: {paths: [x, y]}\n"
        "schedules:\n  s: {task: t, cron_expression: '0 2 * * *'}\n"
    )
    assert loaded.problem_at("task", "t", "task_path", "m", "h").head == "f.yaml:4:16: tasks.t.task_path: m"
    assert loaded.problem_at("task", "t", "default_params.paths.1", "m").head == (
        "f.yaml:5:33: tasks.t.default_params.paths[1]: m"
    )
    assert loaded.problem_at("task", "t", "default_params.none", "m").head == "f.yaml:5:21: tasks.t.default_params: m"
    assert loaded.problem_at("schedule", "s", "rule", "m").head == "f.yaml:7:33: schedules.s.cron_expression: m"
    assert loaded.problem_at("schedule", "s", "params", "m").head == "f.yaml:7:3: schedules.s: m"
    with pytest.raises(KeyError):
        loaded.problem_at("schedule", "none", "rule", "m")


def test_warnings_are_errors_only_when_strict() -> None:
    loaded = read(f"{TASK}    at: 2020-01-01\n")
    require(loaded)
    with pytest.raises(InvalidManifest) as caught:
        require(loaded, strict=True)
    assert caught.value.problems[0].startswith("f.yaml:6:9: schedules.s.at: warning: ")
    with pytest.raises(InvalidManifest) as caught:
        require(loaded, more=[loaded.problem_at("task", "t", "task_path", "not importable")])
    assert caught.value.problems == (
        "f.yaml:2:24: tasks.t.task_path: not importable\n    tasks: {t: {task_path: a.b}}\n" + " " * 27 + "^",
    )
