"""Owns what a secret looks like, and puts `***` in its place, before params, results, errors and logs are stored.

It never raises on odd input, takes time linear in the text, and finds nothing more to do in a text it has masked.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"
WORDS = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "authorization",
    "private_key",
    "access_key",
    "account_key",
    "encryption_key",
    "credential",
    "cookie",
    "session_id",
    "dsn",
)
_DEEPEST = 200

# No expression below can go back over what it has read: repetitions are possessive (`++`), bounded, or end where the
# character that follows cannot belong to them; a run of key characters is entered only at its beginning.
_PEM = re.compile(
    r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY)-----(?:(?!-----(?:BEGIN|END) ).)*+(?:-----END \1-----)?", re.DOTALL
)
_HEADER = re.compile(
    r"(?im)^([<> \t]{0,8}+(?:proxy-)?(?:authorization|(?:set-)?cookie)[ \t]{0,8}:[ \t]{0,8})([^\s].*)$"
)
_URL_USER = re.compile(
    r"(?<![A-Za-z0-9+.\-])([A-Za-z][A-Za-z0-9+.\-]{0,40}://[^\s/:@?#\"'<>]*+:)[^\s/\"'<>]+@",
)
_SCHEME = re.compile(
    r"(?<![A-Za-z0-9])((?i:bearer|basic)[ \t]{1,8})"
    r"(?=[A-Za-z]{0,64}(?:[0-9=+/_]|(?<=[a-z])[A-Z]))[A-Za-z0-9+/=_.~\-]{8,}+"  # not "basic authentication"
)
_KNOWN_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_\-]{20,}+"
    r"|xox[abeprs]-[A-Za-z0-9\-]{10,}+|sk[-_](?:live_)?[A-Za-z0-9_\-]{20,}+"
    r"|eyJ[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]*+"  # a JSON web token
    r")(?![A-Za-z0-9])"
)
_RUN = r"[\w\-.\u200c\u200d]"
_KEY = re.compile(rf"(?<!{_RUN})({_RUN}++)(?:\\?[\"'])?\]?[ \t]{{0,8}}+(?:=>|:=|[:=])[ \t]{{0,8}}+")
_FLAG = re.compile(r"(?<![\w\-])--([\w\-]++)[ \t]{1,8}+(?!-)")
_WORD_BEFORE = re.compile(rf"{_RUN}{{1,32}} $")
_VALUE = re.compile(
    r"""(\\"(?:[^"\\\n]|\\[^"\n])*+(?:\\")?)"""
    r"""|([bBuUrRfF]{0,2}"(?:[^"\\\n]|\\[^\n])*+"?)"""
    r"""|([bBuUrRfF]{0,2}'(?:[^'\\\n]|\\[^\n])*+'?)"""
    r"""|((?:(?:[Bb]earer|[Bb]asic|[Tt]oken)[ \t]{1,8}(?=[^\s,;&"']))?"""
    r"""(?:[\[{(][^\]})\n]*+[\]})]?|[^\s,;&"'\\\[{(]|\\(?!["']))++)"""
)
_OPENING = re.compile(r"""\\"|[bBuUrRfF]{0,2}["']""")
_CLOSING = re.compile(r"""\\?["']$""")
_NOTHING = {"none", "null", "true", "false"}


def _folded(word: str) -> str:
    return re.sub(r"[\s_\-.]+", "", word).casefold()


class Redactor:
    """Masks what the built-in words and the `words` of the operator name; a word also counts inside a longer key.

    `_`, `-`, `.`, spaces and letter case make no difference: `api_key` also means `X-API-Key`, `apiKey`, `API key`.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        every = [word for word in (*WORDS, *words) if _folded(word)]
        self._words = tuple(dict.fromkeys(_folded(word) for word in every))
        self._double = tuple(_folded(word) for word in every if re.search(r"[\s_\-.]", word))

    def text(self, text: str) -> str:
        """Return the text with its secrets masked."""
        text = _PEM.sub(rf"-----BEGIN \1-----{MASK}-----END \1-----", text)
        text = _HEADER.sub(rf"\1{MASK}", text)
        text = self._mask_values(_KEY, text)
        text = self._mask_values(_FLAG, text)
        text = _URL_USER.sub(rf"\1{MASK}@", text)
        text = _SCHEME.sub(rf"\1{MASK}", text)
        return _KNOWN_KEYS.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with its secrets masked: the whole value of a secret key, and secrets inside texts."""
        return self._walk(value, 0)

    def is_secret(self, key: str) -> bool:
        """Return whether a key of this name holds a secret."""
        folded = _folded(key)
        return any(word in folded for word in self._words)

    def _walk(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if depth > _DEEPEST:
            return MASK
        if isinstance(value, Mapping):
            return {
                self.text(key) if isinstance(key, str) else key: self._entry(key, item, depth)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._walk(item, depth + 1) for item in value]
        return value

    def _entry(self, key: Any, item: Any, depth: int) -> Any:
        if item is None or item is True or item is False or item == "":
            return item
        return MASK if isinstance(key, str) and self.is_secret(key) else self._walk(item, depth + 1)

    def _mask_values(self, keys: re.Pattern[str], text: str) -> str:
        pieces: list[str] = []
        done, at = 0, 0
        while key := keys.search(text, at):
            at = key.end()
            if not self._names_secret(text, key):
                continue
            value = _VALUE.match(text, at)
            if value is not None:
                pieces += [text[done:at], _masked(value[0])]
                done = at = value.end()
        return "".join([*pieces, text[done:]])

    def _names_secret(self, text: str, key: re.Match[str]) -> bool:
        if self.is_secret(key[1]):
            return True
        before = _WORD_BEFORE.search(text[max(0, key.start() - 33) : key.start()])
        return before is not None and any(word in _folded(before[0] + key[1]) for word in self._double)


def _masked(value: str) -> str:
    if value.rstrip(")]}").casefold() in _NOTHING:
        return value
    opening = _OPENING.match(value)
    if opening is None:
        scheme = re.match(r"[A-Za-z]{5,6}[ \t]{1,8}(?=.)", value)
        return (scheme[0] if scheme else "") + MASK
    inside = value[opening.end() :]
    closing = _CLOSING.search(inside)
    if closing is not None and closing.start() == 0:
        return value
    return opening[0] + MASK + (closing[0] if closing else "")
