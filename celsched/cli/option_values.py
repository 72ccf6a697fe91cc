"""Owns how words of the command line become parameters and options of a definition.

It never decides what is allowed: `celsched.domain.options` decodes each value, as it does for manifests.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from celsched.domain.definition import RuleSpec
from celsched.domain.names import suggestion
from celsched.domain.options import INSTANT_SCHEMA, OPTIONS, encode_layer
from celsched.errors import InvalidParams, UsageError
from celsched.timing.duration import parse_period
from celsched.timing.instant import parse_instant

RETRY_PARTS = {
    "retry_delay": "delay",
    "retry_factor": "factor",
    "retry_max_delay": "max_delay",
    "retry_jitter": "jitter",
}
"""Options of the command line that are parts of `retry`."""

ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="KEY=VALUE", help="A parameter; the value is JSON, else text; repeatable."),
]
LabelOption = Annotated[list[str] | None, typer.Option("--label", metavar="KEY=TEXT", help="A label; repeatable.")]
UnsetOption = Annotated[
    list[str] | None,
    typer.Option("--unset", metavar="KEY", help="Remove an option, a label (label.KEY) or a parameter (param.KEY)."),
]


def option(key: str, metavar: str | None = None, about: str | None = None) -> Any:
    """Return the command line option of a key that tasks or schedules carry; its words are those of manifests."""
    words = "|".join(map(str, OPTIONS[key].schema.get("enum", ())))
    return typer.Option(
        f"--{key.replace('_', '-')}", metavar=metavar or words or None, help=_sentence(about or OPTIONS[key].about)
    )


def params_of(words: Sequence[str] | None) -> dict[str, Any]:
    """Return parameters from `key=value`; a value that is JSON is that, any other is text.

    Raises:
        InvalidParams: a word has no `=`, or a key comes twice.
    """
    params: dict[str, Any] = {}
    for word in words or ():
        key, text = _pair("--param", word, "hours=24")
        if key in params:
            raise InvalidParams(f"the parameter `{key}` is given twice")
        params[key] = _json_or_text(text)
    return params


def labels_of(words: Sequence[str] | None) -> dict[str, str]:
    """Return labels from `key=text`."""
    return dict(_pair("--label", word, "team=ops") for word in words or ())


def layer_of(old: Mapping[str, Any], given: Mapping[str, Any], *, zone: str, now: datetime) -> dict[str, Any]:
    """Return the options `old` with those of `given` (by parameter name; None: not given) on top.

    Raises:
        InvalidDefinition: a value is not acceptable. InvalidRule: an instant cannot be read.
    """
    layer = dict(old)
    for key, value in given.items():
        if key in OPTIONS and value is not None and key != "labels":
            instant = OPTIONS[key].schema is INSTANT_SCHEMA
            layer[key] = OPTIONS[key].decode(key, parse_instant(value, zone, now) if instant else value)
    labels = labels_of(given.get("label"))
    if labels:
        layer["labels"] = OPTIONS["labels"].decode("labels", {**layer.get("labels", {}), **labels})
    parts = {part: given[name] for name, part in RETRY_PARTS.items() if given.get(name) is not None}
    if parts:
        before = encode_layer({"retry": layer["retry"]})["retry"] if "retry" in layer else {}
        layer["retry"] = OPTIONS["retry"].decode("retry", {**before, **parts})
    return layer


def rule_of(given: Mapping[str, Any], *, zone: str, now: datetime) -> RuleSpec | None:
    """Return the rule that `cron`, `every` or `at` names; None where none is given.

    Raises:
        UsageError: more than one is given. InvalidRule: it cannot be read.
    """
    named = [key for key in ("cron", "every", "at") if given.get(key) is not None]
    if len(named) > 1:
        raise UsageError(f"--{named[0]} and --{named[1]} exclude each other", hint="make two schedules")
    match named:
        case ["cron"]:
            return RuleSpec.cron(given["cron"])
        case ["every"]:
            return RuleSpec.every(parse_period(given["every"]))
        case ["at"]:
            # `+5s` is meant to the second; a fraction that somebody writes is kept.
            return RuleSpec.at(parse_instant(given["at"], zone, now.replace(microsecond=0)))
    return None


def without(unset: Sequence[str] | None, options: dict[str, Any], params: dict[str, Any]) -> None:
    """Remove what `--unset` names from options and parameters.

    Raises:
        UsageError: there is nothing of that name.
    """
    for word in unset or ():
        kind, _, name = word.partition(".")
        key = word.replace("-", "_")
        if kind == "param" and name in params:
            del params[name]
        elif kind == "label" and name in options.get("labels", {}):
            rest = {label: text for label, text in options.pop("labels").items() if label != name}
            options.update({"labels": rest} if rest else {})
        elif key in options:
            del options[key]
        else:
            known = [
                *options,
                *(f"param.{one}" for one in params),
                *(f"label.{one}" for one in options.get("labels", ())),
            ]
            hint = suggestion(word, known) or f"set are: {', '.join(known) or 'none'}"
            raise UsageError(f"--unset {word}: it is not set here", hint=hint)


def _pair(flag: str, word: str, example: str) -> tuple[str, str]:
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise InvalidParams(f"{flag} {word!r} is not of the form key=value", hint=f"write for example {flag} {example}")
    return key, text


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity are no JSON


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
