"""What no message is sent about: silences by their matchers and times, muting kinds, pauses. Nothing is sent here."""

from datetime import timedelta

import pytest

from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.silencing import Hushing, Matchers, Silence, decode_matchers, encode_matchers
from tests.unit.domain.messages import NOON, at, make_alert


def make_silence(number: int = 1, **values: object) -> Silence:
    """Return a silence of one hour from noon on, of everything unless matchers are given."""
    given = {"matchers": Matchers(), "starts_at": NOON, "ends_at": at(hours=1)} | values
    return Silence(id=number, author="سارا", host="laptop", reason="move", created_at=NOON, **given)  # type: ignore[arg-type]


ALERT = make_alert(1, K.LATE_START, queue="reports", labels={"team": "مالی", "set": "a"})


@pytest.mark.parametrize(
    ("matchers", "fits"),
    [
        (Matchers(), True),
        (Matchers(kinds=frozenset({K.MISSED, K.LATE_START})), True),
        (Matchers(kinds=frozenset({K.MISSED})), False),
        (Matchers(subject="شب*"), True),
        (Matchers(subject="شب1"), True),
        (Matchers(subject="روز*"), False),
        (Matchers(queue="reports"), True),
        (Matchers(queue="report"), False),
        (Matchers(labels={"team": "مالی"}), True),
        (Matchers(labels={"team": "مالی", "set": "b"}), False),
        (Matchers(labels={"other": ""}), False),
        (Matchers(frozenset({K.LATE_START}), "شب?", "reports", {"set": "a"}), True),
        (Matchers(frozenset({K.LATE_START}), "شب?", "mail", {"set": "a"}), False),
    ],
)
def test_every_matcher_that_says_something_must_fit(matchers: Matchers, fits: bool) -> None:
    assert matchers.fit(ALERT) is fits
    assert decode_matchers(encode_matchers(matchers)) == matchers


@pytest.mark.parametrize(("pattern", "fits"), [("backup [db1]", True), ("backup [db?]", True), ("backup [[]*", False)])
def test_brackets_of_a_name_are_brackets(pattern: str, fits: bool) -> None:
    assert Matchers(subject=pattern).fit(make_alert(1, subject="backup [db1]")) is fits


def test_matchers_know_whether_they_say_anything() -> None:
    assert Matchers().empty
    assert not Matchers(subject="x").empty
    assert decode_matchers({"kinds": ["no_such_kind_any_more", "missed"]}).kinds == {K.MISSED}


def test_a_silence_of_kinds_that_only_another_version_knows_fits_nothing_here() -> None:
    matchers = decode_matchers({"kinds": ["no_such_kind_yet"]})
    assert (matchers.fit(ALERT), matchers.empty) == (False, False)
    assert encode_matchers(matchers) == {"kinds": ["no_such_kind_yet"]}, "nor is it made another one"


@pytest.mark.parametrize(("after", "silenced"), [(-1, False), (0, True), (3599, True), (3600, False)])
def test_a_silence_is_in_force_from_its_start_up_to_its_end(after: float, silenced: bool) -> None:
    hush = Hushing([make_silence()], [ALERT], NOON + timedelta(seconds=after)).of(ALERT)
    assert bool(hush) is silenced
    assert hush.silence == (1 if silenced else None)


def test_of_several_silences_the_one_that_ends_last_is_named() -> None:
    silences = [make_silence(1), make_silence(2, ends_at=at(hours=3)), make_silence(3, ends_at=at(hours=2))]
    assert Hushing(silences, [], at(minutes=1)).of(ALERT).silence == 2


@pytest.mark.parametrize(
    ("muter", "queue", "muted"),
    [
        (K.DAEMON_DOWN, None, True),
        (K.NO_WORKER, "reports", True),
        (K.NO_WORKER, "mail", False),
        (K.BROKER_DOWN, None, True),
        (K.CLOCK_JUMP, None, False),
    ],
)
def test_an_alert_mutes_the_kinds_it_speaks_for_on_its_queue(muter: K, queue: str | None, muted: bool) -> None:
    other = make_alert(2, muter, queue=queue)
    assert Hushing([], [ALERT, other], NOON).of(ALERT).muted_by == (muter.value if muted else None)
    assert not Hushing([], [ALERT, other], NOON).of(other)


def test_what_piles_up_before_a_queue_without_workers_is_not_told() -> None:
    skips = make_alert(1, K.OVERLAP_SKIPS, queue="reports")
    assert Hushing([], [skips, make_alert(2, K.NO_WORKER, queue="reports")], NOON).of(skips).muted_by == "no_worker"


def test_a_pause_that_nobody_ended_is_not_told_while_no_daemon_runs() -> None:
    pause = make_alert(1, K.PAUSED_TOO_LONG, paused=True)
    assert Hushing([], [pause, make_alert(2, K.DAEMON_DOWN)], NOON).of(pause).muted_by == "daemon_down"


def test_only_an_open_alert_mutes_and_never_itself() -> None:
    resolved = make_alert(2, K.DAEMON_DOWN, resolved_at=NOON)
    pending = make_alert(3, K.DAEMON_DOWN, open=False, opened_at=None)
    assert not Hushing([], [resolved, pending, ALERT], NOON).of(ALERT)


def test_alerts_without_a_queue_are_not_muted_by_one_that_has_a_queue() -> None:
    assert not Hushing([], [make_alert(2, K.NO_WORKER, queue="mail")], NOON).of(make_alert(1, K.NEVER_RAN))


@pytest.mark.parametrize(
    ("kind", "muted"),
    [
        (K.MISSED, True),
        (K.AUTO_PAUSED, False),
        (K.PAUSED_TOO_LONG, False),
        (K.TOO_LONG, False),
        (K.STUCK_NO_HEARTBEAT, False),
    ],
)
def test_a_paused_schedule_tells_only_of_its_pause_and_of_what_still_runs(kind: K, muted: bool) -> None:
    hush = Hushing([], [], NOON).of(make_alert(1, kind, paused=True))
    assert hush.muted_by == ("paused" if muted else None)
