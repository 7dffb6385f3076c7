"""``check-config`` reads every file that ``[watchlist]`` points to."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.check import check_settings
from monitor.errors import ConfigError
from monitor.settings import Settings, load_settings


def settings(folder: Path, relations: str) -> Settings:
    files = {
        "watchlist.csv": "name\nAcme\nBolt\n",
        "relations.csv": relations,
        "reference.csv": "name\nAcme Inc\nZenith\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    watchlist = {
        "path": folder / "watchlist.csv",
        "relations": folder / "relations.csv",
        "reference": [folder / "reference.csv"],
    }
    return load_settings(None, {"watchlist": watchlist})


def test_remarks_say_what_was_read(tmp_path: Path) -> None:
    notes = check_settings(settings(tmp_path, "from,kind,to\nAcme,supplier,Bolt\n"))
    assert "watchlist: 2 companies" in notes
    assert "relations: 1" in notes
    assert "reference: 1 companies that are not watched" in notes


def test_a_wrong_relation_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"relations\.csv:2: 'Nail' is not in the watchlist"):
        check_settings(settings(tmp_path, "from,kind,to\nNail,supplier,Bolt\n"))
