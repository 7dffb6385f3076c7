"""Nothing that a person can type, set, scrape or extend is undocumented."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from monitor import reference
from tests import promises

ROOT = Path(__file__).parents[2]


def test_the_reference_is_what_the_code_says() -> None:
    assert reference.FILE.read_text("utf-8") == reference.reference(), (
        "deploy/docs/reference.md is not up to date: run `python -m monitor.reference`"
    )


def test_everything_in_the_reference_says_what_it_is() -> None:
    assert reference.undocumented() == []
    for heading, body in re.findall(r"^### (.*)\n\n(.*)$", reference.reference(), re.MULTILINE):
        assert body.strip(), f"{heading} has no docstring"


def test_the_reference_knows_every_registry_of_the_package() -> None:
    """A mapping in capitals from text to classes is an extension point, and has to be in the reference."""
    text = reference.extensions()
    for name in ("SOURCES", "CHANNELS"):
        assert name in Path(reference.__file__).read_text("utf-8")
    assert "`replay`" in text
    assert "`webhook`" in text


def test_every_promise_is_held_by_tests_and_on_the_page() -> None:
    found = promises.promises()
    assert promises.missing_tests(found) == []
    assert promises.PAGE.read_text("utf-8") == promises.page(found), (
        "deploy/docs/reliability.md is not up to date: run `python -m tests.promises`"
    )


def test_a_promise_without_a_test_is_told() -> None:
    without = promises.Promise("News", "All is well.", ())
    gone = promises.Promise("News", "All is well.", ("tests/unit/test_docs.py::test_gone",))
    assert promises.missing_tests([without, gone]) == [
        "no test holds: All is well.",
        "no such test: tests/unit/test_docs.py::test_gone",
    ]


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"^### `foreshock (.*)`$", reference.commands(), re.MULTILINE)
    assert len(commands) >= 9
    missing = [name for name in commands if f"foreshock {name}" not in readme]
    assert missing == [], "name these commands in README.md"


def test_the_domain_stands_on_the_standard_library_and_the_labels() -> None:
    tree = ast.parse((ROOT / "monitor" / "domain.py").read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    ours = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
    assert ours <= {"models.labels"}
