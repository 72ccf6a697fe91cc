"""What holds for every plan whatever the policies: each fire time is accounted for once, by two plans as by one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.domain.execution import Reason
from celsched.domain.plan import Active, Plan, Subject, plan
from celsched.domain.policy import Misfire, Overlap
from celsched.timing.cron import cron
from celsched.timing.interval import Interval
from celsched.timing.once import Once
from celsched.timing.rule import Rule
from tests.unit.domain.planning import BASE, DAY, accounted, hourly

TICK = timedelta(microseconds=1)
SPAN = 4 * 86400
_instants = st.integers(0, SPAN * 10).map(lambda tenths: BASE + timedelta(seconds=tenths / 10))
_lengths = st.integers(1, SPAN).map(lambda seconds: timedelta(seconds=seconds))
_rules: st.SearchStrategy[Rule] = st.one_of(
    st.builds(
        lambda every, base: Interval(timedelta(seconds=every), base),
        st.sampled_from([7, 60, 600, 3600, 90_000]),
        _instants,
    ),
    st.sampled_from(["*/7 * * * *", "0 2 * * *", "30 0-6/2 * * 1-5", "5 4 1 * *"]).map(lambda text: cron(text, "UTC")),
    _instants.map(Once),
)
_active = st.builds(
    Active, open=st.integers(0, 2), claimed=st.integers(0, 1), chain=st.integers(0, 2), waiting=st.integers(0, 2)
)


@st.composite
def _subjects(draw: Callable[[st.SearchStrategy[object]], object]) -> Subject:
    def pick(strategy: st.SearchStrategy[object]) -> object:
        return draw(strategy)

    made: dict[str, object] = {
        "rule": pick(_rules),
        "misfire": pick(st.sampled_from(Misfire)),
        "overlap": pick(st.sampled_from(Overlap)),
        "misfire_after": pick(_lengths),
        "catch_up_window": pick(_lengths),
        "start_at": pick(st.none() | _instants),
        "end_at": pick(st.none() | _instants),
    }
    return hourly(**made)  # type: ignore[arg-type]


def _within(subject: Subject, cursor: datetime, now: datetime) -> list[datetime]:
    """Return every fire time of the rule in (cursor, now] that start and end allow, by walking the rule."""
    lower = max(cursor, subject.start_at - TICK) if subject.start_at else cursor
    upper = min(now, subject.end_at) if subject.end_at else now
    found, step = [], subject.rule.next_after(lower)
    while step is not None and step <= upper:
        found.append(step)
        step = subject.rule.next_after(step)
    return found


def _whole(subject: Subject, cursor: datetime, now: datetime, active: Active) -> list[Plan]:
    """Plan again and again until nothing is left."""
    plans = [plan(subject, cursor, 0, now, active)]
    while plans[-1].cursor < now:
        plans.append(plan(subject, plans[-1].cursor, 0, now, active))
    return plans


def _all(subject: Subject, plans: list[Plan]) -> list[datetime]:
    return sorted(instant for one in plans for instant in accounted(subject.rule, one))


@given(_subjects(), _instants, _instants, _active)
@settings(max_examples=150)
def test_every_fire_time_is_accounted_for_exactly_once(
    subject: Subject, cursor: datetime, now: datetime, active: Active
) -> None:
    plans = _whole(subject, cursor, now, active)

    assert _all(subject, plans) == _within(subject, cursor, now)
    assert plans[-1].cursor == max(cursor, now)
    coming = plans[-1].next_fire_time
    assert coming is None or coming > now


@given(_subjects(), _instants, _instants, _instants, _active)
@settings(max_examples=100)
def test_two_steps_account_for_the_same_as_one(
    subject: Subject, one: datetime, two: datetime, three: datetime, active: Active
) -> None:
    cursor, middle, now = sorted((one, two, three))

    steps = [*_whole(subject, cursor, middle, active), *_whole(subject, middle, now, active)]

    assert _all(subject, steps) == _all(subject, _whole(subject, cursor, now, active))


@given(_subjects(), _instants, _instants, _active, st.none() | st.integers(1, 5), st.integers(0, 6))
@settings(max_examples=150)
def test_a_plan_is_a_function_of_its_input_and_never_goes_back(
    subject: Subject, cursor: datetime, now: datetime, active: Active, max_runs: int | None, runs: int
) -> None:
    limited = hourly(
        rule=subject.rule, misfire=subject.misfire, overlap=subject.overlap, start_at=subject.start_at,
        end_at=subject.end_at, catch_up_window=2 * DAY, max_runs=max_runs,
    )  # fmt: skip

    made = plan(limited, cursor, runs, now, active)

    assert made == plan(limited, cursor, runs, now, active)
    assert made.cursor >= cursor
    assert all(fire.fire_time <= now and fire.due_at >= fire.fire_time for fire in made.fires)
    assert [fire.fire_time for fire in made.fires] == sorted(fire.fire_time for fire in made.fires)
    assert all(skip.last <= now and skip.reason is not Reason.PAUSED for skip in made.skips)
    if max_runs is not None:
        assert len(made.fires) <= max(0, max_runs - runs)


@given(_subjects(), _instants, _instants, _active)
@settings(max_examples=100)
def test_ranges_overlap_neither_each_other_nor_a_fire(
    subject: Subject, cursor: datetime, now: datetime, active: Active
) -> None:
    made = plan(subject, cursor, 0, now, active)

    spans = sorted(
        [(skip.first, skip.last) for skip in made.skips] + [(fire.fire_time, fire.fire_time) for fire in made.fires]
    )
    assert all(before[1] < after[0] for before, after in pairwise(spans))
