"""Which source of a setting wins, what is refused and with which place, and what is shown of secrets."""

import logging
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from celsched.domain.health.kinds import AlertKind
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.policy import OnStoreOutage
from celsched.errors import SettingsError
from celsched.settings import Secret, Settings, load, mask_url, subprocess_environment
from celsched.settings.model import SEVERITIES
from celsched.settings.table import SETTINGS, shown, variable_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = tmp_path / "پروژه"
    project.mkdir()
    return project


def _write(folder: Path, text: str) -> Path:
    file = folder / "celsched.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_need_no_file(folder: Path) -> None:
    settings = load({}, {}, folder)
    assert settings.config_file is None
    assert settings.embedded
    assert settings.data_folder == folder / ".celsched"
    assert settings.database_url.reveal() == f"sqlite:///{folder}/.celsched/celsched.db"
    assert settings.python_path == (folder,)
    assert (settings.lease, settings.heartbeat) == (timedelta(seconds=60), timedelta(seconds=10))
    assert settings.alert_threshold == timedelta(minutes=5)
    assert settings.queues == ("default", "scheduler", "maintenance", "monitoring", "notifications")
    assert settings.notice_times == NoticeTimes()
    assert set(settings.origins.values()) == {"default"}
    assert not settings.data_folder.exists(), "loading writes nothing"


@pytest.mark.parametrize(
    ("flag", "own", "celery", "toml", "expected", "origin"),
    [
        ("redis://flag/", "redis://own/", "redis://celery/", "redis://toml/", "redis://flag/", "--broker-url"),
        (None, "redis://own/", "redis://celery/", "redis://toml/", "redis://own/", "CELSCHED_BROKER_URL"),
        (None, " ", "redis://celery/", "redis://toml/", "redis://celery/", "CELERY_BROKER_URL"),
        (None, "", "", "redis://toml/", "redis://toml/", "celsched.toml:1"),
        (None, "embedded", "redis://celery/", "redis://toml/", None, "CELSCHED_BROKER_URL"),
        (None, "", "", "embedded", None, "celsched.toml:1"),
    ],
)
def test_precedence(
    folder: Path, flag: str | None, own: str, celery: str, toml: str, expected: str | None, origin: str
) -> None:
    _write(folder, f'broker_url = "{toml}"\n')
    env = {"CELSCHED_BROKER_URL": own, "CELERY_BROKER_URL": celery}
    settings = load({"broker_url": flag}, env, folder)
    assert (settings.broker_url and settings.broker_url.reveal()) == expected
    assert settings.origins["broker_url"].endswith(origin)


def test_file_is_searched_in_the_order_of_the_design(tmp_path: Path) -> None:
    places = {}
    for number, name in enumerate(("flag", "variable", "cwd", "home/.config/celsched", "xdg/celsched")):
        place = tmp_path / name
        place.mkdir(parents=True)
        places[name] = _write(place, f"cleanup_days = {number + 1}\n")
    cwd, empty, home = tmp_path / "cwd", tmp_path / "empty", {"HOME": str(tmp_path / "home")}
    empty.mkdir()
    variable = {**home, "CELSCHED_CONFIG": str(places["variable"])}

    def days(flags: dict[str, object], env: dict[str, str], folder: Path) -> int:
        return load(flags, env, folder).cleanup_days

    assert days({"config": "../flag"}, variable, cwd) == 1, "a folder stands for the file in it"
    assert days({}, variable, cwd) == 2
    assert days({}, home, cwd) == 3
    assert days({}, home, empty) == 4
    assert days({}, {**home, "XDG_CONFIG_HOME": str(tmp_path / "xdg")}, empty) == 5


def test_named_file_must_exist(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"^--config: there is no settings file .*absent\.toml"):
        load({"config": "absent.toml"}, {}, folder)


def test_relative_paths_start_beside_the_file_or_from_the_shell(folder: Path, tmp_path: Path) -> None:
    _write(folder, 'python_path = ["src", "/opt/x"]\ndatabase_url = "sqlite:///data/x.db"\ndata_folder = "../d"\n')
    settings = load({"config": str(folder)}, {}, tmp_path)
    assert settings.python_path == (folder / "src", Path("/opt/x"))
    assert settings.database_url.reveal() == f"sqlite:///{folder}/data/x.db"
    assert settings.data_folder.resolve() == tmp_path / "d"
    from_env = load({}, {"CELSCHED_DATABASE_URL": "sqlite:///y.db", "CELSCHED_PYTHON_PATH": "a:b"}, tmp_path)
    assert from_env.database_url.reveal() == f"sqlite:///{tmp_path}/y.db"
    assert from_env.python_path == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+socket", "sentinel"])
