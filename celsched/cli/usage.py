"""Owns mistakes in the words of a command line: how they are explained, and global options behind the command.

It never knows what a command does.
"""

import typer

from celsched.domain.names import suggestion

# Typer brings its own copy of click, or uses the installed one, depending on its version; the classes of either are
# reached through what Typer makes public.
Usage: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

_WITH_VALUE = ("--config", "--database-url")
_WITHOUT = ("--verbose", "--quiet")


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


def explain(error: Exception) -> str:
    """Return the lines for a mistake in the usage: what is wrong, what was perhaps meant, where help is."""
    message = str(getattr(error, "format_message", lambda: str(error))()).replace("Value error, ", "")  # pydantic's
    ctx = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"{message}\n"
    lines = []
    option = getattr(error, "option_name", None)
    if option is not None and type(error).__name__ == "NoSuchOption":
        message = f"there is no option `{option}`"
        near = suggestion(option, _options(ctx))
        lines += [f"hint: {near}"] if near else []
    path = ctx.command_path if ctx is not None else "celsched"
    return "\n".join([f"celsched: {_lowered(message)}", *lines, f"hint: `{path} --help` shows how it is used", ""])


def _options(ctx: object) -> list[str]:
    command = getattr(ctx, "command", None)
    return [word for param in getattr(command, "params", []) for word in param.opts if word.startswith("--")]


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")
