"""Owns short names for tests of the planner: instants, subjects, a rule that counts its calls. It never plans."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from celsched.domain.plan import Plan, Skip, Subject
from celsched.domain.policy import Misfire, Overlap
from celsched.timing.interval import Interval
from celsched.timing.rule import Rule

BASE = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(hours: float) -> datetime:
    """Return the instant so many hours after BASE."""
    return BASE + timedelta(hours=hours)


_HOURLY = Subject(
    name="ساعتی",
    rule=Interval(HOUR, BASE),
    misfire=Misfire.RUN_LATEST,
    misfire_after=MINUTE,
    catch_up_window=DAY,
    overlap=Overlap.SKIP,
    jitter=timedelta(0),
    start_at=None,
    end_at=None,
    max_runs=None,
)


def hourly(
    *,
    rule: Rule = _HOURLY.rule,
    misfire: Misfire = _HOURLY.misfire,
    misfire_after: timedelta = _HOURLY.misfire_after,
    catch_up_window: timedelta = _HOURLY.catch_up_window,
    overlap: Overlap = _HOURLY.overlap,
    jitter: timedelta = _HOURLY.jitter,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    max_runs: int | None = None,
) -> Subject:
    """Return a subject that fires at every full hour from BASE on, built-in policies, changed as said."""
    return replace(
        _HOURLY,
        rule=rule,
        misfire=misfire,
        misfire_after=misfire_after,
        catch_up_window=catch_up_window,
        overlap=overlap,
        jitter=jitter,
        start_at=start_at,
        end_at=end_at,
        max_runs=max_runs,
    )


def fires(plan: Plan) -> list[datetime]:
    """Return the fire times that become executions."""
    return [fire.fire_time for fire in plan.fires]


def hours(plan: Plan) -> list[float]:
    """Return the fire times that become executions, in hours after BASE."""
    return [(fire.fire_time - BASE) / HOUR for fire in plan.fires]


def skips(plan: Plan) -> list[tuple[float, float, int, str]]:
    """Return the skips as (first hour, last hour, count, reason)."""
    return [shown(skip) for skip in plan.skips]


def shown(skip: Skip) -> tuple[float, float, int, str]:
    """Return one skip as (first hour, last hour, count, reason)."""
    return (skip.first - BASE) / HOUR, (skip.last - BASE) / HOUR, skip.count, skip.reason.value


def accounted(rule: Rule, plan: Plan) -> list[datetime]:
    """Return every fire time that a plan accounts for, with repetitions, in order."""
    found = fires(plan)
    for skip in plan.skips:
        inside = rule.latest(skip.last, skip.first - timedelta(microseconds=1), 10**6)
        assert (len(inside), inside[0], inside[-1]) == (skip.count, skip.first, skip.last)
        found += inside
    return sorted(found)


@dataclass
class CountingRule:
    """Passes everything on to `rule`, and counts how often it was asked."""

    rule: Rule
    calls: dict[str, int] = field(default_factory=dict)

    def _count(self, name: str) -> Rule:
        self.calls[name] = self.calls.get(name, 0) + 1
        return self.rule

    @property
    def total(self) -> int:
        """All calls so far."""
        return sum(self.calls.values())

    def next_after(self, instant: datetime) -> datetime | None:
        return self._count("next_after").next_after(instant)

    def describe(self) -> str:
        return self._count("describe").describe()

    def count(self, after: datetime, until: datetime) -> int:
        return self._count("count").count(after, until)

    def latest(self, until: datetime, after: datetime, limit: int) -> list[datetime]:
        return self._count("latest").latest(until, after, limit)

    def shortest_period(self) -> timedelta | None:
        return self._count("shortest_period").shortest_period()

    def clock_note(self, fire_time: datetime) -> str | None:
        return self._count("clock_note").clock_note(fire_time)
