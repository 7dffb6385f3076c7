"""The runbook as a rehearsal needs it: the commands of each entry, and which of them were run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).parents[2] / "deploy/docs/runbook.md"


def entries() -> Mapping[str, list[str]]:
    """Return the commands of every entry of the runbook, in order."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^## ", FILE.read_text("utf-8"), flags=re.M)[1:]:
        title, _, text = part.partition("\n")
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
        found[title.strip()] = [line for block in blocks for line in block.splitlines() if line]
    return found


class Entry:
    """One entry, while it is rehearsed: every command has to be run, and no other may be."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.left = list(entries()[title])

    def command(self, line: str, **words: str) -> str:
        """Return a command of the entry with the words in capitals filled in; it counts as run."""
        assert line in self.left, f"{self.title!r} says {self.left}, not {line!r}"
        self.left.remove(line)
        for word, value in words.items():
            assert word in line, f"no {word} in {line!r}"
            line = line.replace(word, value)
        return line
