"""YAML that people write: read with the line of every key, so that a mistake can be pointed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import ConfigError

Place = Sequence[str | int]


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
        It cannot be read, is not UTF-8, or not YAML: with file and line.
    """
    try:
        text = path.read_text("utf-8")
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
        return YamlFile(path, text, data, root)
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


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line and node of a key or of an element."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None