def test_a_key_prefix_comes_from_the_environment_too_and_is_shown(folder: Path, scheme: str) -> None:
    _write(folder, f'broker_url = "{scheme}://h/"\n')
    settings = load({}, {"CELSCHED_BROKER_KEY_PREFIX": "helssa:"}, folder)
    assert (settings.broker_key_prefix, settings.origins["broker_key_prefix"]) == (
        "helssa:",
        "CELSCHED_BROKER_KEY_PREFIX",
    )
    assert shown("broker_key_prefix", settings.broker_key_prefix) == "helssa:"
    assert load({}, subprocess_environment(settings, {}), folder / "..").broker_key_prefix == "helssa:"
    assert load({}, {}, folder).broker_key_prefix is None


def test_every_setting_is_read_from_the_file(folder: Path) -> None:
    _write(
        folder,
        """\ufeff
        task_modules = ["files.tasks.*", "reports.*"]
        preload = ["mysite.setup"]
        queues = ["default", "گزارش‌ها"]
        timezone = "Asia/Tehran"
        cleanup_days = 7
        alert_threshold_minutes = 2.5
        default_max_retries = 0
        misfire_after = 90
        on_store_outage = "kill"
        redact = ["رمز"]
        lease = "3s"
        heartbeat = "500ms"
        republish = "1m30s"
        drain = "0s"
        kill_grace = 1
        group_wait = 0
        group_interval = "1m"
        repeat_critical = "10m"
        repeat_warning = "2h"
        result_backend = "redis://h/1"
        listen_url = "postgresql://u@h/d"
        [[notify]]
        url = "tgram://token/chat"
        severity = "critical"
        name = "oncall"
        [[notify]]
        url = "json://h/x"
        """,
    )
    settings = load({}, {}, folder)
    assert settings.task_modules == ("files.tasks.*", "reports.*")
    assert settings.queues == ("default", "گزارش‌ها")
    assert settings.alert_threshold == timedelta(seconds=150)
    assert (settings.lease, settings.heartbeat) == (timedelta(seconds=3), timedelta(milliseconds=500))
    assert [(t.name, t.severities) for t in settings.notify] == [("oncall", ("critical",)), ("json", SEVERITIES)]
    assert settings.fallback_layer() == {
        "max_retries": 0,
        "misfire_after": timedelta(seconds=90),
        "timezone": "Asia/Tehran",
        "on_store_outage": OnStoreOutage.KILL,
    }
    hour = timedelta(hours=1)
    assert settings.notice_times == NoticeTimes(0 * hour, hour / 60, hour / 6, 2 * hour)
    assert settings.origins["lease"].endswith("celsched.toml:12")
    assert settings.origins["notify"].endswith("celsched.toml:23")


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        ('lease = "60s"\nbroker_ulr = "x"\n', r"celsched\.toml:2: unknown setting `broker_ulr`", "`broker_url`"),
        ("[notifi]\nurl = 1\n", r"celsched\.toml:1: unknown setting `notifi`", "`notify`"),
        ('fault = "x"\n', r":1: unknown setting `fault`", "known are"),
        ("lease = \n", r"celsched\.toml is not valid TOML: .*line 1", "quotes"),
        ("cleanup_days = 0\n", r":1: `cleanup_days` must be a whole number from 1", None),
        ("cleanup_days = true\n", r"not True", None),
        ('lease = "soon"\n', r":1: `lease` is unusable: 'soon' is not a duration", "30s"),
        ("lease = 0\n", r":1: `lease` must be at least", None),
        ('timezone = "Asia/Teheran"\n', r":1: `timezone` is unusable: unknown time zone", "Tehran"),
        ('on_store_outage = "kil"\n', r"must be one of auto, kill, continue, not 'kil'", "`kill`"),
        ("task_modules = 5\n", r"`task_modules` must be a list, not 5", None),
        ('task_modules = ["a b"]\n', r"must hold patterns such as files\.tasks\.\*, not 'a b'", None),
        ('broker_url = "localhost:6379"\n', r"`broker_url` must be a URL with a scheme", None),
        ("database_url = 3\n", r"must be a URL, not 3", None),
        ('database_url = "nonsense"\n', r":1: `database_url` must be a URL .*such as sqlite:///celsched\.db", None),
        ('database_url = "mysql://u:geheim@h/x"\n', r":1: `database_url` has the scheme 'mysql'", "postgresql://"),
        ('listen_url = "nonsense"\n', r":1: `listen_url` must be a URL .*such as postgresql://", None),
        ('broker_url = "kafka://u:geheim@h"\n', r":1: `broker_url` has the scheme 'kafka'", "amqp(s)://"),
        ("queues = []\n", r":1: `queues` must not be empty", "default"),
        ('heartbeat = "40s"\n', r"`heartbeat` \(.*:1\) must be at most half of `lease` \(default\)", None),
        ('notify = [{url = "json://h", sevrity = "critical"}]\n', r"unknown key `sevrity`", "`severity`"),
        ('notify = [{url = "json://h", severity = "criticl"}]\n', r"must be one of info, warning, critical", None),
        ('notify = ["json://h", "json://i"]\n', r"two channels of `notify` are called 'json'", "name"),
        (
            "[alerts]\nfialed = true\n",
            r"celsched\.toml:1: `alerts` is not acceptable: there is no alert kind",
            "`failed`",
        ),
        (
            'notify = [{url = "json://h", kinds = "daemon_down,store_down", labels = {a = "b"}}]\n',
            r"channel 'json' with `labels`, which no alert of its `kinds` carries",
            "leave",
        ),
        ("[alerts]\nfailed = {limit = 1}\n", r"`alerts\.failed` has no `limit`", "enabled"),
        ("alerts = 5\n", r"must be a table from alert kind", None),
        ("alert_rules = [{labels = {}, alerts = {}}]\n", r"needs in rule 1 `labels`", None),
        ('alert_rules = [{labels = {a = "b"}, alrts = {}}]\n', r"unknown key `alrts`", "`alerts`"),
        ('alert_rules = [{labels = {a = "b"}}]\n', r"needs in rule 1 `alerts`", None),
        ('alert_rules = [{labels = {a = "b"}, alerts = {x = true}}]\n', r"in rule 1: there is no alert kind `x`", None),
        ('alert_rules = [{labels = {a = "b"}, alerts = {daemon_down = false}}]\n', r"carry no labels", "in `alerts`"),
        (
            'alert_rules = [{labels = {a = "b"}, alerts = {backlog = {depth = 5}}}]\n',
            r"label `queue` and no",
            "queue =",
        ),
        (
            'alert_rules = [{labels = {a = "b"}, alerts = {no_worker = {hold = 5}}}]\n',
            r"label `queue` and no",
            "queue =",
        ),
        ("notify = [5]\n", r"must hold URLs or tables", None),
        (
            'broker_url = "redis://h/"\nbroker_key_prefix = "هلسا:"\n',
            r":2: `broker_key_prefix` must be .* ASCII",
            "helssa:",
        ),
        ('broker_key_prefix = ""\n', r"`broker_key_prefix` must be 1 to 100", "helssa:"),
        ('broker_key_prefix = "a:"\n', r":1: `broker_key_prefix` is for Redis, .* embedded one", "leave it out"),
        (
            'broker_key_prefix = "a:"\nbroker_url = "amqp://u:geheim@h//"\n',
            r":1: `broker_key_prefix` is for Redis, and the broker is another one \(.*toml:2\)",
            "virtual hosts",
        ),
        ('group_wait = "2h"\n', r":1: `group_wait` must be at most 1h, not '2h'", None),
        ("group_interval = 0\n", r":1: `group_interval` must be at least 1 s, not 0", None),
        ('group_interval = "1d"\n', r":1: `group_interval` must be at most 12h", None),
        ('repeat_warning = "59s"\n', r":1: `repeat_warning` must be at least 60 s, not '59s'", None),
        ('repeat_warning = "never"\n', r":1: `repeat_warning` is unusable: 'never'", "30s"),
        (
            'group_interval = "6h"\nrepeat_critical = "5h"\n',
            r"`repeat_critical` \(.*:2\) must be at least `group_interval` \(.*:1\): what is known",
            "a longer `repeat_critical`",
        ),
        ("alert_threshold_minutes = -1\n", r"must be a number of minutes above 0", None),
    ],
)
def test_mistakes_are_refused_with_place_and_hint(folder: Path, toml: str, message: str, hint: str | None) -> None:
    _write(folder, toml)
    with pytest.raises(SettingsError, match=message) as caught:
        load({}, {}, folder)
    if hint:
        assert hint in str(caught.value.hint)


