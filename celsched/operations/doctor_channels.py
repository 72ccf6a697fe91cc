"""Checks channels and pings: whether they can send at all, and whether they did. It sends and starts nothing."""

import os
import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from celsched.clock import SystemClock
from celsched.domain.names import suggestion
from celsched.errors import SettingsError
from celsched.notify import sender_of
from celsched.notify.command import places
from celsched.operations.addresses import address_of
from celsched.operations.checkup import Found, failed, listed, passed, skipped, warned
from celsched.operations.doctor_facts import Facts
from celsched.operations.wording import command, times
from celsched.settings import NotifyTarget, Settings

_SHOWN = "celsched config notify"


@dataclass(frozen=True, slots=True)
class _Useless:
    """A channel that can send nothing, as seen from here; not `sure` where the watcher may see it otherwise."""

    name: str
    why: str
    fix: str = _SHOWN
    sure: bool = True


def channels(facts: Facts, settings: Settings) -> Found:
    """Judge whether each channel can send, and whether its last message was accepted."""
    if not settings.notify:
        return skipped("no channel is set (`notify`): alerts are shown and logged, and sent to nobody")
    useless = [found for target in settings.notify if (found := _useless(target, settings))]
    sure = [] if _elsewhere(facts) else [one for one in useless if one.sure]
    if sure:
        return _told(failed, sure)
    names = [target.name for target in settings.notify]
    bad = [facts.channels[name] for name in names if name in facts.channels and facts.channels[name].failures_in_a_row]
    if bad:
        refused = f"{listed([one.channel for one in bad])} refused the last message: {bad[0].last_error}"
        return failed(refused, command("alerts", "test", bad[0].channel))
    if useless:
        return _told(warned, useless)
    untried = [name for name in names if name not in facts.channels]
    said = f"; nothing was sent yet through {listed(untried)}" if untried else ""
    return passed(f"{times(len(names), 'channel')}, no failed send{said}")


def _useless(target: NotifyTarget, settings: Settings) -> _Useless | None:
    address = address_of(target, settings)
    try:
        sender_of(address, SystemClock())
    except SettingsError as error:
        return _Useless(target.name, error.message + (f" ({error.hint})" if error.hint else ""))
    return _no_program(target.name, target.command[0], address.environment) if target.command else None


def _no_program(name: str, program: str, environment: Mapping[str, str]) -> _Useless | None:
    there = places(program, environment)
    if any(os.access(place, os.X_OK) for place in there):
        return None
    on_path = not os.path.dirname(program)
    # A path that begins in the folder of whoever starts it may well be right in the watcher's.
    sure = on_path or os.path.isabs(program)
    if there:
        place = os.path.abspath(there[0])
        return _Useless(
            name, f"the channel {name!r}: {place} is not executable", f"chmod +x {shlex.quote(place)}", sure
        )
    where = f"{program} in the folders of PATH" if on_path else os.path.abspath(program)
    return _Useless(name, f"the channel {name!r}: there is no program {where}", _SHOWN, sure)


def _told(judged: Callable[[str, str], Found], useless: Sequence[_Useless]) -> Found:
    others = [one.name for one in useless[1:]]
    return judged(useless[0].why + (f"; nor can {listed(others)} send" if others else ""), useless[0].fix)


def pings(facts: Facts, settings: Settings) -> Found:
    """Judge whether every ping that a schedule asks for is set: one that is not is never sent, and nobody is told."""
    if not facts.pings:
        return passed("no schedule asks for a ping")
    known = [target.name for target in settings.pings]
    bad = [one for one in facts.pings if one.ping not in known]
    if not bad:
        return passed(f"{times(len(facts.pings), 'schedule')} with a ping, and each is set")
    first = bad[0].ping
    near = suggestion(first, known)
    schedules = listed([one.schedule for one in bad if one.ping == first])
    others = list(dict.fromkeys(one.ping for one in bad if one.ping != first))
    seen = f"ping '{first}' is not among `pings` of these settings, so none is sent for {schedules}"
    seen += f" ({near})" if near else ""
    seen += f"; nor is {listed(others)}" if others else ""
    return (warned if _elsewhere(facts) else failed)(seen, "celsched config pings")


def _elsewhere(facts: Facts) -> bool:
    """Whether others send: messages and pings leave where the watcher is, and other machines need not be able to."""
    watchers = facts.living("watcher")
    return bool(watchers) and socket.gethostname() not in {one.host for one in watchers}
