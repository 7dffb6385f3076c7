from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.entities.codes import credit_code_is_valid, isin_is_valid, lei_is_valid


@pytest.mark.parametrize(
    ("is_valid", "codes"),
    [
        (isin_is_valid, ["US0378331005", "GB0002634946", "DE0005557508", "FR0000131104"]),
        (lei_is_valid, ["5493001KJTIIGC8Y1R12", "HWUPKR0MPOU8FGXBT394", "7LTWFZYICNSX8D621K86"]),
        (credit_code_is_valid, ["91350100M000100Y43"]),
    ],
)
@given(data=st.data())
def test_one_wrong_character_fails_the_check(
    is_valid: Callable[[str], bool], codes: list[str], data: st.DataObject
) -> None:
    code = data.draw(st.sampled_from(codes))
    assert is_valid(code)
    place = data.draw(st.integers(0, len(code) - 1))
    digits = "0123456789" if code[place].isdigit() else "ABCDEFGHJKLMNPQRTUWXY"
    wrong = data.draw(st.sampled_from(sorted(set(digits) - {code[place]})))
    changed = code[:place] + wrong + code[place + 1 :]
    assert not is_valid(changed) or is_valid is isin_is_valid  # Luhn misses a few of letters
    assert not is_valid(code[:-1])
    assert not is_valid(code.lower())
