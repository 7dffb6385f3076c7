"""The events file, and the kinds that it may name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.backtest import expected
from monitor.backtest.expected import families_of, load_events
from monitor.domain import Company
from monitor.errors import ConfigError
from monitor.stories import RiskPack

COMPANIES = (Company("acme", "Acme Corp", ("Acme",)),)
HEAD = "window,entity,kind,first_headline_at,first_headline\n"


def test_every_family_of_the_kinds_is_one_of_the_pack() -> None:
    known = {rule.family for rule in RiskPack.load().rules.values()}
    table = yaml.safe_load(Path(expected.__file__).with_name("kinds.yaml").read_text("utf-8"))
    assert {family for families in table.values() for family in families.split()} <= known


@pytest.mark.parametrize(
    ("kind", "family", "not_family"),
    [
        ("bank run", "liquidity", "product"),
        ("CEO fired", "governance", "safety"),
        ("trading ban", "regulatory", "liquidity"),
        ("refinery fire", "safety", "governance"),
        ("data breach", "cyber", "legal"),
        ("takeover (positive)", "deal", "earnings"),
        ("sovereign downgrade", "rating", "cyber"),
    ],
)
def test_families_of_a_kind(kind: str, family: str, not_family: str) -> None:
    assert family in families_of(kind)
    assert not_family not in families_of(kind)


def test_events_are_read_by_name_or_alias(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(HEAD + "w,Acme,product recall,2026-01-05T09:00:00Z,Acme recalls\n", "utf-8")
    (event,) = load_events(file, COMPANIES)
    assert (event.company_id, event.first_headline) == ("acme", "Acme recalls")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entity,kind\nAcme,recall\n", "no column first_headline_at"),
        (HEAD + "w,Brown,recall,2026-01-05T09:00:00Z,\n", ":2: 'Brown' is not on the watchlist"),
        (HEAD + "w,Acme,recall,soon,\n", ":2: first_headline_at 'soon' is no time"),
        (HEAD + "w,Acme,,2026-01-05T09:00:00Z,\n", ":2: write entity, kind"),
    ],
)
def test_mistakes_are_explained(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        load_events(file, COMPANIES)
