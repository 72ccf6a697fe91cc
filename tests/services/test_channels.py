"""Channels against real receivers: Persian arrives intact, every send ends in time, and no error shows a secret.

Nothing is queued here; `test_delivery` does that.
"""

import hashlib
import hmac
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.message_template import MessageTemplate
from celsched.errors import SettingsError
from celsched.notify import Address, Outgoing, SendFailed, http, sender_of
from celsched.notify.channel import scrub
from celsched.notify.ping import ping, signal_url
from tests.support.clock import ManualClock
from tests.support.receivers import HttpReceiver, SmtpReceiver, http_receiver, smtp_receiver
from tests.support.waiting import wait_until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALERT = {
    "id": 5,
    "fingerprint": "late_start:schedule:1",
    "status": "firing",
    "kind": "late_start",
    "severity": "warning",
    "subject": "گزارش شب",
    "summary": "execution 7 of 'گزارش شب' has not started for 5 min",
    "since": "2026-03-01T11:00:00+00:00",
    "opened_at": "2026-03-01T11:05:00+00:00",
    "resolved_at": None,
    "queue": "reports",
    "labels": {"تیم": "مالی", "set": "a"},
    "evidence": {"error": "خطا"},
    "command": "celsched why 'گزارش شب'",
}
MESSAGE = Outgoing(
    "late_start/queue=گزارش#1.5",
    "warning",
    '[warning] late_start: "گزارش شب"',
    "سطر یک\nnext: celsched why 'گزارش شب'",
    {"group": "late_start", "reason": "firing", "firing": 1, "over": 0, "alerts": [ALERT]},
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as server:
        yield server


@pytest.fixture
def smtp() -> Iterator[SmtpReceiver]:
    with smtp_receiver() as server:
        yield server


def send(url: str, clock: ManualClock, message: Outgoing = MESSAGE, timeout: float = 20, **more: Any) -> None:
    sender_of(Address("c", url, **more), clock, timeout=timeout)(message)


def why_not(url: str, clock: ManualClock, timeout: float = 20, **more: Any) -> str:
    with pytest.raises(SendFailed) as caught:
        send(url, clock, timeout=timeout, **more)
    return str(caught.value)


def hook(receiver: HttpReceiver, path: str = "/x") -> str:
    return f"webhook+{receiver.url}{path}"


def test_a_webhook_gets_signed_json(receiver: HttpReceiver, clock: ManualClock) -> None:
    url = hook(receiver).replace("://", "://user:p%40ss@")
    send(url, clock, key="کلید")
    request = receiver.requests[0]
    assert (request.method, request.path) == ("POST", "/x")
    payload = json.loads(request.body)
    assert (payload["title"], payload["body"]) == (MESSAGE.title, MESSAGE.body)
    assert (payload["incident"], payload["alerts"]) == (MESSAGE.incident, [ALERT])
    assert payload["resolved"] is False
    assert "گزارش شب".encode() in request.body
    wanted = hmac.new("کلید".encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Celsched-Signature"] == f"sha256={wanted}"
    assert request.headers["Authorization"] == "Basic dXNlcjpwQHNz"


def test_without_a_key_nothing_is_signed(receiver: HttpReceiver, clock: ManualClock) -> None:
    send(hook(receiver), clock)
    assert "X-Celsched-Signature" not in receiver.requests[0].headers


TEMPLATE = r"""
{"text": "*${title}*\n${body}", "routing_key": "hunter2-$$", "n": ${firing}, "over": ${resolved},
 "dedup": "celsched/${group}", "all": ${alerts}}
"""


def test_a_template_makes_what_is_sent_and_signed(receiver: HttpReceiver, clock: ManualClock) -> None:
    message = replace(MESSAGE, title='گزارش "شب" \\', body='سطر یک\n"دو"\t')
    send(hook(receiver), clock, message, template=MessageTemplate.parse(TEMPLATE), key="کلید")
    (request,) = receiver.requests
    assert json.loads(request.body) == {
        "text": f"*{message.title}*\n{message.body}",
        "routing_key": "hunter2-$",
        "n": 1,
        "over": False,
        "dedup": "celsched/late_start",
        "all": [ALERT],
    }
    assert request.body.startswith(b'\n{"text": "*'), "but for its values it is the template, byte for byte"
    assert "گزارش".encode() in request.body
    wanted = hmac.new("کلید".encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Celsched-Signature"] == f"sha256={wanted}"
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["Idempotency-Key"].startswith("late_start/queue=")


def test_what_a_template_makes_is_tried_again_before_it_is_sent(receiver: HttpReceiver, clock: ManualClock) -> None:
    send_it = sender_of(Address("c", hook(receiver), template=MessageTemplate.parse(TEMPLATE)), clock)
    with pytest.raises(SendFailed, match=r"its template yields no JSON: .* surrogates not allowed"):
        send_it(replace(MESSAGE, title="\ud800"))
    assert receiver.requests == []
    send_it(MESSAGE)


def test_a_server_that_repeats_the_template_shows_nothing_of_it(receiver: HttpReceiver, clock: ManualClock) -> None:
    receiver.statuses, receiver.echoes = [400], True
    said = why_not(hook(receiver), clock, template=MessageTemplate.parse(TEMPLATE))
    assert said.startswith("127.0.0.1 answered 400 Bad Request: ")
    assert "routing_key" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("status", [500, 404, 302, 429])
def test_any_status_but_2xx_is_a_failure(receiver: HttpReceiver, clock: ManualClock, status: int) -> None:
    receiver.statuses = [status, 204]
    said = why_not(hook(receiver, "/geheimnis?token=hunter2"), clock)
    assert f"127.0.0.1 answered {status}" in said
    send(hook(receiver), clock)


@pytest.mark.parametrize("way", ["hangs", "drips"])
def test_a_server_that_does_not_answer_is_given_up(receiver: HttpReceiver, clock: ManualClock, way: str) -> None:
    if way == "hangs":
        receiver.hangs.set()
    receiver.drips = way == "drips"
    begin = time.monotonic()
    assert "did not answer within 0.4 s" in why_not(hook(receiver), clock, timeout=0.4)
    assert time.monotonic() - begin < 10
    assert receiver.requests, "it was reached"


@pytest.mark.parametrize(
    "url",
    [
        "webhook+http://hunter2:hunter2@127.0.0.1:1/hunter2?token=hunter2",
        "alertmanager+http://u:hunter2@127.0.0.1:1/hunter2",
        "webhook+http://hunter2.invalid/a",
        "json://u:hunter2@127.0.0.1:1/hunter2",
        "mailto://hunter2:hunter2@127.0.0.1:1?from=hunter2@h.com&to=x@y.z",
    ],
)
def test_no_failure_shows_a_secret(clock: ManualClock, url: str, caplog: pytest.LogCaptureFixture) -> None:
    said = why_not(url, clock)
    assert said
    if "invalid" not in url:  # of a webhook the host is shown: it says which server
        assert "hunter2" not in said + caplog.text


@pytest.mark.parametrize(
    "url", ["webhook+http://", "alertmanager+https:///x", "webhook+http://h:99999999", "nosuch://x"]
)
def test_an_unusable_url_is_refused_at_once(clock: ManualClock, url: str) -> None:
    with pytest.raises(SettingsError, match="'c'") as caught:
        sender_of(Address("c", url), clock)
    assert "99999999" not in str(caught.value)


def test_without_apprise_it_is_said_what_to_install(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError) as caught:
        sender_of(Address("mail", "mailto://u:p@h"), clock)
    assert caught.value.hint == "pip install 'celsched[alerts]'"


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("webhok+http://h/x", "did you mean `webhook+http`?"),
        ("https://hooks.example.org/x", "to post JSON there write webhook+https://"),
    ],
)
def test_a_url_that_was_meant_for_a_webhook_is_told_so(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, url: str, said: str, installed: bool
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError) as caught:
        sender_of(Address("c", url), clock)
    assert (caught.value.hint or "").startswith(said)


def test_a_mail_arrives_in_persian(smtp: SmtpReceiver, clock: ManualClock) -> None:
    url = f"mailto://127.0.0.1:{smtp.port}?from=celsched@example.org&to=oncall@example.org"
    send(url, clock)
    (mail,) = smtp.mails
    assert mail["Subject"] == MESSAGE.title
    assert "oncall@example.org" in mail["To"]
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip().splitlines() == MESSAGE.body.splitlines()


def test_a_mail_server_that_refuses_is_a_failure(smtp: SmtpReceiver, clock: ManualClock) -> None:
    smtp.refuses = True
    url = f"mailto://127.0.0.1:{smtp.port}?from=a@example.org&to=b@example.org"
    assert why_not(url, clock)
    smtp.refuses = False
    send(url, clock)
    assert len(smtp.mails) == 1


def test_an_apprise_service_that_hangs_is_given_up(receiver: HttpReceiver, clock: ManualClock) -> None:
    receiver.hangs.set()
    sender = sender_of(Address("c", receiver.url.replace("http", "json")), clock, timeout=0.4)
    for reason in ("no answer|did not|refused|imed out|error", "hangs|no answer|error|imed out"):
        with pytest.raises(SendFailed, match=reason):
            sender(MESSAGE)
    assert receiver.requests


def test_alertmanager_is_told_what_fires_and_what_ended(receiver: HttpReceiver, clock: ManualClock) -> None:
    ended = ALERT | {"status": "resolved", "resolved_at": "2026-03-01T11:30:00+00:00", "queue": None}
    details = {**MESSAGE.details, "alerts": [ALERT, ended]}
    send(f"alertmanager+{receiver.url}/prefix/", clock, Outgoing("push#1.1", "warning", "t", "b", details))
    assert receiver.paths() == ["/prefix/api/v2/alerts"]
    first, second = json.loads(receiver.requests[0].body)
    assert first["labels"] == {
        "alertname": "late_start",
        "severity": "warning",
        "subject": "گزارش شب",
        "fingerprint": "late_start:schedule:1",
        "source": "celsched",
        "queue": "reports",
        "label_set": "a",
        "label__62a__6cc__645_": "مالی",
    }
    assert first["annotations"]["error"] == "خطا"
    assert first["startsAt"] == "2026-03-01T11:05:00+00:00"
    assert datetime.fromisoformat(first["endsAt"]) == NOW + timedelta(minutes=5)
    assert second["endsAt"] == "2026-03-01T11:30:00+00:00"
    assert "queue" not in second["labels"]


def test_alertmanager_takes_a_message_about_no_alert(receiver: HttpReceiver, clock: ManualClock) -> None:
    send(f"alertmanager+{receiver.url}", clock, Outgoing("test#1", "info", "آزمایش", "b"))
    (entry,) = json.loads(receiver.requests[0].body)
    assert entry["annotations"]["summary"] == "آزمایش"


def program(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return (sys.executable, str(path), "--to", "نوبت")


def test_a_command_gets_json_and_variables(tmp_path: Path, clock: ManualClock) -> None:
    found = tmp_path / "found.json"
    text = f"""
import json, os, sys
got = {{name: value for name, value in os.environ.items() if name.startswith("CELSCHED_ALERT_")}}
json.dump([json.load(sys.stdin), got, sys.argv[1:], os.environ.get("OWN")], open({str(found)!r}, "w"))
"""
    send("", clock, command=program(tmp_path, text), environment={"OWN": "1", "PYTHONUTF8": "1"})
    given, variables, arguments, own = json.loads(found.read_text())
    assert (given["title"], given["alerts"]) == (MESSAGE.title, [ALERT])
    assert variables["CELSCHED_ALERT_BODY"] == MESSAGE.body
    assert variables["CELSCHED_ALERT_RESOLVED"] == "0"
    assert (arguments, own) == (["--to", "نوبت"], "1")


def test_a_command_that_fails_says_why_by_its_last_line(tmp_path: Path, clock: ManualClock) -> None:
    argv = program(tmp_path, "print('یک'); print('نشد'); raise SystemExit(3)")
    assert why_not("", clock, command=argv).endswith("ended with 3: نشد")


def test_a_command_that_is_not_there_is_a_failure(clock: ManualClock) -> None:
    assert "/no/such/program cannot be started" in why_not("", clock, command=("/no/such/program",))


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path: Path, clock: ManualClock) -> None:
    pid_file = tmp_path / "pid"
    text = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pid_file)!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    argv = program(tmp_path, text)
    assert "was killed" in why_not("", clock, timeout=3, command=argv)
    child = Path("/proc") / wait_until(pid_file.read_text, message="the program started a child")

    def gone() -> bool:
        return not child.exists() or child.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(gone, message="the child of the program is killed")


