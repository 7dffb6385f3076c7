from __future__ import annotations

import pytest

from monitor.domain import Company
from monitor.entities.tickers import Tickers

TICKERS = Tickers(
    [
        Company("att", "AT&T", rics=("T.N",)),
        Company("telus", "Telus", rics=("T.TO",)),
        Company("apple", "Apple", ticker="AAPL"),
        Company("unity", "Unity", ticker="U"),
        Company("moutai", "Moutai", ticker="600519.SH"),
        Company("sony", "Sony", rics=("6758.T",)),
    ]
)


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        ("$AAPL and (AAPL.O) and NASDAQ: AAPL", ["apple", "apple", "apple"]),
        ("Phone maker Apple (AAPL) gains", ["apple"]),
        ("T.N, NYSE: T and $T", ["att", "att", "att"]),
        ("T.TO and TSX: T", ["telus", "telus"]),
        ("600519.SH, 600519.SS, SSE\uff1a600519, sh600519, 茅台\uff08600519\uff09", ["moutai"] * 5),
        ("6758.T rose", ["sony"]),
        # not codes
        ("U.N. and U.S. officials; U or T or AAPL alone", []),
        ("Asian Apple Planters League (AAPL) meets", []),
        ("6758 people, in 600519 places (2008)", []),
        ("T.L and 600519.HK are others", []),
    ],
)
def test_codes(text: str, companies: list[str]) -> None:
    assert [company for _, _, company, _ in TICKERS.find(text)] == companies


def test_places_are_those_of_the_code() -> None:
    text = "Carrier T.N gains"
    assert [(text[start:end], code) for start, end, _, code in TICKERS.find(text)] == [("T", "T")]