def test_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "celsched.toml").write_bytes(b"lease = \xff")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load({}, {}, folder)


def test_mistake_in_a_variable_names_the_variable(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"^CELSCHED_LEASE: `lease` is unusable: "):
        load({}, {"CELSCHED_LEASE": "x"}, folder)


def test_message_about_a_url_does_not_repeat_it(folder: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"broker_url": "user:hunter2@host"}, {}, folder)
    assert "hunter2" not in caught.value.message


def test_mistyped_variable_is_a_warning_and_a_foreign_one_is_not(folder: Path) -> None:
    settings = load({}, {"CELSCHED_BROKER_URI": "x", "CELSCHED_UNRELATED_THING": "1"}, folder)
    assert settings.warnings == (
        "the variable CELSCHED_BROKER_URI is not known and has no effect; did you mean CELSCHED_BROKER_URL?",
    )


def test_zone_of_the_shell_is_not_taken(folder: Path) -> None:
    assert load({}, {"TZ": "Asia/Tehran"}, folder).timezone == "UTC"


SECRET_ENV = {
    "CELSCHED_DATABASE_URL": "postgresql://ali:hunter2@db/celsched?sslpassword=hunter2",
    "CELERY_BROKER_URL": "redis://:hunter2@host:6379/0",
    "CELSCHED_NOTIFY": "tgram://hunter2/5 json://user:hunter2@h",
}


