"""Owns mistakes in the words of a command line: how they are explained, and global options behind the command.

It never knows what a command does.
"""

import re

import typer

from celsched.domain.names import suggestion

# Typer brings its own copy of click, or uses the installed one, depending on its version; the classes of either are
# reached through what Typer makes public.
Usage: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

_WITH_VALUE = ("--config", "--database-url")
_WITHOUT = ("--verbose", "--quiet")
_NO_COMMAND = re.compile(r"No such command '(.*?)'\..*")
_NO_CHOICE = re.compile(r"'([^']*)' is not one of (.*)")
_PYDANTIC = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "it must be a whole number",
    "Input should be ": "it must be ",
}


def hoisted(args: list[str]) -> list[str]:
    """Return the words with global options moved before the command, so that they may stand anywhere before `--`."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _WITHOUT or word.startswith(tuple(f"{option}=" for option in _WITH_VALUE)):
            front.append(word)
        elif word in _WITH_VALUE:
            front += [word, *(value for value in [next(words, None)] if value is not None)]
        else:
            rest.append(word)
    return front + rest


def explain(error: Exception, command: str | None) -> str:
    """Return the lines for a mistake in the usage: what is wrong, what was perhaps meant, where help is.

    `command` is the one that was called, where it is known: not every mistake tells.
    """
    message = str(getattr(error, "format_message", lambda: str(error))())
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"{message}\n"
    for theirs, ours in _PYDANTIC.items():
        message = message.replace(theirs, ours)
    message = " ".join(message.split())  # choices come one a line
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else " ".join(filter(None, ("celsched", command)))
    near = None
    option = getattr(error, "option_name", None)
    if option is not None and type(error).__name__ == "NoSuchOption":
        message = f"there is no option `{option}`"
        near = suggestion(option, _options(ctx))
    elif (unknown := _NO_COMMAND.fullmatch(message)) is not None:
        message = f"there is no command `{path} {unknown[1]}`"
        near = suggestion(unknown[1], getattr(getattr(ctx, "command", None), "commands", ()))
    elif (choice := _NO_CHOICE.search(message)) is not None:
        near = suggestion(choice[1], re.findall("'(.*?)'", choice[2]))
    lines = [f"hint: {near}"] if near else []
    return "\n".join([f"celsched: {_lowered(message)}", *lines, f"hint: `{path} --help` shows how it is used", ""])


def _options(ctx: object) -> list[str]:
    command = getattr(ctx, "command", None)
    return [word for param in getattr(command, "params", []) for word in param.opts if word.startswith("--")]


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")
