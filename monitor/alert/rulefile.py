"""Reading a rules file: YAML in, a checked document out; every mistake is named with file, line and key."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.alert.ruleschema import KINDS, Document
from monitor.errors import ConfigError
from monitor.yamlfile import Place, YamlFile, read_yaml

BUILT_IN = Path(__file__).with_name("rules.yaml")
LISTED = 20  # names that an error lists at most


def files_of(path: Path) -> list[Path]:
    """Return the files of a path: itself, or the ``*.yaml`` of a folder by name."""
    return sorted(path.glob("*.yaml")) if path.is_dir() else [path]


def read_rules(path: Path) -> list[tuple[YamlFile, Document]]:
    """Read a file, or every ``*.yaml`` of a folder in the order of their names.

    Raises
    ------
    ConfigError
        One line for every mistake: file, line, rule, key, what is allowed.
    """
    files = files_of(path)
    if not files:
        raise ConfigError(f"{path}: the folder holds no *.yaml file; put the rules' files there")
    return [_read(file) for file in files]


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or which there are.

    Examples
    --------
    >>> nearest("severty", ["severity", "stages"])
    "did you mean 'severity'?"
    >>> nearest("x", ["b", "a"])
    'known are a, b'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"known are {', '.join(names[:LISTED])}{more}" if names else "there are none"


def _read(path: Path) -> tuple[YamlFile, Document]:
    file = read_yaml(path, "the rules", "check [alert] rules")
    if not isinstance(file.data, dict):
        raise ConfigError(f"{path}:1: must be a mapping with the key `rules`, a list of rules")
    try:
        return file, Document.model_validate(file.data)
    except ValidationError as error:
        wrong = sorted(_explained(file, file.data, error))
        raise ConfigError("\n".join(f"{path}:{line}: {what}" for line, what in wrong)) from None


def _explained(file: YamlFile, data: Any, error: ValidationError) -> Iterator[tuple[int, str]]:
    """Yield line and text of every mistake."""
    problems = error.errors(include_url=False)
    for problem in problems:
        if problem["type"] == "too_short" and any(
            problem["loc"] == each["loc"][: len(problem["loc"])] and each is not problem
            for each in problems
        ):
            continue  # it is short because what it holds is wrong
        # A rule's kind stands in the place where pydantic chose it; the file has no such key.
        place = [
            part
            for at, part in enumerate(problem["loc"])
            if not (at == 2 and problem["loc"][0] == "rules" and part in KINDS)
        ]
        rule = _at(data, place[:2]) if place[:1] == ["rules"] else None
        name = rule.get("name") if isinstance(rule, dict) else None
        key = ".".join(str(part) for part in place[2:] if not isinstance(part, int))
        head = f"rule `{name}`: " if name else ""
        yield file.line(place), head + _what(problem, key, place, rule)


def _what(problem: Any, key: str, place: Place, rule: Any) -> str:
    kind = rule.get("kind") if isinstance(rule, dict) else None
    match problem["type"]:
        case "extra_forbidden":
            known = _known_keys(kind, place)
            return f"no such key `{place[-1]}`; {nearest(str(place[-1]), known)}"
        case "missing":
            return f"`{key}` is missing; give {'it' if key else 'a rule'}"
        case "union_tag_not_found":
            return f"`kind` is missing; write one of {', '.join(KINDS)}"
        case "union_tag_invalid":
            said = str(kind)
            return f"no kind {said!r}; {nearest(said, KINDS)} (kinds are {', '.join(KINDS)})"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "literal_error" | "enum":
            expected = problem["ctx"]["expected"]
            return f"`{key}` {problem['input']!r} is not allowed; write one of {expected}"
        case "tuple_type":
            return f"`{key}` must be a list, as in [{problem['input']}]"
        case "string_pattern_mismatch":
            return f"`{key}` {problem['input']!r} must be lower-case letters, digits and hyphens"
        case _:
            what = problem["msg"].removeprefix("Input ")
            return f"`{key}` {problem['input']!r} {what}"


def _known_keys(kind: Any, place: Place) -> list[str]:
    """Return the keys that are allowed where an unknown one stood."""
    model: Any = KINDS.get(str(kind)) if place[:1] == ["rules"] else Document
    for part in place[2:-1] if place[:1] == ["rules"] else ():
        field = getattr(model, "model_fields", {}).get(part)
        if field is not None:
            arguments = typing.get_args(field.annotation)
            model = arguments[-1] if arguments else field.annotation
    known = isinstance(model, type) and issubclass(model, BaseModel)
    return list(model.model_fields) if known else []


def _at(data: Any, place: Place) -> Any:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