def test_no_way_of_printing_settings_shows_a_password(folder: Path) -> None:
    settings = load({}, SECRET_ENV, folder)
    url = settings.broker_url
    texts = [
        repr(settings),
        str(settings),
        f"{url}",
        logging.makeLogRecord({"msg": "%s", "args": (url,)}).getMessage(),
        f"{url!r}",
        repr(settings.notify),
    ]
    texts += [str(shown(key, getattr(settings, setting.field))) for key, setting in SETTINGS.items()]
    assert not [text for text in texts if "hunter2" in text]
    assert isinstance(url, Secret)
    assert url.reveal() == "redis://:hunter2@host:6379/0"
    assert type(url.reveal()) is str


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://:pw@h:1/0", "redis://:***@h:1/0"),
        ("amqp://u:p@ss@h//", "amqp://u:***@h//"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("sqlite:////x/y.db", "sqlite:////x/y.db"),
        ("https://h/p?api_key=1&n=2", "https://h/p?api_key=***&n=2"),
    ],
)
def test_mask_url(url: str, masked: str) -> None:
    assert mask_url(url) == masked
    assert mask_url(masked) == masked


def _comparable(settings: Settings) -> dict[str, object]:
    return {setting.key: getattr(settings, setting.field) for setting in SETTINGS.values()}


@pytest.mark.parametrize("with_file", [True, False])
def test_child_process_finds_the_same_settings_from_anywhere(folder: Path, tmp_path: Path, with_file: bool) -> None:
    if with_file:
        _write(folder, 'cleanup_days = 9\nqueues = ["a,b"]\n[[notify]]\nurl = "json://h"\nname = "n"\n')
    env = {**SECRET_ENV, "PATH": "/bin", "CELSCHED_ALERT_THRESHOLD_MINUTES": "2.5", "CELSCHED_FAULT": "after_claim"}
    settings = load({"lease": "30s", "preload": ["x"]}, env, folder)
    child = subprocess_environment(settings, env)
    assert "CELERY_BROKER_URL" not in child
    assert child["PATH"] == "/bin"
    assert _comparable(load({}, child, tmp_path)) == _comparable(settings)


def test_child_of_an_embedded_flag_stays_embedded(folder: Path) -> None:
    _write(folder, 'broker_url = "redis://h/"\n')
    child = subprocess_environment(load({"broker_url": "embedded"}, {}, folder), {})
    assert load({}, child, folder).embedded


def test_rules_that_queues_and_their_schedules_meet_are_taken(tmp_path: Path) -> None:
    queue = '{labels = {queue = "q"}, alerts = {backlog = {depth = 5}, no_worker = {hold = 5}}}'
    (tmp_path / "celsched.toml").write_text(
        f'alert_rules = [{queue}, {{labels = {{a = "b"}}, alerts = {{no_worker = false, late_start = false}}}}]'
    )
    assert len(load({}, {}, tmp_path).alert_rules) == 2


def test_alert_rules_are_read_from_the_file_and_handed_to_a_subprocess(tmp_path: Path) -> None:
    text = """
    [alerts]
    failed = true
    late_start = {threshold = "10m"}

    [[alert_rules]]
    labels = {set = "مالی"}
    alerts = {no_recent_success = {after = "26h", severity = "critical"}, missed = false}
    """
    _write(tmp_path, dedent(text))
    settings = load({}, env={}, cwd=tmp_path)
    assert settings.alerts[AlertKind.FAILED].enabled is True
    assert settings.alerts[AlertKind.LATE_START].parameters == {"threshold": timedelta(minutes=10)}
    (rule,) = settings.alert_rules
    assert rule.labels == {"set": "مالی"}
    assert rule.tunings[AlertKind.MISSED].enabled is False

    texts = {key: variable_text(key, getattr(settings, key)) for key in ("alerts", "alert_rules")}
    assert "مالی" in texts["alert_rules"]
    env = {"CELSCHED_ALERTS": texts["alerts"], "CELSCHED_ALERT_RULES": texts["alert_rules"]}
    again = load({}, env=env, cwd=tmp_path / "..")
    assert (again.alerts, again.alert_rules) == (settings.alerts, settings.alert_rules)
    assert shown("alerts", settings.alerts) == {"failed": True, "late_start": {"threshold": "10m"}}
