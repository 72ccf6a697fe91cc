"""`alerts`, `ack`, `resolve`, `silence` and the others on a real store: what they say, refuse and audit."""

import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.wishes import decode_wishes
from celsched.store import alerts, notices
from celsched.store.notices import Message
from celsched.store.store import Store, open_store
from celsched.store.tables_watch import audit
from tests.support.factories import add_schedule, scope_of
from tests.support.stores import sqlite_url

NAME = "گزارش شبانه"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Done:
    """What a call left behind."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A project's store with two open alerts of one schedule: an event, and something that is so now."""
    accepts = f'{{name = "ok", command = ["{sys.executable}", "-c", "import sys; sys.stdin.read()"]}}'
    refuses = f'{{name = "bad", command = ["{sys.executable}", "-c", "import sys; sys.exit(3)"]}}'
    (tmp_path / "celsched.toml").write_text(
        f'database_url = "{sqlite_url(tmp_path / "s.db")}"\nnotify = [{accepts}, {refuses}]\n'
    )
    opened = open_store(sqlite_url(tmp_path / "s.db"))
    scope = scope_of(opened)
    made, now = add_schedule(scope, NAME, labels={"team": "داده"}), scope.now()
    evidence = Evidence(fire_time=now - HOUR, execution=7, command=f"celsched why '{NAME}'")
    common: dict[str, Any] = {"subject": NAME, "since": now - HOUR, "schedule_id": made.id, "labels": {"team": "داده"}}
    findings = [
        Finding(AlertKind.MISSED, "schedule:1", Severity.CRITICAL, summary=f"'{NAME}' نشد", event_at=now - HOUR,
                evidence=evidence, **common),
        Finding(AlertKind.OVERLAP_SKIPS, "schedule:1", Severity.WARNING, summary="skips", **common),
    ]  # fmt: skip
    opened.write(lambda tx: alerts.settle(tx, findings, set(), now))
    yield opened
    opened.close()


