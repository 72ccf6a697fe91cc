"""Judges schedules by their state, their last outcomes and what went wrong lately. It never reads facts."""

from collections.abc import Mapping

from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Judge

JUDGES: Mapping[AlertKind, Judge] = {}
