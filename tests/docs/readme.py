"""Owns how the README is read by its tests: its fenced blocks, each with the remark above it. It never runs one."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_BLOCK = re.compile(r"(?:^<!-- (?P<remark>[^\n]*) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block. `remark` is the comment directly above it: who runs it, or why nobody does."""

    language: str
    text: str
    remark: str | None
    line: int

    def __str__(self) -> str:
        return f"{self.language}-{self.line}"


def blocks(language: str) -> list[Block]:
    """Return the README's blocks of a language, in order."""
    text = README.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["text"], found["remark"], text.count("\n", 0, found.start("text")) + 1)
        for found in _BLOCK.finditer(text)
        if found["language"] == language
    ]
