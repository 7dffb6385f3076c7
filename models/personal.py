"""Masking of personal data in news text: mails, telephones, payment cards, national ids.

News text is full of numbers that are nobody's telephone: prices, dates, volumes, share codes. A
number is masked only when its shape, its check digit or the word before it says what it is.
Masking cannot be undone: the original is not kept, hashed or counted.

Check digits: cards by ISO/IEC 7812-1 annex B (Luhn), Chinese ids by GB 11643-1999 (ISO 7064
MOD 11-2). Telephone shapes: ITU-T E.164 (at most 15 digits), the North American Numbering Plan
(area and exchange codes start with 2-9), Chinese mobiles (11 digits from 13 to 19).
"""

from __future__ import annotations

import re

# Seven digits with at most three separators between two of them: nothing shorter is personal.
# Every pattern below needs such a run, so a title without one costs this search alone.
_MAYBE_NUMBER = re.compile(r"\d(?:[ ().\-]{0,3}\d){6}")

_EMAIL = re.compile(
    r"[A-Za-z0-9\u00c0-\u024f._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}"
)

# A number must stand alone: no Latin letter, digit, decimal or thousands mark on either side.
# Chinese is written without spaces: its characters do not bind a number.
_ALONE_BEFORE = r"(?<![A-Za-z0-9_$€£¥+])(?<![A-Za-z0-9_][.,\-])"
_ALONE_AFTER = r"(?![A-Za-z0-9_%])(?![.,\-][A-Za-z0-9_])"

_CN_ID = re.compile(rf"{_ALONE_BEFORE}\d{{17}}[\dXx]{_ALONE_AFTER}")
_SSN = re.compile(rf"{_ALONE_BEFORE}(?!000|666|9)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}{_ALONE_AFTER}")
_CARD = re.compile(
    rf"{_ALONE_BEFORE}(?:\d{{13,19}}|\d{{4}}([ \-])\d{{4}}\1\d{{4}}\1\d{{1,7}}"
    rf"|\d{{4}}([ \-])\d{{6}}\2\d{{5}}){_ALONE_AFTER}"
)
_CARD_PREFIX = re.compile(r"4|5[1-5]|2[2-7]|3[04-8]|6(?:011|[245])")

_PHONES = (
    # +44 20 7946 0958, +86 138 0013 8000, +1 (212) 555-0199
    re.compile(rf"(?<![A-Za-z0-9_+])\+[1-9](?:[ .\-]?\(?\d\)?){{7,14}}{_ALONE_AFTER}"),
    # (212) 555-0199, 212-555-0199, 1-800-555-0199
    re.compile(
        rf"(?:{_ALONE_BEFORE}1[\-. ]\(?[2-9]\d\d\)?[\-. ]|(?<![A-Za-z0-9_$€£¥])\([2-9]\d\d\) ?"
        rf"|{_ALONE_BEFORE}[2-9]\d\d[\-.])[2-9]\d\d[\-.]\d{{4}}{_ALONE_AFTER}"
    ),
    # 13800138000, 138-0013-8000
    re.compile(
        rf"{_ALONE_BEFORE}1[3-9]\d(?:\d{{8}}|([ \-])\d{{4}}\1\d{{4}}){_ALONE_AFTER}"
        r"(?! ?(?:[亿万元股吨份手个只户人次件]|(?:shares|dollars|yuan|yen|won|rupees|euros|units|tons)\b))"
    ),
    # 010-12345678, 0755-1234567, 020 7946 0958, (020) 7946 0958
    re.compile(
        r"(?:(?<![A-Za-z0-9_$€£¥+])\(0[1-9]\d{1,3}\) ?"
        rf"|{_ALONE_BEFORE}0[1-9]\d{{1,3}}[ \-])\d{{3,4}}[ \-]?\d{{3,4}}{_ALONE_AFTER}"
    ),
)
_CUED_PHONE = re.compile(
    r"(?P<cue>(?:\b(?:tel|telephone|phone|mobile|fax|hotline|whatsapp)|电话|手机|传真|热线)"
    r"(?: (?:no|number|at))?[.:]{0,2} {0,2})"
    rf"\+?\(?\d(?:[ ().\-]{{0,2}}\d){{6,14}}{_ALONE_AFTER}",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"\+\d{1,3}(?:([ .])\d{3})(?:\1\d{3})+")
_DECIMAL = re.compile(r"\+\d+\.\d+")
_DATES = re.compile(r"(?:\d{4}[ .\-]\d\d?[ .\-]\d\d?|\d\d?[ .\-]\d\d?[ .\-]\d{4})\b")

_CN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def mask(text: str) -> str:
    """Replace personal data by ``[email]``, ``[phone]``, ``[card]`` or ``[id]``.

    Parameters
    ----------
    text
        Normalised text; cost is linear in its length.

    Returns
    -------
    str
        The same text where nothing personal was found. Masking twice changes nothing.

    Examples
    --------
    >>> mask("Call +44 20 7946 0958 or mail ir@example.com")
    'Call [phone] or mail [email]'
    >>> mask("EUR 1.25 bln 2014-05-01, 600519.SS up 12,345,678 shares")
    'EUR 1.25 bln 2014-05-01, 600519.SS up 12,345,678 shares'
    """
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    if _MAYBE_NUMBER.search(text) is None:
        return text
    text = _CN_ID.sub(lambda m: "[id]" if _is_cn_id(m.group()) else m.group(), text)
    text = _SSN.sub("[id]", text)
    text = _CARD.sub(lambda m: "[card]" if _is_card(m.group()) else m.group(), text)
    for pattern in _PHONES:
        text = pattern.sub(_phone, text)
    return _CUED_PHONE.sub(_cued_phone, text)


def _phone(match: re.Match[str]) -> str:
    number = match.group()
    amount = _THOUSANDS.fullmatch(number) or _DECIMAL.fullmatch(number)
    return number if amount else "[phone]"


def _cued_phone(match: re.Match[str]) -> str:
    cue, number = match["cue"], match.group()[len(match["cue"]) :]
    return match.group() if _DATES.match(number) else f"{cue}[phone]"


def _is_cn_id(number: str) -> bool:
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    if not (1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(w * int(d) for w, d in zip(_CN_WEIGHTS, number, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def _is_card(number: str) -> bool:
    digits = [int(c) for c in number if c.isdigit()]
    if not 13 <= len(digits) <= 19 or _CARD_PREFIX.match(number.replace(" ", "")) is None:
        return False
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return total % 10 == 0
