"""What the dictionary says of words that are no plain words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.entities.english import is_name, is_ordinary, is_word


@pytest.mark.parametrize("unit", ["gm", "kg", "cf"])
def test_a_unit_is_no_word(unit: str) -> None:
    assert not is_word(unit)


def test_two_words_joined_are_no_word() -> None:
    assert is_word("great") and is_word("west") and not is_word("great-west")


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert is_word(text) or not is_ordinary(text)
    assert not is_name(text) or text.isascii()


def test_every_machine_judges_alike_whatever_dictionaries_it_has(tmp_path: Path) -> None:
    (tmp_path / "en_US.aff").write_text("SET UTF-8\n")
    (tmp_path / "en_US.dic").write_text("1\nagilent\n")
    code = "from monitor.entities.english import *; print(is_word('agilent'), is_word('target'))"
    environment = os.environ | {"HUNSPELL_DATA": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert told.stdout.split() == ["False", "True"]
