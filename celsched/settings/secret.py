"""Owns texts that may carry a password: what is shown of them, and what is not.

It never changes the text itself; who connects with it gets it whole.
"""

import re

_AUTHORITY = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]*://)([^/?#]*)@")
_QUERY_WORD = re.compile(r"(?i)([?&;][^=&;]*(?:pass|secret|token|key|credential)[^=&;]*=)[^&;#]*")


def mask_url(url: str) -> str:
    """Return the URL with its password, and secret-looking query values, as `***`; user, host and path stay."""
    return _QUERY_WORD.sub(r"\1***", _AUTHORITY.sub(_masked_authority, url))


def mask_after_scheme(url: str) -> str:
    """Return only the scheme: for URLs whose path is the secret, such as `tgram://token/chat`."""
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://***" if separator else "***"


def _masked_authority(found: re.Match[str]) -> str:
    user, separator, _ = found[2].partition(":")
    return f"{found[1]}{user}:***@" if separator else f"{found[1]}{user}@"


class Secret(str):
    """A URL that prints masked: `str()`, `repr()`, f-strings and log records show no password.

    Everything that reads its characters (connecting, splitting, `json.dumps`, `reveal()`) gets the true text.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return mask_url(self.reveal())

    def __repr__(self) -> str:
        return repr(str(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """Return the true text, as a plain `str`."""
        return "".join(self)
