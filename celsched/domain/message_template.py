"""Owns the template of a webhook's message: JSON with placeholders such as `${title}`. It never sends anything.

A template may hold a secret of the other side: no mistake repeats more of it than the name of a placeholder.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from celsched.domain.names import suggestion

_NASTY = 'گزارش «شب» "\\" \n\t$$ ${body} </p>'
_SAMPLES: tuple[Mapping[str, Any], ...] = (
    {
        "incident": f"{_NASTY}#1.5",
        "severity": "critical",
        "resolved": False,
        "title": f"[critical] missed: {_NASTY}",
        "body": _NASTY,
        "group": f"missed/queue={_NASTY}",
        "reason": "firing",
        "firing": 1,
        "over": 0,
        "alerts": [{"id": 5, "summary": _NASTY, "resolved_at": None}],
    },
    {
        "incident": "",
        "severity": "info",
        "resolved": True,
        "title": "",
        "body": "",
        "group": None,
        "reason": None,
        "firing": 0,
        "over": 12,
        "alerts": [],
    },
)
"""Messages that a template is tried with before one has to be sent: of what fires, and of what is over."""
FIELDS = tuple(_SAMPLES[0])
"""What a placeholder may name: the fields of the JSON that a webhook posts without a template."""
_BLANK = "\0"
_BLANKS = dict.fromkeys(FIELDS, _BLANK)
_TOKEN = re.compile(r'(?P<escape>\\.)|(?P<quote>")|\$(?:(?P<dollar>\$)|\{(?P<name>\w+)\})?', re.S)
_LINE_ENDS = r"a line end within a text of JSON is \n; in TOML, ''' around the template leaves that alone"


class TemplateMistake(Exception):
    """A template that yields no JSON, or names what there is not; the message says where, and completes "it ..."."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A template that has been tried, unless it was made without `parse`."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "MessageTemplate":
        """Return the template, tried with messages full of quotes, line ends and Persian.

        Raises:
            TemplateMistake: it names no field of a message, has a `$` too many, or yields no JSON.
        """
        for token in _TOKEN.finditer(text):
            name = token["name"]
            if name is not None and name not in FIELDS:
                hint = suggestion(name, FIELDS) or f"known are {', '.join(FIELDS)}"
                raise TemplateMistake(
                    f"names `${{{name}}}`, which no message has, in {_place(text, token.start())}", hint
                )
            if token[0] == "$":
                raise TemplateMistake(
                    f"has a `$` that begins no placeholder in {_place(text, token.start())}",
                    "write ${title} for a field of the message, $$ for a dollar sign",
                )
        found = cls(text)
        for sample in (*_SAMPLES, _BLANKS):
            found.render(sample)
        return found

    def render(self, message: Mapping[str, Any]) -> bytes:
        """Return the JSON that it makes of a message; what the message does not have is null, or nothing in a text.

        Raises:
            TemplateMistake: that is no JSON.
        """
        filled = _fill(self.text, message)
        try:
            json.loads(filled.text, parse_constant=_no_constant)
            return filled.text.encode()
        except json.JSONDecodeError as error:
            where = _place(self.text, filled.origin(error.pos))
            hint = _LINE_ENDS if error.msg.startswith("Invalid control character") else None
            raise TemplateMistake(f"yields no JSON: {error.msg.removesuffix(' at')} in {where}", hint) from None
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise TemplateMistake(f"yields no JSON: {reason}") from None

    def own_words(self) -> frozenset[str]:
        """Return the texts and numbers of the template, not of the message: a secret may be among them."""
        tree = json.loads(_fill(self.text, _BLANKS).text)
        return frozenset(part.strip() for leaf in _leaves(tree) for part in leaf.split(_BLANK))


@dataclass(frozen=True, slots=True)
class _Filled:
    """A template with its values, and where each piece of it begins: here, there, and whether it is a value."""

    text: str
    pieces: list[tuple[int, int, bool]]

    def origin(self, position: int) -> int:
        """Return where in the template that stands which stands here."""
        begin, there, is_value = max(piece for piece in self.pieces if piece[0] <= position)
        return there if is_value else there + position - begin


def _fill(text: str, values: Mapping[str, Any]) -> _Filled:
    done, pieces, taken, inside = "", [(0, 0, False)], 0, False
    for token in _TOKEN.finditer(text):
        inside ^= token["quote"] is not None
        if token["dollar"] is None and token["name"] is None:
            continue
        done += text[taken : token.start()]
        pieces.append((len(done), token.start(), True))
        done += "$" if token["dollar"] else _written(values.get(token["name"]), inside)
        taken = token.end()
        pieces.append((len(done), taken, False))
    return _Filled(done + text[taken:], pieces)


def _written(value: Any, inside: bool) -> str:
    """Return a value as JSON: within a text its characters, elsewhere a value of its own, which joins no neighbour."""
    written = json.dumps(value, ensure_ascii=False)
    if not inside:
        return f" {written} "
    if value is None:
        return ""
    return written[1:-1] if isinstance(value, str) else json.dumps(written, ensure_ascii=False)[1:-1]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _place(text: str, position: int) -> str:
    begin = text.rfind("\n", 0, position) + 1
    return f"its line {text.count(chr(10), 0, position) + 1}, column {position - begin + 1}"


def _leaves(tree: Any) -> Iterator[str]:
    branches = [tree]
    while branches:
        branch = branches.pop()
        if isinstance(branch, str | int | float) and not isinstance(branch, bool):
            yield str(branch)
        elif isinstance(branch, dict | list):
            branches += branch.values() if isinstance(branch, dict) else branch
