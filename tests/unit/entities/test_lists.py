from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from monitor.entities import load_watchlist
from monitor.entities.lists import FORMATS, read_list, write_watchlist
from monitor.errors import ConfigError

SAMPLES = {
    "sec": json.dumps(
        {
            "0": {"cik_str": 1, "ticker": "ACM", "title": "ACME COM INC"},
            "1": {"cik_str": 1, "ticker": "ACM-B", "title": "ACME COM INC"},
            "2": {"cik_str": 2, "ticker": "ZEN", "title": "Zenith Inc. /DE/"},
        }
    ),
    "sp500": "Symbol,Security,GICS Sector\nACM,Acme.com Inc,Tools\nZEN,Zenith Inc.,Banks\n",
    "exchange": json.dumps(
        [
            {"symbol": "ACM", "name": "Acme.com Inc Class A Common Stock", "sector": "Tools"},
            {"symbol": "ACM.W", "name": "Acme.com Inc Class A Common Stock"},
            {"symbol": "ZEN", "name": "Zenith Inc. Common Stock ", "country": "Peru"},
        ]
    ),
    "a-share": "ts_code,name,industry,status\n600001.SH,深物业Ａ,房产,L\n600002.SH,退市,钢铁,D\n",
}


def test_every_format_has_a_sample() -> None:
    assert SAMPLES.keys() == FORMATS.keys()


@pytest.mark.parametrize("format", SAMPLES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_list_becomes_a_watchlist(tmp_path: Path, format: str, packed: bool) -> None:
    data = SAMPLES[format].encode()
    path = tmp_path / ("list.gz" if packed else "list")
    path.write_bytes(gzip.compress(data) if packed else data)
    companies = read_list(path, format)
    write_watchlist(tmp_path / "watchlist.csv", companies)
    watchlist = load_watchlist(tmp_path / "watchlist.csv")
    assert watchlist.companies == companies
    assert not watchlist.warnings
    if format == "a-share":
        assert [(c.name, c.rics, c.sector) for c in companies] == [
            ("深物业A", ("600001.SH",), "房产")
        ]
    else:
        assert [c.name for c in companies] == ["Acme.com Inc", "Zenith Inc."]
        assert [c.ticker for c in companies] == ["ACM", "ZEN"]


@pytest.mark.parametrize("format", SAMPLES)
@pytest.mark.parametrize("content", ["", "[1, 2]", "a,b\n1,2\n", "{", '{"a": {"title": "X"}}'])
def test_another_format_is_refused_in_words(tmp_path: Path, format: str, content: str) -> None:
    path = tmp_path / "list"
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=r"format `"):
        read_list(path, format)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check the path"):
        read_list(tmp_path / "none", "sec")