def test_the_log_channel_writes_one_line_of_json(clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    send("log://", clock)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["celsched_alert"]["title"] == MESSAGE.title


@pytest.mark.parametrize(("signal", "path"), [("start", "/key/start"), ("success", "/key"), ("fail", "/key/fail")])
def test_a_ping_goes_to_the_url_of_its_signal(receiver: HttpReceiver, signal: str, path: str) -> None:
    ping(f"{receiver.url}/key")(Outgoing("x", "info", "t", "متن", {"signal": signal}))
    assert (receiver.paths(), receiver.requests[0].body.decode()) == ([path], "متن")


def test_a_ping_keeps_the_query_of_its_url() -> None:
    assert signal_url("https://h/ping/key/?rid=1", "fail") == "https://h/ping/key/fail?rid=1"


def test_a_name_that_is_looked_up_for_too_long_gets_no_message_that_was_reported_as_failed(
    receiver: HttpReceiver, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, real = threading.Event(), socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        late.wait(10)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    hang_up = http._hang_up

    def told(*given: Any) -> None:
        hang_up(*given)
        late.set()

    monkeypatch.setattr(http, "_hang_up", told)
    with pytest.raises(SendFailed, match="did not answer within"):
        sender_of(Address("hook", f"webhook+{receiver.url}/x"), clock, timeout=0.1)(MESSAGE)
    assert receiver.requests == []


def test_a_secret_is_masked_as_the_server_reads_it() -> None:
    said = scrub("no hook /aB/cd1234 here", "https://host.example.org/aB%2Fcd1234", keep=("host.example.org",))
    assert said == "no hook /aB/*** here"


def test_each_word_of_what_may_hold_a_secret_is_masked() -> None:
    said = scrub("no room 123456789 for s3cr3t", "https://example.org", also=("Bearer s3cr3t/", "123456789"))
    assert said == "no room *** for ***"


@pytest.mark.parametrize(("option", "length"), [("", 32_768), ("?overflow=upstream", 40_000)])
def test_what_is_too_long_for_a_service_is_cut_unless_its_url_says_otherwise(
    receiver: HttpReceiver, clock: ManualClock, option: str, length: int
) -> None:
    url = f"{receiver.url.replace('http://', 'json://')}/x{option}"
    sender_of(Address("long", url), clock)(replace(MESSAGE, body="خ" * 40_000))
    (request,) = receiver.requests
    assert len(json.loads(request.body)["message"]) == length