@pytest.fixture
def call(store: Store, tmp_path: Path) -> Call:
    """Call the command line in the project."""

    def run(*words: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        code = main(words, cli=CliContext(stdin=io.StringIO(), stdout=out, stderr=err, env={}, cwd=tmp_path))
        return Done(int(code), out.getvalue(), err.getvalue())

    return run


def rows(call: Call, *words: str) -> Any:
    done = call(*words, "-o", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def deeds(store: Store) -> list[tuple[str, str, str]]:
    query = select(audit.c.action, audit.c.kind, audit.c.subject).where(
        audit.c.kind.in_(("alert", "silence", "channel"))
    )
    return [tuple(row) for row in store.read(lambda tx: tx.execute(query.order_by(audit.c.id)).all())]


def test_open_alerts_are_listed_narrowed_and_counted(call: Call) -> None:
    found = rows(call, "alerts")
    assert [(one["id"], one["kind"], one["execution_id"]) for one in found] == [
        (2, "overlap_skips", None),
        (1, "missed", 7),
    ]
    assert (found[1]["summary"], found[1]["labels"], found[1]["acknowledged_by"]) == (
        f"'{NAME}' نشد",
        {"team": "داده"},
        None,
    )
    assert [one["id"] for one in rows(call, "alerts", "--severity", "critical")] == [1]
    assert [one["id"] for one in rows(call, "alerts", "--kind", "missed", "--kind", "failed")] == [1]
    assert rows(call, "alerts", "--schedule", "other") == rows(call, "alerts", "--state", "resolved") == []
    assert [one["open"] for one in rows(call, "alerts", "--summary")] == [1, 1]
    assert call("alerts", "-o", "name").out == "2\n1\n"
    assert call("alerts", "--state", "shut").code == 2


def test_a_name_typed_in_another_form_of_unicode_is_that_name(call: Call, store: Store) -> None:
    now, name = store.clock.now(), unicodedata.normalize("NFC", "گزارش مسئول")
    typed = unicodedata.normalize("NFD", name)
    assert typed != name
    finding = Finding(AlertKind.FAILED, "schedule:77", Severity.WARNING, name, "نشد", now, queue=name)
    store.write(lambda tx: alerts.settle(tx, [finding], set(), now))
    assert [one["subject"] for one in rows(call, "alerts", "--schedule", typed)] == [name]
    for option in ("--schedule", "--queue"):
        done = call("silence", option, typed, "--for", "1h", "--reason", "x")
        assert "it covers 1 open alert" in done.err, option


def test_an_acknowledged_one_stays_open_with_its_mark(call: Call, store: Store) -> None:
    assert f"acknowledged alert 1: missed of '{NAME}'" in call("ack", "1", "--note", "می‌دانم").out
    shown = rows(call, "show", "alert", "1")
    assert (shown["state"], shown["note"], shown["over_when"]) == ("open", "می‌دانم", "the schedule's next success")
    assert call("ack", "1").code == 0
    assert deeds(store) == [("acknowledge", "alert", "1")]
    assert call("ack", "1", "--note", "پیدا شد").code == 0
    assert rows(call, "show", "alert", "1")["note"] == "پیدا شد"
    assert deeds(store) == [("acknowledge", "alert", "1")] * 2


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_person_reads_when_and_how_long_ago(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    cli = CliContext(stdin=io.StringIO(), stdout=out, stderr=io.StringIO(), env={}, cwd=tmp_path)
    assert main(("show", "alert", "1"), cli=cli) == 0
    for field in ("since", "opened at", "last seen"):
        row = next(line for line in out.getvalue().splitlines() if line.startswith(f"{field} "))
        assert re.search(r" 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \S+ \((.* ago|now)\)", row), row


def seen_at_80(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[str, str]:
    """Return what a person reads on a terminal of 80 columns, and what is said beside it."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    out, err = Terminal(), io.StringIO()
    cli = CliContext(stdin=io.StringIO(), stdout=out, stderr=err, env={}, cwd=tmp_path)
    assert main(words, cli=cli) in {0, 1}
    assert max(len(line) for line in out.getvalue().splitlines()) <= 80
    return out.getvalue(), err.getvalue()


def queue(store: Store, channel: str, reason: str, *ids: int, over: bool = False) -> Message:
    """Queue a message that lists these alerts."""
    listed = [{"id": one, "status": "resolved" if over else "firing"} for one in ids]
    details = {"reason": reason, "alerts": listed}
    made = Message(channel, f"missed#{channel}.{reason}", Severity.CRITICAL, "عنوان", "متن", details)
    store.write(lambda tx: notices.enqueue(tx, made, store.clock.now()))
    return made


def deliver(store: Store, channel: str, error: str | None = None) -> None:
    """Take the first message that is due, and let the channel accept it, or refuse it with this error."""
    now = store.clock.now()
    leased = store.write(lambda tx: notices.lease(tx, channel, now, HOUR))
    assert leased is not None
    if error is None:
        store.write(lambda tx: notices.accepted(tx, leased, now))
    else:
        store.write(lambda tx: notices.refused(tx, leased, error, now))


def test_which_messages_told_of_an_alert_is_a_contract(call: Call, store: Store) -> None:
    shown = rows(call, "show", "alert", "1")
    assert (shown["messages"], shown["more_messages"]) == ([], False)
    queue(store, "ok", "firing", 1, 2)
    deliver(store, "ok")
    queue(store, "کانال", "firing", 1)
    deliver(store, "کانال", "نامه نرفت")
    queue(store, "ok", "repeat", 2)
    queue(store, "bad", "firing", 1, over=True)
    shown = rows(call, "show", "alert", "1")
    keys = ["channel", "reason", "state", "created_at", "sent_at", "next_try_at", "error"]
    assert [list(one) for one in shown["messages"]] == [keys] * 3
    waits, refused, sent = ([one[key] for key in ("channel", "reason", "state", "error")] for one in shown["messages"])
    assert waits == ["bad", "resolved", "pending", None]
    assert refused == ["کانال", "firing", "pending", "نامه نرفت"]
    assert sent == ["ok", "firing", "sent", None]
    for one in shown["messages"]:
        assert (one["sent_at"] is None, one["next_try_at"] is None) == (one["channel"] != "ok", one["channel"] == "ok")
        for key in ("created_at", "sent_at", "next_try_at"):
            assert one[key] is None or datetime.fromisoformat(one[key]).utcoffset() == timedelta(0)
    assert [one["channel"] for one in rows(call, "show", "alert", "2")["messages"]] == ["ok", "ok"]


def test_a_person_reads_who_was_told_of_an_alert(
    call: Call, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = seen_at_80(tmp_path, monkeypatch, "show", "alert", "1")[0]
    assert none.endswith("\n\nmessages: none is known that told of it\n")
    queue(store, "ok", "firing", 1)
    deliver(store, "ok")
    queue(store, "کانال", "firing", 1)
    deliver(store, "کانال", "نامه نرفت" + " و باز هم نرفت" * 9)
    shown = seen_at_80(tmp_path, monkeypatch, "show", "alert", "1")[0]
    heading, refused, *_, sent = shown.partition("\n\n")[2].splitlines()
    assert heading.split() == ["CHANNEL", "REASON", "MESSAGE", "SENT", "NEXT", "TRY", "ERROR"]
    assert re.fullmatch(r"کانال +firing +refused +- +in \d+ s +نامه نرفت.*", refused), refused
    assert re.fullmatch(r"ok +firing +sent +(now|\d+ s ago) +- +- *", sent), sent
    assert "more messages" not in shown
    many = [Message("ok", f"many#{number}.1", Severity.INFO, "", "", {"alerts": []}) for number in range(499)]
    now = store.clock.now()
    store.write(lambda tx: [notices.enqueue(tx, one, now) for one in many])
    assert len(rows(call, "show", "alert", "1")["messages"]) == 1
    assert rows(call, "show", "alert", "1")["more_messages"]
    shown = seen_at_80(tmp_path, monkeypatch, "show", "alert", "1")[0]
    assert shown.endswith("only the newest 500 messages were looked at; older ones may have told of it too\n")


def test_why_nobody_may_have_been_told_is_said(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "celsched.toml"
    url = settings.read_text().splitlines()[0]
    settings.write_text(f'{url}\nnotify = [{{name = "prom", url = "alertmanager+http://127.0.0.1:9"}}]\n')
    assert seen_at_80(tmp_path, monkeypatch, "show", "alert", "1")[0].endswith(
        "channel 'prom': only its newest push is kept, and that does not tell of it\n"
    )
    settings.write_text(f"{url}\n")
    shown = seen_at_80(tmp_path, monkeypatch, "show", "alert", "1")[0]
    assert shown.endswith("messages: none is known that told of it\nno channel is set\n")
    finding = Finding(AlertKind.STORE_DOWN, "this", Severity.CRITICAL, NAME, "جواب نداد", store.clock.now())
    store.write(lambda tx: alerts.settle(tx, [replace(finding, hold=timedelta(0))], set(), store.clock.now()))
    shown = seen_at_80(tmp_path, monkeypatch, "show", "alert", "3")[0]
    assert "sends those about the store itself, and keeps none" in shown


def test_on_80_columns_lists_and_counts_are_whole(
    call: Call, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = store.clock.now()
    text = "execution 7 of " + "a name of some length " * 2 + "failed three times"
    finding = Finding(AlertKind.CONSECUTIVE_FAILURES, "schedule:77", Severity.CRITICAL, "x", text, now, queue=NAME)
    store.write(lambda tx: alerts.settle(tx, [finding], set(), now))
    listed = seen_at_80(tmp_path, monkeypatch, "alerts")[0].splitlines()
    at = next(number for number, line in enumerate(listed) if "consecutive_failures: execution 7 of" in line)
    assert "failed three times" in " ".join(listed[at + 1 : at + 3]), "a sentence has most of the width"
    assert "MARKS" not in seen_at_80(tmp_path, monkeypatch, "alerts")[0]
    assert "ack " not in seen_at_80(tmp_path, monkeypatch, "alerts")[0]
    call("ack", "1")
    assert "ack " in seen_at_80(tmp_path, monkeypatch, "alerts")[0]
    assert "daemon_down: no daemon has ever run" in seen_at_80(tmp_path, monkeypatch, "watch", "--once")[0]
    counts = seen_at_80(tmp_path, monkeypatch, "alerts", "--summary", "--kind", "missed")[0]
    assert re.search(r"^KIND +SEVERITY +OPEN +ACK +QUIET +OLDEST *$", counts, re.MULTILINE)
    assert re.search(r"^missed +critical +1 +1 +1 ", counts, re.MULTILINE)


def test_a_list_that_is_cut_says_how_many_more_there_are(call: Call) -> None:
    assert call("alerts", "--limit", "1").err == "1 more fit: add --limit 2\n"
    assert call("alerts", "--limit", "2").err == ""
    assert call("alerts", "--limit", "1", "--severity", "critical").err == ""


def test_a_person_is_spared_what_is_not_known(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = seen_at_80(tmp_path, monkeypatch, "show", "alert", "1")
    titles = [line.split("  ")[0] for line in shown.splitlines() if line[:1].strip()]
    assert titles[:7] == ["id", "kind", "severity", "state", "subject", "summary", "next command"]
    assert "resolved by" not in titles
    assert rows(call, "show", "alert", "1")["resolved_by"] is None


def test_a_resolved_one_says_whether_it_comes_back(call: Call, store: Store) -> None:
    done = call("resolve", "1", "2", "--note", "درست شد")
    assert "it comes back with another such event" in done.out
    assert "it comes back if it is still so" in done.out
    assert rows(call, "alerts") == []
    assert {one["resolved_by"] for one in rows(call, "alerts", "--state", "resolved")} != {None}
    again = call("resolve", "1", "--note", "x")
    assert (again.code, again.out) == (5, "")
    assert "alert 1 is resolved (by " in again.err
    assert deeds(store) == [("resolve", "alert", "1"), ("resolve", "alert", "2")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("resolve", "1"), 2, "--note"),
        (("resolve", "1", "--note", " "), 2, "note is blank"),
        (("resolve", "1", "99", "--note", "x"), 3, "no alert 99"),
        (("ack", "99"), 3, "no alert 99"),
        (("show", "alert", "99"), 3, "no alert 99"),
        (("silence", "--reason", "x", "--for", "1h"), 2, "silence everything"),
        (("silence", "--reason", "x", "--kind", "missed"), 2, "needs an end"),
        (("silence", "--reason", "x", "--kind", "missed", "--for", "1h", "--until", "+1h"), 2, "exclude each other"),
        (("silence", "--reason", "x", "--kind", "missed", "--for", "31d"), 2, "within 30 days"),
        (("silence", "--reason", "x", "--kind", "missed", "--for", "99999999999d"), 2, ""),
        (("silence", "--reason", "x", "--kind", "missed", "--until", "2020-01-01"), 2, "within 30 days"),
        (("silence", "--reason", "", "--kind", "missed", "--for", "1h"), 2, "reason is blank"),
        (("silence", "--kind", "missed", "--for", "1h"), 2, "--reason"),
        (("silence", "--reason", "x", "--kind", "mised", "--for", "1h"), 2, "mised"),
        (("unsilence", "99"), 3, "no silence 99"),
        (("alerts", "test", "nok"), 3, "did you mean `ok`"),
    ],
)
def test_mistakes_change_nothing(call: Call, store: Store, words: tuple[str, ...], code: int, said: str) -> None:
    done = call(*words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "internal fault" not in done.err
    assert deeds(store) == []
    assert len(rows(call, "alerts")) == 2


def test_a_silence_may_begin_later_as_for_maintenance(call: Call, store: Store) -> None:
    words = ("silence", "--schedule", "گزارش*", "--reason", "تعمیر")
    done = call(*words, "--from", "+1d", "--for", "2h")
    assert "from 2026-" in done.out
    assert "it has not begun" in done.err
    (found,) = rows(call, "silences")
    length = datetime.fromisoformat(found["ends_at"]) - datetime.fromisoformat(found["starts_at"])
    assert (found["status"], length) == ("to come", timedelta(hours=2))
    assert call(*words, "--from", "+2d", "--until", "+1d").code == 2
    assert call(*words, "--from", "+1d", "--for", "31d").code == 2
    assert call(*words, "--from", "soon", "--for", "1h").code == 2
    assert call("unsilence", "1").code == 0


def test_a_label_without_a_value_is_shown_how_a_label_is_written(call: Call) -> None:
    refused = call("silence", "--label", "team", "--for", "1h", "--reason", "x")
    assert (refused.code, "hint: write for example --label team=ops" in refused.err) == (2, True)


def test_a_silence_says_what_it_covers_and_can_be_ended(call: Call, store: Store) -> None:
    done = call("silence", "--schedule", "گزارش*", "--label", "team=داده", "--for", "30d", "--reason", "تعمیر")
    assert (done.code, "it covers 2 open alerts" in done.err) == (0, True)
    (found,) = rows(call, "silences")
    assert (found["matches"], found["reason"], found["status"]) == (
        "schedule گزارش*, label team=داده",
        "تعمیر",
        "active",
    )
    assert call("unsilence", "1").out == "ended silence 1: schedule گزارش*, label team=داده\n"
    assert rows(call, "silences") == []
    assert [one["status"] for one in rows(call, "silences", "--all")] == ["ended"]
    assert call("unsilence", "1").code == 5
    assert deeds(store) == [("silence", "silence", "1"), ("unsilence", "silence", "1")]


def test_a_channel_is_tested_and_says_no_with_its_exit_code(call: Call, store: Store) -> None:
    assert call("alerts", "test", "ok") == Done(0, "ok: accepted\n", "")
    refused = call("alerts", "test", "bad")
    assert refused.code == 1
    assert refused.out.startswith("bad: not accepted: ")
    assert deeds(store) == [("test", "channel", "ok"), ("test", "channel", "bad")]


def test_show_tells_how_alerts_are_tuned_for_a_schedule(call: Call, store: Store) -> None:
    wishes = decode_wishes("alerts", {"failed": True, "no_recent_success": {"after": "26h"}})
    add_schedule(scope_of(store), "tuned", alerts=wishes)
    shown = rows(call, "show", "schedule", "tuned")["alerts"]
    assert shown == {"failed": {"enabled": True}, "no_recent_success": {"after": 26 * 3600}}
    assert decode_wishes("alerts", shown) == wishes
    assert "failed" in shown
    assert rows(call, "show", "schedule", NAME)["alerts"] == {}
    assert call("show", "task", "task").code == 0
