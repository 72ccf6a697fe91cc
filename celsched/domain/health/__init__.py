"""What is wrong, judged from facts: kinds of alerts, their rules, and the pure functions that find them."""

from celsched.domain.health.judge import Facts as Facts
from celsched.domain.health.judge import Finding as Finding
from celsched.domain.health.judge import LateStart as LateStart
from celsched.domain.health.judge import Thresholds as Thresholds
from celsched.domain.health.judge import examine as examine
from celsched.domain.health.kinds import AlertKind as AlertKind
from celsched.domain.health.kinds import Severity as Severity
