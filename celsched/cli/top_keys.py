"""Owns the keyboard of the live view: a terminal without echo and line buffering, and keys out of its bytes.

It never leaves the terminal changed, however the block that uses it ends.
"""

import codecs
import re
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[H": "home", "\x1b[1~": "home", "\x1bOH": "home", "\x1b[F": "end", "\x1b[4~": "end", "\x1bOF": "end",
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\t": "tab", "\x1b": "escape",
}  # fmt: skip
# A whole escape sequence, an escape alone, or one character.
_TOKEN = re.compile(r"\x1b[\[O][0-9;?]*[A-Za-z~]|\x1b|.", re.DOTALL)


class Keys:
    """Turns bytes into keys; a character that is cut between two reads is put together again."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def feed(self, data: bytes) -> list[str]:
        """Return the keys in these bytes: characters, and the words that `top_view.press` knows."""
        return list(self._named(self._decoder.decode(data)))

    @staticmethod
    def _named(text: str) -> Iterator[str]:
        for token in _TOKEN.findall(text):
            name = _NAMES.get(token, token)
            if len(name) > 1 and name == token:
                continue  # a sequence that means nothing here
            if len(name) > 1 or name.isprintable() or name in "\u200c\u200d":
                yield name


@contextmanager
def unbuffered(fd: int) -> Iterator[None]:
    """Within the block keys come at once and unseen; Ctrl-C stays a signal, Ctrl-Z does nothing."""
    former = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSANOW)
        now = termios.tcgetattr(fd)
        now[6][termios.VSUSP] = b"\0"  # suspended, we would leave the shell our screen
        termios.tcsetattr(fd, termios.TCSANOW, now)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, former)
