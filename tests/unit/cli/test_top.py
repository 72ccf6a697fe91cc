"""The live view without a terminal: frames of a fixed size from a built snapshot, keys from bytes, what keys do."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from celsched.cli.top_cells import Cell, bar, line, window
from celsched.cli.top_feed import Feed
from celsched.cli.top_frame import Screen, frame
from celsched.cli.top_keys import Keys
from celsched.cli.top_panes import short
from celsched.cli.top_view import Ask, Mode, Pane, View, Wish, press
from celsched.domain.health.kinds import Severity
from celsched.errors import StoreUnreachable
from celsched.operations.browse import Life, ListedInstance
from celsched.operations.live import Lens, Outcome, Queue, Running, Snapshot
from celsched.operations.scope import Scope
from celsched.store.instances import Instance
from celsched.store.live import Coming, Firing
from tests.unit.cli.conftest import Call

NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NAME = "پاکسازی فایل‌های موقت"


def instance(name: str, kind: str, life: Life = Life.ALIVE) -> ListedInstance:
    row = Instance(name, kind, "host", 1, name, "0", (), 4, 2, NOW, NOW - 3 * SECOND)
    return ListedInstance(row, life)


def coming(name: str, after: timedelta | None = 5 * SECOND, *, paused: bool = False) -> Coming:
    return Coming(1, name, None if after is None else NOW + after, paused, 3, 0, "ssfo", False)


_PAUSED = coming(NAME, None, paused=True)
SNAPSHOT = Snapshot(
    NOW,
    instances=[instance("daemon@host", "daemon"), instance("worker@host", "worker", Life.SILENT)],
    queues=[Queue("reports", 12, 90 * SECOND, 0)],
    running=[
        Running(7, NAME, 30 * SECOND, 0.5, 30 * SECOND, True, "host", "نیمه", False),
        Running(8, "guess", 30 * SECOND, 1.0, -5 * SECOND, False, "host", None, True),
    ],
    running_total=2,
    schedules=[*(coming(f"schedule {number:02}", number * SECOND) for number in range(40)), _PAUSED],
    alerts=[Firing(3, "missed", Severity.CRITICAL, NAME, f"'{NAME}' missed 02:00", NOW - 60 * SECOND, False, False)],
    alerts_total=1,
    outcomes=[Outcome(6, NAME, "skipped", "overlap", NOW - SECOND, None, 12)],
)  # fmt: skip


def drawn(view: View, width: int, height: int, fault: str | None = None, snapshot: Snapshot | None = SNAPSHOT) -> str:
    lines = frame(snapshot, view, Screen(width, height, "UTC", fault))
    assert len(lines) == height
    assert {one.cell_len for one in lines} == {width}
    return "\n".join(one.plain for one in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 50), (60, 12), (200, 13), (61, 60)])
def test_a_frame_fills_its_screen_exactly_and_holds_every_pane(width: int, height: int) -> None:
    calm = replace(SNAPSHOT, alerts=[], alerts_total=0)
    for text, count in ((drawn(View(), width, height), 1), (drawn(View(), width, height, snapshot=calm), 0)):
        for title in ("RUNNING 2", "NEXT", f"ALERTS {count}", "ENDED"):
            assert title in text
        # Where something is wrong on a tiny screen, the line at the top has to do for these two.
        assert ("INSTANCES 2" in text, "QUEUES" in text) == (
            (True, True) if (height, count) != (12, 1) else (False,) * 2
        )


def test_a_frame_of_80x24_says_what_matters() -> None:
    text = drawn(View(), 80, 24)
    assert "1 daemon, 0 workers, 0 watchers, 1 silent; 2 running, 12 due, 1 alert" in text
    assert f"7 {NAME}: نیمه" in text
    assert "██████······" in text
    assert "▒" * 12 in text
    assert "+5s" in text
    assert "-5s" not in text
    assert "stopping" in text
    assert "12 skipped" in text
    assert "in 5s      schedule 05" in text


def test_a_large_screen_shows_more() -> None:
    assert drawn(View(), 140, 50).count("schedule ") > drawn(View(), 80, 24).count("schedule ")


def test_a_tiny_screen_says_so_and_does_not_fail() -> None:
    assert "too small" in drawn(View(), 20, 5)
    assert len(frame(SNAPSHOT, View(), Screen(1, 1, "UTC"))) == 1


def test_an_outage_is_a_line_and_the_last_look_stays() -> None:
    text = drawn(View(), 80, 24, "the store was not read: it does not answer")
    assert "the store was not read" in text
    assert "schedule 05" in text
    assert "the store was not read" in drawn(View(), 80, 24, "the store was not read", None)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12)])
def test_the_reason_of_an_outage_is_read_to_its_end(width: int, height: int) -> None:
    reason = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: Connection refused'
    drawn_lines = drawn(View(), width, height, f"the store was not read: {reason}").splitlines()
    assert reason in " ".join(one.strip() for one in drawn_lines[1:4])
    assert len([one for one in drawn(View(), width, height, "x" * 5000).splitlines() if "x" * 20 in one]) <= 3


class _Away:
    """A lens that finds the store away."""

    def take(self, name: str = "") -> Snapshot:
        address = "postgresql+psycopg://celsched:***@a-host-with-a-long-name.example.org:5432/celsched"
        raise StoreUnreachable(f"the store {address} does not answer: refused", reason="refused")


def test_an_outage_tells_the_reason_and_not_the_address_before_it() -> None:
    rung = threading.Event()
    with Feed(cast(Scope, None), cast(Lens, _Away()), rung.set, 60.0) as feed:
        assert rung.wait(20)
        assert feed.seen.fault == "the store was not read: refused"


def test_a_stored_text_cannot_steer_the_terminal() -> None:
    bad = replace(SNAPSHOT, outcomes=[Outcome(1, "x\x1b[2J\ny", "failed", None, NOW, None, 1)])
    assert "\x1b" not in drawn(View(), 80, 24, snapshot=bad)


def test_a_filter_hides_rows_but_never_that_something_is_wrong() -> None:
    hiding = replace(
        SNAPSHOT, running=[], running_total=0, running_hidden=2, alerts=[], alerts_total=0, alerts_hidden=5
    )
    text = drawn(View(filter="گزارش"), 80, 24, snapshot=hiding)
    assert "2 running, 12 due, 5 alerts" in text
    assert "ALERTS 0 of 5" in text
    assert "the filter hides 5 alerts" in text
    assert "RUNNING 0 of 2" in text
    assert "nothing is wrong" not in text
    assert "nothing is wrong" in drawn(View(), 80, 24, snapshot=replace(hiding, alerts_hidden=0))


def test_a_list_of_nothing_says_so() -> None:
    nothing = replace(SNAPSHOT, schedules=[], queues=[], instances=[])
    text = drawn(View(), 80, 24, snapshot=nothing)
    for words in ("no schedules", "nothing waits", "nothing of celsched runs"):
        assert words in text
    assert "no schedule has that in its name" in drawn(View(filter="x"), 80, 24, snapshot=nothing)


def test_ages_do_not_flicker_and_instances_keep_their_places() -> None:
    fresh = replace(
        SNAPSHOT, schedules=[coming("soon", SECOND / 3), coming("late", -SECOND / 3), coming("old", -SECOND)]
    )
    text = drawn(View(), 80, 24, snapshot=fresh)
    assert "now        soon" in text
    assert "now        late" in text
    assert "due 1s     old" in text
    turned = replace(SNAPSHOT, instances=SNAPSHOT.instances[::-1])
    assert drawn(View(), 80, 24, snapshot=turned) == drawn(View(), 80, 24)
    assert text.index("worker@host") < text.index("daemon@host"), "a silent one comes first"


def test_what_ended_after_the_clock_was_asked_is_new() -> None:
    late = replace(SNAPSHOT, outcomes=[Outcome(1, "x", "failed", None, NOW + SECOND, None, 1)])
    assert "-1s" not in drawn(View(), 80, 24, snapshot=late)


def test_the_selected_row_stays_in_sight() -> None:
    view = View()
    for _ in range(60):
        view, _ = press(view, "down", SNAPSHOT)
    assert view.schedule == NAME
    assert NAME in drawn(view, 80, 24).split("NEXT")[1].split("ALERTS")[0]
    view, _ = press(view, "home", SNAPSHOT)
    assert view.schedule == "schedule 00"


def test_a_selection_moves_with_its_schedule_and_falls_to_the_first_where_it_is_gone() -> None:
    view = View(schedule="schedule 03")
    assert view.place(SNAPSHOT, Pane.SCHEDULES) == 3
    assert view.place(replace(SNAPSHOT, schedules=SNAPSHOT.schedules[2:]), Pane.SCHEDULES) == 1
    assert view.place(replace(SNAPSHOT, schedules=SNAPSHOT.schedules[:2]), Pane.SCHEDULES) == 0
    assert view.place(replace(SNAPSHOT, schedules=[]), Pane.SCHEDULES) is None


def test_p_pauses_what_is_active_and_resumes_what_is_paused() -> None:
    assert press(View(schedule="schedule 01"), "p", SNAPSHOT)[1] == Ask(Wish.PAUSE, "schedule 01")
    assert press(View(schedule=NAME), "p", SNAPSHOT)[1] == Ask(Wish.RESUME, NAME)
    view, asked = press(View(pane=Pane.RUNNING), "p", SNAPSHOT)
    assert (asked, view.message) == (None, "select a schedule first (Tab)")


def test_c_asks_before_it_cancels() -> None:
    view, _ = press(press(View(), "tab", SNAPSHOT)[0], "c", SNAPSHOT)
    assert view.mode is Mode.CONFIRM
    assert f"cancel execution 7 of '{NAME}'? y/n" in drawn(view, 80, 24)
    assert press(view, "n", SNAPSHOT)[1] is None
    # What is asked for is what was shown, also where the list has moved on meanwhile.
    assert press(view, "y", replace(SNAPSHOT, running=SNAPSHOT.running[1:]))[1] == Ask(Wish.CANCEL, 7)


def test_a_filter_is_typed_in_any_script_and_q_is_a_letter_of_it() -> None:
    view = View()
    for key in ["/", *"فایq", "backspace", "enter"]:
        view, _ = press(view, key, SNAPSHOT)
    assert (view.filter, view.mode, view.over) == ("فای", Mode.WATCH, False)
    assert press(view, "escape", SNAPSHOT)[0].filter == ""
    assert press(view, "q", SNAPSHOT)[0].over


def test_pace_help_and_keys_that_mean_nothing() -> None:
    view, _ = press(View(), "s", SNAPSHOT)
    assert (view.pace, view.message) == (2.0, "every 2 s")
    assert "pause or resume" in drawn(press(view, "?", SNAPSHOT)[0], 80, 24)
    assert press(View(), "x", SNAPSHOT) == (View(), None)


def test_keys_come_out_of_bytes_even_where_they_are_cut() -> None:
    keys = Keys()
    assert keys.feed(b"\x1b[A\x1bOBj\x1b[5~\x1b[15~\r\t\x7f") == [
        "up", "down", "j", "page up", "enter", "tab", "backspace"
    ]  # fmt: skip
    first, rest = "ی".encode()[:1], "ی".encode()[1:]
    assert keys.feed(first) == []
    assert keys.feed(rest + "\u200c".encode() + b"\x1b") == ["ی", "\u200c", "escape"]


def test_cells_are_counted_not_characters() -> None:
    assert line(10, Cell("日本語日本語")).plain == "日本語日 …"
    assert line(10, Cell(NAME)).cell_len == 10
    assert line(12, Cell("a", 5, right=True), Cell("b")).plain == "    a b     "
    assert [bar(share, 4, reported=True) for share in (None, 0, 0.5, 1)] == ["····", "····", "██··", "████"]
    assert window(5, 4, 2) == range(3, 5)
    assert window(5, None, 9) == range(5)


def test_lengths_fit_into_five_cells() -> None:
    seconds = (0.0005, 0.5, 59.7, 60, 3599, 3600, 86_399, 86_400, 86_400 * 999)
    assert [short(timedelta(seconds=one)) for one in seconds] == [
        "0ms", "500ms", "59s", "1m00", "59m59", "1h00", "23h59", "1d", "999d"
    ]  # fmt: skip


def test_without_a_terminal_it_says_what_to_do_instead(call: Call) -> None:
    result = call("top")
    assert result.code == 2
    assert "needs a terminal" in result.err
    assert "--once" in result.err
