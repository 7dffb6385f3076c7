"""YAML that people write: read with the line of every key, so that a mistake can be pointed to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import ConfigError

Place = Sequence[str | int]
# The reader in C is ten times as fast; a build of PyYAML need not have it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One file: its path, text, what it says, and the tree of its nodes, which know their lines."""

    path: Path
    text: str
    data: Any
    root: yaml.Node | None

    def where(self, place: Place) -> str:
        """Return ``FILE:LINE`` of a key, or of the nearest thing around it."""
        return f"{self.path}:{self.line(place)}"

    def line(self, place: Place) -> int:
        """Return the line of a key, or of the nearest thing around it; from 1 on."""
        line = 1
        node = self.root
        for part in place:
            found = _child(node, part)
            if found is None:
                continue
            line, node = found
        return line


def read_yaml(path: Path, what: str, check: str, hint: str = "") -> YamlFile:
    """Read a file.

    Parameters
    ----------
    what
        It is, for the error: "the rules".
    check
        What to look at where it cannot be read: "check the path".
    hint
        What to do where it is not YAML.

    Raises
    ------
    ConfigError
        It cannot be read, is not UTF-8, not YAML, or gives a key twice: with file and line.
    """
    try:
        text = path.read_text("utf-8")
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read {what}: {error.strerror}; {check}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(
            f"{path}:{line}: not YAML: {problem}{'; ' if hint else ''}{hint}"
        ) from None
    if twice := list(_given_twice(root, set())):
        raise ConfigError("\n".join(f"{path}:{line}: {what}" for line, what in twice))
    return YamlFile(path, text, data, root)


def _given_twice(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[int, str]]:
    """YAML lets the last of two equal keys win in silence; here it is a mistake.

    ``seen`` are the nodes that were looked at: an alias leads to one of them again.
    """
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                yield line, f"`{key.value}` is given on line {lines[key.value]} already; remove one"
            lines.setdefault(key.value, line)
            yield from _given_twice(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _given_twice(value, seen)


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line and node of a key or of an element."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None
