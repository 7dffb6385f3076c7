"""Tables as TOML: the standard library reads it and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(table: Mapping[str, Any]) -> str:
    r"""TOML of nested mappings, lists, strings, numbers and booleans.

    Examples
    --------
    >>> print(dumps({"name": "a", "fit": {"lr": 1e-3}, "data": [{"file": "f", "where": {"x y": "1"}}]}))
    name = "a"
    <BLANKLINE>
    [fit]
    lr = 0.001
    <BLANKLINE>
    [[data]]
    file = "f"
    where = {"x y" = "1"}
    """
    return "\n".join(_lines(table, ())).strip()


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines, sections = [], []
    for key, value in table.items():
        inner = (*path, key)
        name = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            sections += ["", f"[{name}]", *_lines(value, inner)]
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            for entry in value:
                pairs = (f"{_key(k)} = {_value(v)}" for k, v in entry.items())
                sections += ["", f"[[{name}]]", *pairs]
        else:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines + sections


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's strings, numbers and booleans are TOML's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
