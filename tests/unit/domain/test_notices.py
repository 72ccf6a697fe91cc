"""When a message is due and what it holds: each rule by itself, on a planner that looks whenever a test says.

It never sends, and takes no time.
"""

from dataclasses import replace

import pytest

from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.health.kinds import Severity
from celsched.domain.notices import Channel, Reason, group_key
from tests.unit.domain.messages import NOON, Planner, at, fingerprints, make_alert
from tests.unit.domain.test_silencing import make_silence


@pytest.fixture
def planner() -> Planner:
    return Planner()


@pytest.fixture
def told(planner: Planner) -> Planner:
    """One whose channel was told at 12:00:30 that alert 1 fires."""
    assert planner.look(at(seconds=30), make_alert())
    return planner


def test_the_first_firing_is_told_after_the_group_wait_and_only_once(planner: Planner) -> None:
    assert planner.look(at(seconds=29), make_alert()) is None
    notice = planner.look(at(seconds=30), make_alert())
    assert notice is not None
    assert (notice.reason, notice.fresh) == (Reason.FIRING, frozenset({"missed:schedule:1"}))
    assert planner.look(at(seconds=40), make_alert()) is None
    assert planner.look(at(hours=3, minutes=59), make_alert()) is None


def test_what_clears_within_the_wait_is_never_told(planner: Planner) -> None:
    assert planner.look(at(seconds=10), make_alert()) is None
    assert planner.look(at(seconds=40), make_alert(resolved_at=at(seconds=20))) is None
    assert planner.groups == {}


def test_a_pending_alert_is_not_told(planner: Planner) -> None:
    assert planner.look(at(hours=1), make_alert(open=False, opened_at=None)) is None


def test_one_message_tells_of_all_that_open_within_the_wait(planner: Planner) -> None:
    alerts = [make_alert(number, opened_at=at(seconds=number / 2)) for number in range(37)]
    notice = planner.look(at(seconds=30), *alerts)
    assert notice is not None
    assert len(notice.firing) == 37


def test_groups_are_by_kind_and_by_set_label_or_queue(planner: Planner) -> None:
    alerts = [
        make_alert(1, K.LATE_START, queue="reports"),
        make_alert(2, K.LATE_START, queue="reports"),
        make_alert(3, K.LATE_START, queue="mail"),
        make_alert(4, K.LATE_START, queue="mail", labels={"set": "مالی"}),
        make_alert(5, K.LATE_START, queue="reports", labels={"set": "مالی"}),
        make_alert(6, K.MISSED, queue="reports"),
        make_alert(7, K.MISSED, queue="reports", severity=Severity.INFO),
        make_alert(8, K.ENDING_SOON, queue="reports", severity=Severity.INFO),
    ]
    assert group_key(alerts[4]) == "late_start/set=مالی"
    found = {notice.group: len(notice.firing) for notice in planner.look_at_all(at(seconds=30), alerts)}
    assert found == {
        "late_start/queue=reports": 2,
        "late_start/queue=mail": 1,
        "late_start/set=مالی": 2,
        "missed/queue=reports": 1,
        "missed:info/queue=reports": 1,
        "ending_soon/queue=reports": 1,
    }


def test_a_new_member_is_told_after_the_group_interval_with_the_others(told: Planner) -> None:
    second = make_alert(2, opened_at=at(minutes=1))
    assert told.look(at(minutes=5, seconds=29), make_alert(), second) is None
    notice = told.look(at(minutes=5, seconds=30), make_alert(), second)
    assert notice is not None
    assert [alert.id for alert in notice.firing] == [2, 1]
    assert (notice.reason, notice.fresh) == (Reason.FIRING, frozenset({"missed:schedule:2"}))


def test_a_raised_severity_is_told_and_a_lowered_one_is_not(planner: Planner) -> None:
    warning, critical = make_alert(severity=Severity.WARNING), make_alert(severity=Severity.CRITICAL)
    assert planner.look(at(seconds=30), warning)
    assert planner.look(at(minutes=5), critical) is None, "not before the group interval"
    notice = planner.look(at(minutes=6), critical)
    assert notice is not None
    assert (notice.reason, notice.severity) == (Reason.RAISED, Severity.CRITICAL)
    assert planner.look(at(minutes=20), warning) is None
    assert planner.look(at(minutes=30), critical) is None, "it was told of as critical already"


@pytest.mark.parametrize(("severity", "hours"), [(Severity.CRITICAL, 4), (Severity.WARNING, 24)])
def test_what_still_fires_is_repeated(planner: Planner, severity: Severity, hours: int) -> None:
    alert = make_alert(severity=severity)
    assert planner.look(at(seconds=30), alert)
    assert planner.look(at(hours=hours), alert) is None
    notice = planner.look(at(hours=hours, seconds=30), alert)
    assert notice is not None
    assert (notice.reason, notice.fresh) == (Reason.REPEAT, frozenset())
    assert planner.look(at(hours=2 * hours, seconds=29), alert) is None
    assert planner.look(at(hours=2 * hours, seconds=31), alert)


