"""Judges definitions that people changed by hand although a manifest says what they are. It reads no facts."""

from collections.abc import Iterator, Mapping
from shlex import quote

from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look

_NAMED = 3
"""So many fields are named."""


def config_drift(look: Look) -> Iterator[Finding]:
    """Definitions of a set that differ from what its manifest last said; over once it is applied, or says the same."""
    for one in look.edited:
        named = ", ".join(one.fields[:_NAMED])
        more = f" and {len(one.fields) - _NAMED} more" if len(one.fields) > _NAMED else ""
        summary = (
            f'{named}{more} of the {one.kind} "{one.name}" was changed by hand by {one.by}: the manifest of the set '
            f'"{one.owner}" said otherwise when it was last applied'
        )
        yield Finding(
            AlertKind.CONFIG_DRIFT,
            f"{one.kind}:{one.id}",
            Severity.INFO,
            one.name,
            summary,
            one.at,
            one.id if one.kind == "schedule" else None,
            evidence=Evidence(command=f"celsched export --set {quote(one.owner)}", count=len(one.fields)),
        )


JUDGES: Mapping[AlertKind, Judge] = {AlertKind.CONFIG_DRIFT: config_drift}
