"""Channels and pings among the settings: what they may hold, how they travel to our processes, what is never shown.

Nothing is sent.
"""

import json
from pathlib import Path

import pytest

from celsched.errors import SettingsError
from celsched.settings import load, subprocess_environment
from celsched.settings.table import SETTINGS, shown, variable_text

TOML = r"""
watch_ping = "outside"
[[notify]]
name = "نوبت"
url = "webhook+https://h/hunter2"
key = "hunter2"
severity = ["critical"]
kinds = ["missed", "no_next"]
labels = {team = "مالی"}
template = '''
{"token": "hunter2", "متن": "${title}\n${body}", "n": ${firing}}
'''
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
    assert first.template is not None
    assert json.loads(first.template.render({"title": "شب", "firing": 2})) == {
        "token": "hunter2",
        "متن": "شب\n",
        "n": 2,
    }
    assert pager.template is None
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
        ('[[notify]]\nseverity = ["info"]', "toml:1: `notify` has a channel without a `url`"),
        ('[[notify]]\nname = "chat"', "toml:1: `notify` has a channel 'chat' without a `url`"),
        ('[[notify]]\nname = "chat"\nurl = "hunter2"', "has a channel 'chat' whose `url` must be a URL"),
        ('notify = [{url = "json://h", severity = ["fatal"]}]', "channel 'json' whose `severity` must be one of info"),
        ('notify = [{url = "json://h", kinds = 3}]', "channel 'json' whose `kinds` must be a list"),
        ('[pings]\na = "hunter2"', "has a ping 'a' whose URL must be"),
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


@pytest.mark.parametrize(
    ("channel", "message", "hint"),
    [
        (
            """url = "webhook+https://h"\ntemplate = '''\n{"a": "hunter2",\n "b": ${title} ${body}}'''""",
            "has for 'chat' a `template` that yields no JSON: Expecting ',' delimiter in its line 2, column 16",
            None,
        ),
        ("""url = "webhook+https://h"\ntemplate = '{"a": "${titel}"}'""", "names `${titel}`, which", "`title`"),
        ("""url = "webhook+https://h"\ntemplate = {a = "${title}"}""", "a `template` that is no text", "'''"),
        ('url = "json://h"\ntemplate = "{}"', "a `template`, which only a webhook takes", "webhook+"),
        ('command = ["x"]\ntemplate = "{}"', "a `template`, which only a webhook takes", "webhook+"),
    ],
)
def test_a_bad_template_is_refused_with_its_place_when_settings_are_read(
    tmp_path: Path, channel: str, message: str, hint: str | None
) -> None:
    text = f'timezone = "UTC"\n[[notify]]\nname = "chat"\n{channel}\n'
    (tmp_path / "celsched.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load({}, {}, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/celsched.toml:2: `notify` ")
    assert message in str(caught.value)
    assert hint is None or hint in str(caught.value.hint)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