def test_information_never_repeats(planner: Planner) -> None:
    alert = make_alert(1, K.ENDING_SOON)
    assert planner.look(at(seconds=30), alert)
    assert planner.look(at(days=400), alert) is None


def test_an_acknowledged_alert_is_not_repeated_but_its_end_is_told(told: Planner) -> None:
    assert told.look(at(days=9), make_alert(acknowledged=True)) is None
    assert told.look(at(days=9), make_alert(resolved_at=at(days=8), acknowledged=True))


def test_an_acknowledged_alert_is_told_of_where_it_gets_worse(planner: Planner) -> None:
    assert planner.look(at(seconds=30), make_alert(severity=Severity.WARNING))
    assert planner.look(at(hours=1), make_alert(severity=Severity.CRITICAL, acknowledged=True))


def test_the_end_of_all_is_told_once(told: Planner) -> None:
    over = make_alert(resolved_at=at(minutes=3))
    assert told.look(at(minutes=4), over) is None, "not before the group interval"
    notice = told.look(at(minutes=6), over)
    assert notice is not None
    assert (notice.reason, fingerprints(notice.over), list(notice.firing)) == (
        Reason.RESOLVED,
        {"missed:schedule:1"},
        [],
    )
    assert told.look(at(minutes=20), over) is None
    assert told.look(at(days=2)) is None


def test_the_end_of_one_of_several_is_told_only_with_the_next_message(planner: Planner) -> None:
    assert planner.look(at(seconds=30), make_alert(1), make_alert(2))
    over = make_alert(1, resolved_at=at(minutes=3))
    assert planner.look(at(minutes=10), over, make_alert(2)) is None
    notice = planner.look(at(hours=5), over, make_alert(2))
    assert notice is not None
    assert (notice.reason, fingerprints(notice.over)) == (Reason.REPEAT, {"missed:schedule:1"})
    notice = planner.look(at(hours=6), over, make_alert(2, resolved_at=at(hours=5.5)))
    assert notice is not None
    assert fingerprints(notice.over) == {"missed:schedule:2"}


def test_one_that_opens_again_is_news_and_its_former_life_is_not_told_as_over(told: Planner) -> None:
    again = make_alert(9, fingerprint="missed:schedule:1", opened_at=at(minutes=3))
    notice = told.look(at(minutes=6), make_alert(resolved_at=at(minutes=2)), again)
    assert notice is not None
    assert (notice.reason, [alert.id for alert in notice.firing], list(notice.over)) == (Reason.FIRING, [9], [])


def test_a_group_whose_end_was_told_begins_anew(told: Planner) -> None:
    assert told.look(at(minutes=6), make_alert(resolved_at=at(minutes=3)))
    new = make_alert(2, opened_at=at(minutes=7))
    assert told.look(at(minutes=7, seconds=29), new) is None
    assert told.look(at(minutes=7, seconds=30), new)


def test_nothing_is_told_of_what_is_silenced_until_the_silence_ends(planner: Planner) -> None:
    silence = [make_silence()]
    assert planner.look(at(minutes=30), make_alert(), silences=silence) is None
    assert planner.look(at(hours=1), make_alert(), silences=silence)


def test_what_was_told_before_its_silence_is_told_again_after_it(told: Planner) -> None:
    silence = [make_silence(starts_at=at(minutes=1))]
    assert told.look(at(minutes=2), make_alert(), silences=silence) is None
    assert told.look(at(minutes=59), make_alert(), silences=silence) is None
    notice = told.look(at(hours=1), make_alert(), silences=silence)
    assert notice is not None
    assert notice.reason is Reason.FIRING
    assert told.look(at(hours=1, minutes=30), make_alert(), silences=silence) is None


def test_what_ends_while_it_is_silenced_is_told_to_be_over_after_the_silence(told: Planner) -> None:
    over, silence = make_alert(resolved_at=at(minutes=30)), [make_silence()]
    assert told.look(at(minutes=2), make_alert(), silences=silence) is None
    assert told.look(at(minutes=40), over, silences=silence) is None
    notice = told.look(at(hours=1), over, silences=silence)
    assert notice is not None
    assert notice.reason is Reason.RESOLVED


def test_what_is_muted_is_not_told_and_its_end_only_once_nothing_mutes_it(told: Planner) -> None:
    told.channel = Channel("mail", kinds=frozenset({K.MISSED}))
    down = make_alert(5, K.DAEMON_DOWN)
    other = make_alert(2)
    assert told.look(at(hours=9), make_alert(), other, down) is None
    over = make_alert(resolved_at=at(hours=9))
    assert told.look(at(hours=10), over, down) is None
    notice = told.look(at(hours=10), over, replace(down, open=False, resolved_at=at(hours=10)))
    assert notice is not None
    assert notice.reason is Reason.RESOLVED


