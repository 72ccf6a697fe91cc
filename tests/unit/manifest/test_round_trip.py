"""What export writes, reading gives back: for any definition, in any order."""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.domain.definition import RuleSpec, ScheduleDefinition, TaskDefinition
from celsched.domain.options import decode_layer
from celsched.manifest.encode import dump
from celsched.manifest.load import load
from celsched.manifest.source import Source

NOW = datetime(2026, 7, 1, tzinfo=UTC)


ODD = ["on", "no", "012", "0o17", "1:30", "1e5", ".inf", "~", "null", "2026-12-01", "* * * * *", "@daily", "a: b", "#x"]
NAMES = st.one_of(
    st.sampled_from([*ODD, "پاکسازی فایل‌های موقت", "y" * 200, "- a", "'quoted'", '"', "\\", "!x", "{a}", "?", "<<"]),
    st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=20).map(
        lambda text: unicodedata.normalize("NFC", text)
    ),
)
TEXTS = st.one_of(
    st.sampled_from([*ODD, "two\nlines\n", "\n lead", "trail \n", "tab\t", "\x85", "\u2028"]), st.text()
).map(lambda text: text.replace("\0", ""))
NUMBERS = st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
PARAMS = st.dictionaries(TEXTS, JSON, max_size=3)
LENGTHS = st.integers(1, 10**12).map(lambda microseconds: timedelta(microseconds=microseconds))
INSTANTS = st.integers(0, 10**16).map(lambda after: NOW + timedelta(microseconds=after))
ANYWHERE = {
    "queue_name": NAMES,
    "priority": st.integers(0, 9),
    "start_deadline": LENGTHS,
    "labels": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "retry": st.just(decode_layer({"retry": {"delay": "1.5s", "factor": 1.25, "jitter": False}})["retry"]),
}
ON_SCHEDULE = {
    **ANYWHERE,
    "enabled": st.booleans(),
    "timezone": st.sampled_from(["UTC", "Asia/Tehran"]),
    "start_at": INSTANTS,
    "misfire": st.just(decode_layer({"misfire": "run_all"})["misfire"]),
}
OWNERS = st.one_of(st.none(), NAMES)
PATHS = st.sampled_from(["files.tasks.cleanup", "files.tasks:Cleaner.run"])
TASKS = st.builds(
    TaskDefinition,
    name=NAMES,
    task_path=PATHS,
    task_type=st.one_of(st.none(), TEXTS.filter(bool)),
    description=st.one_of(st.none(), TEXTS.filter(bool)),
    default_params=PARAMS,
    params_schema=st.one_of(st.none(), PARAMS),
    options=st.fixed_dictionaries({}, optional=ANYWHERE),
    defaults=st.fixed_dictionaries({}, optional=ON_SCHEDULE),
    owner=OWNERS,
)
RULES = st.one_of(
    INSTANTS.map(RuleSpec.at),
    st.integers(1, 10**8).map(lambda seconds: RuleSpec.every(timedelta(seconds=seconds))),
    st.sampled_from(["0 2 * * *", "* * * * *", "@daily", "*/5 8-18 * * MON-FRI", "0 0 L * *"]).map(RuleSpec.cron),
)
SCHEDULES = st.builds(
    ScheduleDefinition,
    name=NAMES,
    task=NAMES,
    rule=RULES,
    params=PARAMS,
    options=st.fixed_dictionaries({}, optional=ON_SCHEDULE),
    defaults=st.fixed_dictionaries({}, optional=ON_SCHEDULE),
    owner=OWNERS,
)


def _read(text: str, tasks: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    loaded = load([Source("x.yaml", text)], stored_tasks=tasks, settings={}, now=NOW)
    assert [problem.render() for problem in loaded.problems] == []
    definitions = loaded.definitions
    return (
        {task.name: task for task in definitions.tasks},
        {schedule.name: schedule for schedule in definitions.schedules},
    )


@settings(max_examples=80)
@given(
    st.lists(TASKS, max_size=3, unique_by=lambda task: task.name),
    st.lists(SCHEDULES, max_size=3, unique_by=lambda schedule: schedule.name),
)
def test_reading_gives_back_what_was_written(tasks: list[TaskDefinition], schedules: list[ScheduleDefinition]) -> None:
    text = dump(tasks, schedules)
    read_tasks, read_schedules = _read(text, [schedule.task for schedule in schedules])
    assert read_tasks == {task.name: task for task in tasks}
    assert read_schedules == {schedule.name: schedule for schedule in schedules}
    assert dump(reversed(tasks), reversed(schedules)) == text


def test_an_export_is_readable() -> None:
    task = TaskDefinition(
        "پاکسازی فایل‌های موقت",
        "files.tasks.cleanup",
        description="first\nsecond\n",
        default_params={"hours": 24, "code": "012", "since": "2026-01-01", "on": "off", "ratio": 1.0},
        options=decode_layer({"queue_name": "maintenance", "soft_time_limit": "25m"}),
        defaults=decode_layer({"timezone": "Asia/Tehran"}),
        owner="helssa",
    )
    schedule = ScheduleDefinition(
        "nightly", task.name, RuleSpec.cron("0 2 * * *"), params={"hours": 48}, defaults=task.defaults, owner="helssa"
    )
    assert dump([task], [schedule]) == (
        "version: 1\n"
        "set: helssa\n"
        "defaults:\n"
        "  timezone: Asia/Tehran\n"
        "tasks:\n"
        "  پاکسازی فایل‌های موقت:\n"
        "    task_path: files.tasks.cleanup\n"
        "    description: |\n"
        "      first\n"
        "      second\n"
        "    default_params:\n"
        "      hours: 24\n"
        "      code: '012'\n"
        "      since: '2026-01-01'\n"
        "      'on': 'off'\n"
        "      ratio: 1.0\n"
        "    queue_name: maintenance\n"
        "    soft_time_limit: 25m\n"
        "schedules:\n"
        "  nightly:\n"
        "    task: پاکسازی فایل‌های موقت\n"
        "    cron: 0 2 * * *\n"
        "    params:\n"
        "      hours: 48\n"
    )


def test_sets_and_defaults_make_documents() -> None:
    one = TaskDefinition("b", "m.f", owner="two")
    other = TaskDefinition("a", "m.f")
    third = TaskDefinition("c", "m.f", owner="two", defaults=decode_layer({"priority": 1}))
    text = dump([one, other, third], [])
    assert text.count("---") == 3
    assert sorted(_read(text, [])[0]) == ["a", "b", "c"]


def test_nothing_is_a_manifest_too() -> None:
    assert dump([], []) == "version: 1\n"
