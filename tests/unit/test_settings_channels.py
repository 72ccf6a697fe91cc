"""Channels and pings among the settings: what they may hold, how they travel to our processes, what is never shown.

Nothing is sent.
"""

from pathlib import Path

import pytest

from celsched.errors import SettingsError
from celsched.settings import load, subprocess_environment
from celsched.settings.table import SETTINGS, shown, variable_text

TOML = """
watch_ping = "outside"
[[notify]]
name = "نوبت"
url = "webhook+https://h/hunter2"
key = "hunter2"
severity = ["critical"]
kinds = ["missed", "no_next"]
labels = {team = "مالی"}
[[notify]]
command = ["/usr/bin/pager", "--token", "hunter2"]
[[notify]]
url = "log:"
[[notify]]
name = "p"
url = "command:/usr/bin/page 'a b'"
[pings]
outside = "https://hc.example/hunter2"
"""


def test_channels_and_pings_are_read_and_handed_on_whole_and_shown_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "celsched.toml").write_text(TOML, encoding="utf-8")
    settings = load({}, {}, tmp_path)
    first, pager, log, page = settings.notify
    assert (first.name, first.kinds, first.labels, first.severities) == (
        "نوبت",
        ("missed", "no_next"),
        {"team": "مالی"},
        ("critical",),
    )
    assert first.key is not None
    assert first.key.reveal() == "hunter2"
    assert (pager.name, pager.command) == ("pager", ("/usr/bin/pager", "--token", "hunter2"))
    assert (log.name, page.command) == ("log", ("/usr/bin/page", "a b"))
    assert settings.pings[0].url.reveal() == "https://hc.example/hunter2"
    texts = [repr(settings), *(str(shown(key, getattr(settings, one.field))) for key, one in SETTINGS.items())]
    assert not [text for text in texts if "hunter2" in text]
    child = {name: text for name, text in subprocess_environment(settings, {}).items() if name != "CELSCHED_CONFIG"}
    child |= {
        SETTINGS[key].variable: variable_text(key, getattr(settings, key)) for key in ("notify", "pings", "watch_ping")
    }
    again = load({}, child, tmp_path / "elsewhere")
    assert (again.notify, again.pings, again.watch_ping) == (settings.notify, settings.pings, "outside")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('notify = [{url = "json://h", command = ["x"]}]', "both `url` and `command`"),
        ("notify = [{command = []}]", "needs as `command`"),
        ('notify = [{url = "json://h", kinds = ["mised"]}]', "must be one of missed"),
        ('notify = [{url = "json://h", labels = {a = 1}}]', "needs as `labels`"),
        ('[pings]\na = "redis://hunter2"', "needs for 'a' an http"),
        ("pings = 5", "must be a table"),
        ('daemon_ping = "x"', "`daemon_ping` names 'x'"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, toml: str, message: str) -> None:
    (tmp_path / "celsched.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as caught:
        load({}, {}, tmp_path)
    assert "hunter2" not in str(caught.value)