def test_muted_for_a_while_is_no_news(told: Planner) -> None:
    told.channel = Channel("mail", kinds=frozenset({K.MISSED}))
    assert told.look(at(minutes=10), make_alert(), make_alert(5, K.DAEMON_DOWN)) is None
    assert told.look(at(minutes=20), make_alert()) is None


def test_nothing_is_told_of_single_flips_until_it_is_quiet(told: Planner) -> None:
    again = make_alert(9, fingerprint="missed:schedule:1", opened_at=at(minutes=10), flaps=True)
    assert told.look(at(minutes=20), make_alert(resolved_at=at(minutes=9), flaps=True), again) is None
    assert told.look(at(minutes=20), make_alert(resolved_at=at(minutes=9), flaps=True)) is None
    notice = told.look(at(hours=2), make_alert(resolved_at=at(minutes=9)))
    assert notice is not None
    assert notice.reason is Reason.RESOLVED


@pytest.mark.parametrize(
    ("channel", "wanted"),
    [
        (Channel("c"), True),
        (Channel("c", severities=frozenset({Severity.CRITICAL})), True),
        (Channel("c", severities=frozenset({Severity.WARNING})), False),
        (Channel("c", kinds=frozenset({K.MISSED})), True),
        (Channel("c", kinds=frozenset({K.FAILED})), False),
        (Channel("c", labels={"team": "مالی"}), True),
        (Channel("c", labels={"team": "it"}), False),
    ],
)
def test_a_channel_gets_its_severities_kinds_and_labels(channel: Channel, wanted: bool) -> None:
    notice = Planner(channel).look(at(minutes=1), make_alert(labels={"team": "مالی"}))
    assert (notice is not None) is wanted


def test_a_channel_is_told_of_the_end_although_it_gets_only_worse_ones(planner: Planner) -> None:
    planner.channel = Channel("pager", severities=frozenset({Severity.CRITICAL}))
    assert planner.look(at(minutes=1), make_alert(severity=Severity.CRITICAL))
    assert planner.look(at(minutes=9), make_alert(severity=Severity.WARNING, resolved_at=at(minutes=8)))


def test_a_failing_channel_is_told_of_by_another_one(planner: Planner) -> None:
    failing = make_alert(1, K.CHANNEL_FAILING, subject="mail")
    assert planner.look(at(minutes=1), failing) is None
    assert Planner(Channel("pager")).look(at(minutes=1), failing)


def test_what_still_fires_is_repeated_although_the_clock_was_set_back_by_years(planner: Planner) -> None:
    alert = make_alert()
    assert planner.look(at(days=3650), alert)
    assert planner.look(at(hours=1), alert) is None, "it was told"
    assert planner.look(at(hours=2), alert) is None
    notice = planner.look(at(hours=5), alert)
    assert notice is not None
    assert notice.reason is Reason.REPEAT


def test_nothing_but_a_repeat_waits_for_a_clock_that_was_set_back(told: Planner) -> None:
    assert told.look(at(hours=-1), make_alert()) is None
    notice = told.look(at(hours=-1), make_alert(), make_alert(2, opened_at=at(hours=-1)))
    assert notice is not None
    assert notice.fresh == {"missed:schedule:2"}
    assert told.look(at(hours=-1), make_alert(), make_alert(2), make_alert(3)) is None, "the interval counts from there"
    other = Planner()
    assert other.look(at(hours=-1), make_alert()) is not None, "it opened before the clock was set back"
    assert other.look(at(hours=-2), make_alert(resolved_at=at(hours=-2))) is not None


def test_each_message_has_an_incident_of_its_own(told: Planner) -> None:
    told.look(at(minutes=6), make_alert(resolved_at=at(minutes=3)))
    told.look(at(minutes=20), make_alert(2, opened_at=at(minutes=10)))
    incidents = [notice.incident for _, notice in told.notices]
    assert len(incidents) == len(set(incidents)) == 3


def test_a_channel_that_forgets_is_told_at_once_and_again_and_of_each_end() -> None:
    planner = Planner(Channel("am", pushes=True))
    late, missed = make_alert(1, K.LATE_START, queue="q"), make_alert(2)
    notice = planner.look(NOON, late, missed)
    assert notice is not None
    assert {alert.id for alert in notice.firing} == {1, 2}
    assert planner.look(at(seconds=59), late, missed) is None
    assert planner.look(at(seconds=60), late, missed)
    notice = planner.look(at(seconds=70), replace(late, open=False, resolved_at=at(seconds=65)), missed)
    assert notice is not None
    assert ({alert.id for alert in notice.firing}, {alert.id for alert in notice.over}) == ({2}, {1})
    assert planner.look(at(seconds=80), missed, silences=[make_silence()]) is None
    assert planner.look(at(minutes=9)) is None
