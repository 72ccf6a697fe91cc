"""`celsched watch --once` for cron and CI: everything that fires is listed, and only trouble is an exit code."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from celsched.broker.embedded import EMBEDDED_QUEUE
from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.store import instances
from celsched.store.instances import Instance
from celsched.store.store import open_store
from celsched.store.tables import states
from celsched.store.tables_watch import instances as instance_rows
from tests.support.factories import add_schedule, scope_of
from tests.support.stores import sqlite_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a living daemon and worker, in which only an `ending_soon` fires: information."""
    url = sqlite_url(tmp_path / "store.db")
    (tmp_path / "celsched.toml").write_text(f'database_url = "{url}"\n')
    store = open_store(url)
    now = store.clock.now()
    for kind in ("daemon", "worker"):
        one = Instance(kind, kind, "ماشین", 1, kind, "1", (EMBEDDED_QUEUE,), 1, 0, now, now)
        store.write(lambda tx, one=one: instances.register(tx, one))  # type: ignore[misc]
    add_schedule(scope_of(store), "گزارش", every=timedelta(hours=1), end_at=now + timedelta(days=1))
    store.close()
    return tmp_path


def call(folder: Path, *words: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    cli = CliContext(stdout=out, stderr=err, stdin=io.StringIO(), env={}, cwd=folder)
    code = main(["watch", "--once", *words], cli=cli)
    assert not err.getvalue()
    return code, out.getvalue()


def test_information_is_listed_and_is_no_trouble_unless_asked_for(folder: Path) -> None:
    code, out = call(folder, "-o", "json")
    assert [(alert["kind"], alert["severity"]) for alert in json.loads(out)] == [("ending_soon", "info")]
    assert code == 0
    assert call(folder, "--severity", "info")[0] == 1
    assert call(folder, "--severity", "critical")[0] == 0


def test_a_warning_is_trouble_and_everything_is_listed_whatever_counts(folder: Path) -> None:
    with (folder / "celsched.toml").open("a") as file:
        file.write('[alerts]\nending_soon = {severity = "warning"}\n')
    assert call(folder)[0] == 1
    code, out = call(folder, "--severity", "critical", "-o", "json")
    assert (code, [alert["severity"] for alert in json.loads(out)]) == (0, ["warning"])


def test_what_follows_from_another_alert_is_marked_as_muted_by_it(folder: Path) -> None:
    store = open_store(sqlite_url(folder / "store.db"))
    past = store.clock.now() - timedelta(hours=2)
    store.write(lambda tx: tx.execute(update(states).values(next_fire_time=past, wake_at=past)))
    store.write(lambda tx: tx.execute(delete(instance_rows).where(instance_rows.c.kind == "daemon")))
    store.close()
    code, out = call(folder, "-o", "json")
    muted = {alert["kind"]: alert["muted_by"] for alert in json.loads(out)}
    assert (code, muted["daemon_down"], muted["overdue"]) == (1, None, "daemon_down")


def test_a_store_in_which_nothing_can_happen_is_no_good_news_without_a_word(folder: Path) -> None:
    (folder / "store.db").unlink()
    out, err = io.StringIO(), io.StringIO()
    cli = CliContext(stdout=out, stderr=err, stdin=io.StringIO(), env={}, cwd=folder)
    assert main(["watch", "--once"], cli=cli) == 0
    assert "store.db has no active schedule: nothing will run, and nothing can be missed\n" in err.getvalue()


def test_a_severity_without_once_would_say_nothing_and_is_refused(tmp_path: Path) -> None:
    err = io.StringIO()
    cli = CliContext(stdout=io.StringIO(), stderr=err, stdin=io.StringIO(), env={}, cwd=tmp_path)
    assert main(["watch", "--severity", "critical"], cli=cli) == 2
    assert "--severity is for --once" in err.getvalue()
