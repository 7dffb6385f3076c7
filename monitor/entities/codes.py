"""The check digits of company and security codes."""

from __future__ import annotations

import re

_CREDIT_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I, O, S, V, Z


def isin_is_valid(isin: str) -> bool:
    """Check the form and the check digit of an ISIN (ISO 6166: letters as 10..35, then Luhn).

    Examples
    --------
    >>> isin_is_valid("US0378331005"), isin_is_valid("US0378331006")
    (True, False)
    """
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9]{9}[0-9]", isin):
        return False
    digits = [int(digit) for char in isin for digit in str(int(char, 36))]
    doubled = [digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def lei_is_valid(lei: str) -> bool:
    """Check the form and the two check digits of an LEI (ISO 17442: letters as 10..35, ISO 7064 mod 97-10).

    Examples
    --------
    >>> lei_is_valid("5493001KJTIIGC8Y1R12"), lei_is_valid("5493001KJTIIGC8Y1R21")
    (True, False)
    """
    if not re.fullmatch(r"[A-Z0-9]{18}[0-9]{2}", lei):
        return False
    return int("".join(str(int(char, 36)) for char in lei)) % 97 == 1


def credit_code_is_valid(code: str) -> bool:
    """Check a unified social credit code of China (GB 32100-2015: weights 3^i mod 31, the last is the check).

    Examples
    --------
    >>> credit_code_is_valid("91350100M000100Y43"), credit_code_is_valid("91350100M000100Y44")
    (True, False)
    """
    if not re.fullmatch(rf"[{_CREDIT_DIGITS}]{{18}}", code):
        return False
    values = [_CREDIT_DIGITS.index(char) for char in code]
    weighted = sum(value * pow(3, place, 31) for place, value in enumerate(values[:17]))
    return (31 - weighted % 31) % 31 == values[17]
