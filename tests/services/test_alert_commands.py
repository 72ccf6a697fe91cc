"""`alerts`, `ack`, `resolve`, `silence` and the others on a real store: what they say, refuse and audit."""

import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from celsched.store import alerts
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
    assert re.search(r"^KIND +SEVERITY +OPEN +ACK +OLDEST *$", counts, re.MULTILINE)
    assert re.search(r"^missed +critical +1 +1 ", counts, re.MULTILINE)


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
