"""YAML that people write: a key given twice is a mistake in every file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.alert.rulefile import read_rules
from monitor.errors import ConfigError
from monitor.notify.routesfile import read_routes
from monitor.stories.risk import RiskPack
from monitor.yamlfile import read_yaml

TWICE = "a: 1\nb:\n  - {c: 1,\n     c: 2}\na: 3\n"
READERS: list[Callable[[Path], object]] = [
    lambda path: read_yaml(path, "it", ""),
    read_rules,
    RiskPack.load,
    lambda path: read_routes(path, frozenset()),
]


@pytest.mark.parametrize("read", READERS)
def test_a_key_given_twice_is_refused_with_file_and_line(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(TWICE)
    with pytest.raises(ConfigError) as error:
        read(file)
    assert sorted(str(error.value).split("\n")) == [
        f"{file}:4: `c` is given on line 3 already; remove one",
        f"{file}:5: `a` is given on line 1 already; remove one",
    ]


def test_aliases_are_looked_at_once(tmp_path: Path) -> None:
    """Each level names the one below nine times: looked at one by one they would be a billion."""
    levels = ["a0: &a0 {x: 1}"]
    for at in range(1, 10):
        levels.append(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]")
    file = tmp_path / "own.yaml"
    file.write_text("\n".join(levels))
    assert read_yaml(file, "it", "").data["a0"] == {"x": 1}
