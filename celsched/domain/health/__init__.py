"""What is wrong, judged from facts: kinds of alerts, their rules, and the pure functions that find them."""

from celsched.domain.health.finding import Evidence as Evidence
from celsched.domain.health.finding import Finding as Finding
from celsched.domain.health.kinds import AlertKind as AlertKind
from celsched.domain.health.kinds import Severity as Severity
