"""Tickers and exchange codes in a text: ``$AAPL``, ``(AAPL)``, ``XOM.N``, ``NYSE: T``, ``600519.SH``.

Never bare: "T" and "ALL" are letters and words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from monitor.domain import Company
from monitor.entities.legal import is_form
from monitor.entities.vague import ABBREVIATIONS

_CODE = re.compile(
    r"(?<![A-Za-z\d_.$])(?:"
    r"\$(?P<cash>[A-Z][A-Z\d]{0,5}(?:[.-][A-Z]{1,2})?)\b"
    r"|(?P<code>[A-Z\d]{2,9})\.(?P<place>[A-Z]{1,3})(?!\w)"
    r"|(?P<letter>[A-Z])\.(?P<far>N|O|L|PA|DE|TO|[A-Z]{2})(?![\w.])"
    r")|(?:[(\uff08](?P<alone>[A-Z]{2,5}|\d{6})[)\uff09]"
    r"|\b(?P<board>NYSE|NASDAQ|Nasdaq|LSE|TSX|ASX|HKEX|SEHK|SSE|SZSE|OTC)(?:MKT|GS|GM|CM)?\s?[:\uff1a]\s?"
    r"(?P<listed>[A-Z\d]{1,6})\b"
    r"|(?<![A-Za-z\d])(?P<mainland>sh|sz|SH|SZ)(?P<number>\d{6})(?!\d)"
    r")"
)
_UNITED_STATES = ("N", "O", "OQ", "K", "PK", "OB", "US")
_SAME_PLACE = {"SH": "SS", **dict.fromkeys(_UNITED_STATES, "")}
_MAINLAND = {"SH": "SS", "SZ": "SZ"}
_BOARDS = {
    **dict.fromkeys(("NYSE", "NASDAQ", "Nasdaq", "OTC"), ""),
    **{"LSE": "L", "TSX": "TO", "ASX": "AX", "HKEX": "HK", "SEHK": "HK", "SSE": "SS", "SZSE": "SZ"},
}


class Tickers:
    """Finds the codes of watched companies.

    A ticker that the watchlist gives with a place ("T.N", "600519.SH") is not another place's
    ("T.TO"); one without ("T") is found with any.

    Examples
    --------
    >>> tickers = Tickers([Company("att", "AT&T", ticker="T"), Company("wine", "Moutai", ticker="600519.SH")])
    >>> list(tickers.find("Carrier (T.N), NYSE: T, 600519.SS; not T"))
    [(9, 10, 'att', 'T'), (21, 22, 'att', 'T'), (24, 30, 'wine', '600519')]
    """

    def __init__(self, companies: Iterable[Company]) -> None:
        self._anywhere: dict[str, str] = {}
        self._placed: dict[tuple[str, str], str] = {}
        for company in companies:
            for code in dict.fromkeys((company.ticker or "", *company.rics)):
                base, _, place = code.upper().partition(".")
                if base and place:
                    self._placed.setdefault((base, _SAME_PLACE.get(place, place)), company.id)
                elif base:
                    self._anywhere.setdefault(base, company.id)

    def find(self, text: str) -> Iterator[tuple[int, int, str, str]]:
        """Yield start, end, company id and code as written, in order of place."""
        if not (self._placed or self._anywhere) or not _MAY_HOLD.search(text):
            return
        for match in _CODE.finditer(text):
            kind = str(match.lastgroup)
            start, end = match.span(kind)
            code = match[kind]
            places: tuple[str, ...]
            if kind in ("place", "far"):
                places = (_SAME_PLACE.get(code, code),)
                kind = "code" if kind == "place" else "letter"
                code, (start, end) = match[kind], match.span(kind)
            elif kind == "listed":
                places = (_BOARDS[match["board"]],)
            elif kind == "number":
                places = (_MAINLAND[match["mainland"].upper()],)
            elif kind == "alone" and not _is_ticker_of(text, start, code):
                continue
            else:
                places = ("SS", "SZ", "BJ") if code[0].isdigit() else ("",)
            company = next(
                (self._placed[code, place] for place in places if (code, place) in self._placed),
                self._anywhere.get(code),
            )
            if company is not None:
                yield start, end, company, text[start:end]


def _is_ticker_of(text: str, start: int, code: str) -> bool:
    """Say whether a name stands before "(CODE)", and not the words that CODE abbreviates."""
    words = text[max(0, start - 80) : start - 1].split()
    initials = "".join(word[0] for word in words if word[0].isupper() and not is_form(word))
    if code.lower() in ABBREVIATIONS:
        return False
    return not initials.endswith(code) and bool(
        _NAMED_BEFORE.search(text, max(0, start - 30), start)
    )


_NAMED_BEFORE = re.compile(r"(?:^|[A-Z\u3400-\u9fff][^\s()]*) ?[(\uff08]$")
_MAY_HOLD = re.compile(r"[$(\uff08:\uff1a]|[A-Z\d]\.[A-Z]|\d{6}")
