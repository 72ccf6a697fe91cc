"""Whatever happens to alerts, no message is sent without cause and none that has one is left out.

The judge here keeps a record of its own; it never reads the planner's groups.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.health.kinds import Severity
from celsched.domain.notice_text import details_of, text_of
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Notice
from celsched.domain.silencing import Matchers, Silence
from tests.unit.domain.messages import NOON, Planner, make_alert

_STEP = timedelta(seconds=20)
_KINDS = (K.MISSED, K.NO_NEXT, K.DAEMON_DOWN)
_LENGTHS = st.one_of(st.integers(0, 60).map(lambda steps: steps * _STEP), st.timedeltas(timedelta(0), timedelta(1)))
_TIMES = st.one_of(st.just(NoticeTimes()), st.builds(NoticeTimes, _LENGTHS, _LENGTHS, _LENGTHS, _LENGTHS))
_Happening = tuple[str, int, int]
_HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["open", "resolve", "raise", "ack", "silence", "wait", "long_wait"]),
        st.integers(0, 3),
        st.integers(1, 30),
    ),
    max_size=40,
)


@dataclass
class _World:
    """Alerts as a watcher would leave them, one slot per fingerprint."""

    alive: dict[int, Alert] = field(default_factory=dict)
    ended: dict[int, Alert] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)
    made: int = 0

    def happen(self, what: str, slot: int, now_in_steps: int) -> None:
        now = NOON + now_in_steps * _STEP
        alert = self.alive.get(slot)
        if what == "open" and alert is None:
            self.made += 1
            kind = _KINDS[slot % 3]
            severity = Severity.WARNING if kind is K.NO_NEXT else Severity.CRITICAL
            self.alive[slot] = make_alert(
                self.made, kind, fingerprint=f"{kind}:{slot}", opened_at=now, severity=severity
            )
        elif what == "resolve" and alert is not None:
            del self.alive[slot]
            self.ended[alert.id] = replace(alert, open=False, resolved_at=now)
        elif what == "raise" and alert is not None:
            self.alive[slot] = replace(alert, severity=Severity.CRITICAL)
        elif what == "ack" and alert is not None:
            self.alive[slot] = replace(alert, acknowledged=True)
        elif what == "silence":
            number, kinds = len(self.silences) + 1, frozenset({_KINDS[slot % 3]})
            until = now + timedelta(minutes=slot + 1)
            self.silences.append(Silence(number, Matchers(kinds), now, until, "سارا", "laptop", "move", now))

    def hushed(self, alert: Alert, now_in_steps: int) -> bool:
        now = NOON + now_in_steps * _STEP
        down = any(one.kind is K.DAEMON_DOWN for one in self.alive.values())
        silenced = any(one.active(now) and alert.kind in one.matchers.kinds for one in self.silences)
        return silenced or (down and alert.kind is K.MISSED)


@dataclass
class _Judge:
    """What one person who reads the channel knows, and since when something would have had to be told."""

    times: NoticeTimes
    believed: dict[str, tuple[int, Severity]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    silent_for: dict[str, int] = field(default_factory=dict)
    was_silenced: set[str] = field(default_factory=set)
    homes: dict[str, str] = field(default_factory=dict)

    def notice_silences(self, world: _World, step: int) -> None:
        for alert in world.alive.values():
            now = NOON + step * _STEP
            if any(one.active(now) and alert.kind in one.matchers.kinds for one in world.silences):
                self.was_silenced.add(alert.fingerprint)

    def hear(self, notice: Notice, world: _World, step: int) -> None:
        for alert in (*notice.firing, *notice.over):
            assert not world.hushed(alert, step), "told of what is hushed"
        news = [a for a in notice.firing if self._is_news(a)]
        assert {alert.fingerprint for alert in news} == set(notice.fresh)
        if not news and notice.firing:
            waited = (step - self.last[notice.group]) * _STEP
            assert waited >= self._repeats(notice.firing), "told again too early"
        if not notice.firing:
            assert notice.over, "a message about nothing"
        for alert in notice.over:
            assert self.believed.pop(alert.fingerprint)[0] == alert.id, "the end of what was never told"
        for alert in notice.firing:
            self.believed[alert.fingerprint] = (alert.id, alert.severity)
            self.homes[alert.fingerprint] = notice.group
            self.was_silenced.discard(alert.fingerprint)
        if notice.group in self.last:
            assert step > self.last[notice.group], "two messages of one group at once"
        self.last[notice.group] = step

    def _is_news(self, alert: Alert) -> bool:
        known = self.believed.get(alert.fingerprint)
        if known is None or known[0] != alert.id or alert.severity.rank > known[1].rank:
            return True
        return alert.fingerprint in self.was_silenced

    def _repeats(self, alerts: Iterable[Alert]) -> timedelta:
        lengths = {Severity.CRITICAL: self.times.repeat_critical, Severity.WARNING: self.times.repeat_warning}
        return min(
            (lengths[alert.severity] for alert in alerts if not alert.acknowledged), default=timedelta(days=9999)
        )

    def after(self, world: _World, step: int) -> None:
        """Nobody who fires loudly may stay untold for longer than a wait and an interval, or unrepeated."""
        patience = self.times.group_wait + self.times.group_interval + 2 * _STEP
        untold = {
            alert.fingerprint
            for alert in world.alive.values()
            if self._is_news(alert) and not world.hushed(alert, step)
        }
        self.silent_for = {key: self.silent_for.get(key, step) for key in untold}
        assert all((step - since) * _STEP <= patience for since in self.silent_for.values()), "never told"
        for group, last in self.last.items():
            loud = [a for a in world.alive.values() if self.homes.get(a.fingerprint) == group]
            loud = [alert for alert in loud if not world.hushed(alert, step)]
            if not untold & {alert.fingerprint for alert in loud}:
                assert (step - last) * _STEP <= self._repeats(loud) + _STEP, "never told again"


@settings(max_examples=200)
@given(_HAPPENINGS, _TIMES)
def test_every_message_has_its_cause_and_every_cause_its_message(
    happenings: list[_Happening], times: NoticeTimes
) -> None:
    world, judge, planner, step = _World(), _Judge(times), Planner(times=times), 0
    for what, slot, steps in happenings:
        world.happen(what, slot, step)
        for _ in range({"wait": steps, "long_wait": 1}.get(what, 1)):
            step += 90 * steps if what == "long_wait" else 1
            judge.notice_silences(world, step)
            alerts = [*world.alive.values(), *world.ended.values()]
            for notice in planner.look_at_all(NOON + step * _STEP, alerts, world.silences):
                judge.hear(notice, world, step)
            if what != "long_wait":
                judge.after(world, step)
            else:
                judge.silent_for.clear()


@settings(max_examples=200)
@given(_HAPPENINGS, st.booleans())
def test_there_are_words_for_every_message(happenings: list[_Happening], pushes: bool) -> None:
    world, planner, step = _World(), Planner(Channel("am", pushes=pushes)), 0
    for what, slot, steps in happenings:
        world.happen(what, slot, step)
        step += {"wait": steps, "long_wait": 90 * steps}.get(what, 1)
        now = NOON + step * _STEP
        for notice in planner.look_at_all(now, [*world.alive.values(), *world.ended.values()], world.silences):
            words = text_of(notice, now, ZoneInfo("Asia/Tehran"))
            assert words.title.startswith("[resolved]") == (not notice.firing)
            assert len(details_of(notice)["alerts"]) == len(notice.firing) + len(notice.over)
