"""The alerts of the live view: what is wrong is read to its end, at every size, however many there are."""

from dataclasses import replace

import pytest
from rich.cells import cell_len

from celsched.cli.top_layout import Wish, share_out
from celsched.cli.top_view import Pane, View, press
from celsched.cli.wrapping import at_most, squeezed, wrapped
from celsched.domain.health.kinds import Severity
from celsched.operations.live import Snapshot
from celsched.store.live import Firing
from tests.unit.cli.test_top import NOW, SECOND, SNAPSHOT, drawn

NAME = "گزارش شبانه‌ی فروش همه‌ی شعبه‌های استان تهران"
REASON = "HTTPSConnectionPool(host='api.bank.example.ir', port=443): Max retries exceeded: Connection refused"


def firing(number: int, kind: str, text: str, *, acknowledged: bool = False, quiet: bool = False) -> Firing:
    """Return an alert about `NAME`, which stands in its text as `{}`."""
    summary = text.replace("{}", f'"{NAME} {number}"')
    opened = NOW - 60 * SECOND
    return Firing(number, kind, Severity.CRITICAL, f"{NAME} {number}", summary, opened, acknowledged, quiet)


def with_alerts(*alerts: Firing, total: int = 0, kinds: dict[str, int] | None = None) -> Snapshot:
    return replace(SNAPSHOT, alerts=alerts, alerts_total=total or len(alerts), alert_kinds=kinds or {})


def words(text: str) -> str:
    """Return what is drawn from the alerts on, as one line."""
    return " ".join(text[text.index("ALERTS ") :].split())


FAILED = firing(41, "failed", f"execution 7 of {{}} failed: ConnectionError: {REASON}")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_an_alert_is_read_to_its_last_word(width: int, height: int) -> None:
    text = words(drawn(View(), width, height, snapshot=with_alerts(FAILED)))
    beside = text.replace("1m00 ", "").split("ENDED")[0] if width < 120 else text
    for word in ("failed:", "Max", "exceeded:", "Connection", "refused"):
        assert word in beside
    assert f'"{NAME} 41"' in beside or width >= 120


def test_many_alerts_are_each_read_to_the_end_with_a_shortened_name() -> None:
    alerts = [firing(number, "no_recent_success", "{} has not succeeded for 5 min") for number in range(10, 50)]
    kinds = {"no_recent_success": 40, "failed": 3}
    lines = drawn(View(), 80, 24, snapshot=with_alerts(*alerts, total=43, kinds=kinds)).splitlines()
    shown = [one for one in lines if "no_recent_success: " in one]
    assert len(shown) >= 6
    assert all("has not succeeded for 5 min" in one for one in shown)
    # Names often differ only at their ends.
    assert len({one.split('"')[1] for one in shown}) == len(shown)
    assert all(one.split('"')[1].endswith(f" {10 + at}") for at, one in enumerate(shown))
    more, left = 43 - len(shown), 40 - len(shown)
    assert f"ALERTS 43 {more} more: {left} no_recent_success, 3 failed" in "\n".join(lines)


def test_a_few_alerts_are_all_in_sight_and_the_longest_gets_the_lines_that_are_left() -> None:
    alerts = [firing(1, "failure_rate", "5 of the last 5 executions of {} failed"), FAILED]
    alerts += [firing(n, "consecutive_failures", "{} failed 8 times in a row") for n in range(2, 5)]
    text = words(drawn(View(), 80, 24, snapshot=with_alerts(*alerts)))
    assert text.count("failed 8 times in a row") == 3
    assert "5 of the last 5 executions of" in text
    assert REASON.split()[0] in text
    assert " more" not in text.split("ENDED")[0]


def test_what_somebody_looks_at_or_nobody_is_told_of_is_marked_without_colours_too() -> None:
    seen, quiet = firing(1, "failed", "x", acknowledged=True), firing(2, "timeout", "y", quiet=True)
    text = words(drawn(View(), 80, 24, snapshot=with_alerts(seen, quiet)))
    assert "failed (acknowledged): x" in text
    assert "timeout (quiet): y" in text


def test_whoever_selects_the_alerts_gets_more_of_them_and_each_in_full() -> None:
    found = with_alerts(*(firing(n, "failed", f"execution {n} of {{}} failed: {REASON}") for n in range(10, 50)))
    view = press(press(View(), "tab", found)[0], "tab", found)[0]
    assert view.pane is Pane.ALERTS
    usual, more = drawn(View(), 80, 24, snapshot=found), drawn(view, 80, 24, snapshot=found)
    place = "ENDED"
    assert more[: more.index(place)].count("\n") - more[: more.index("ALERTS")].count("\n") > (
        usual[: usual.index(place)].count("\n") - usual[: usual.index("ALERTS")].count("\n")
    )
    for _ in range(60):
        view, asked = press(view, "down", found)
        assert asked is None
    assert view.alert == 49
    last = words(drawn(view, 80, 24, snapshot=found)).split("ENDED")[0]
    assert f'execution 49 of "{NAME} 49" failed' in last.replace(" 1m00", "")
    assert "Connection refused" in last
    assert "select an execution first" in press(view, "c", found)[0].message


def test_a_stored_text_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in drawn(View(), 80, 24, snapshot=with_alerts(firing(1, "failed", "a\x1b[2J\n" + "b" * 400)))


def test_lines_are_broken_by_cells_and_long_words_are_cut() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("日本語日本語", 4) == ["日本", "語日", "本語"]
    assert wrapped("a " + "b" * 9, 4) == ["a", "bbbb", "bbbb", "b"]
    assert wrapped("", 4) == [""]
    assert max(map(cell_len, wrapped(NAME, 10))) <= 10
    assert at_most("one two three", 7, 2) == "one two\nthree"
    assert at_most("one two three four", 7, 2) == "one two\nthree …"
    assert at_most("日本語日本語日本語", 4, 2) == "日本\n語 …"
    assert squeezed("nightly backup 17", 12) == "nightly…p 17"
    assert squeezed("short", 12) == "short"
    assert cell_len(squeezed("日本語" * 9, 11)) <= 11


def test_lines_are_shared_out_by_what_is_needed_then_wanted_then_left() -> None:
    assert share_out(10, [Wish(2, 3), Wish(2, 9)], rest=0) == [3, 7]
    assert share_out(9, [Wish(1, 9, 1), Wish(1, 9, 3)], rest=0) == [2, 7]
    assert share_out(20, [Wish(2, 3), Wish(2, 4)], rest=0) == [16, 4]
    assert share_out(3, [Wish(2, 3), Wish(2, 4)], rest=0) == [2, 1]
