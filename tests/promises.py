"""The register of promises, and the page made from it: ``python -m tests.promises``."""

from __future__ import annotations

import ast
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
REGISTER = ROOT / "tests" / "promises.toml"
PAGE = ROOT / "deploy" / "docs" / "reliability.md"
HEAD = """# What Foreshock promises, and what holds it to that

Written by `python -m tests.promises` from `tests/promises.toml`: edit the promises there, not here. Every
promise names the tests that hold it; they run on real servers, and all but the slow ones on every change.

How it is done: every stage does its work, commits what follows from it in one transaction, appends what the
next stage reads, and commits its offsets last (`monitor/pipeline.py`). A crash anywhere repeats work, and
repeated work changes nothing, since every effect has a key. A burst is never dropped: collecting pauses
(`[stream] max_backlog`), and the board says how far it is behind.

`bash tests/run chaos --seconds 1200 --seed 1` kills, stops and freezes broker, database and processes, fills
the disks of the servers and sets the clocks of processes, for as long as you like, and counts afterwards; the
same seed makes the same faults. `bash tests/run chaos
--outage 60` measures how soon work goes on after a long outage, and `--burst 600` what ten times the usual
news for ten minutes does to memory.
"""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise; ``tests`` are written FILE::FUNCTION."""

    about: str
    text: str
    tests: tuple[str, ...]


def promises() -> list[Promise]:
    """Read the register."""
    found = tomllib.loads(REGISTER.read_text("utf-8"))["promise"]
    return [Promise(each["about"], each["text"], tuple(each["tests"])) for each in found]


def missing_tests(found: list[Promise]) -> list[str]:
    """Return what is wrong: promises without a test, and tests that are not there."""
    wrong = [f"no test holds: {promise.text}" for promise in found if not promise.tests]
    for name in dict.fromkeys(test for promise in found for test in promise.tests):
        file, _, function = name.partition("::")
        path = ROOT / file
        functions = set()
        if path.is_file():
            functions = {
                node.name
                for node in ast.parse(path.read_text("utf-8")).body
                if isinstance(node, ast.FunctionDef)
            }
        if not function.startswith("test_") or function not in functions:
            wrong.append(f"no such test: {name}")
    return wrong


def page(found: list[Promise]) -> str:
    """Return the page, Markdown."""
    lines = [HEAD]
    for about in dict.fromkeys(promise.about for promise in found):
        lines += [f"## {about}", ""]
        for promise in found:
            if promise.about == about:
                lines += [f"- {promise.text}"]
                lines += [f"  - `{test}`" for test in promise.tests]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    found = promises()
    for problem in (wrong := missing_tests(found)):
        print(problem, file=sys.stderr)
    PAGE.write_text(page(found), "utf-8")
    print(f"wrote {PAGE}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
