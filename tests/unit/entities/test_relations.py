from __future__ import annotations

from pathlib import Path

import pytest

from monitor.domain import Company
from monitor.entities.relations import RelationKind, load_relations
from monitor.entities.watchlist import Watchlist
from monitor.errors import ConfigError

WATCHED = Watchlist((Company("acme", "Acme", ("ACM",)), Company("bolt", "Bolt")))


def test_relations_are_between_companies_of_the_watchlist(tmp_path: Path) -> None:
    path = tmp_path / "relations.csv"
    path.write_text("From,Kind,To\nbolt,Supplier,ACM\nacme,peer,Bolt\n", "utf-8")
    relations = load_relations(path, WATCHED)
    assert relations.exposed_to("bolt") == (
        ("acme", RelationKind.SUPPLIER),
        ("acme", RelationKind.PEER),
    )
    assert relations.exposed_to("acme") == (("bolt", RelationKind.PEER),)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("Nail,peer,Bolt", "'Nail' is not in the watchlist"),
        ("Acme,owner,Bolt", "unknown kind 'owner'"),
        ("Acme,peer,ACM", "relates to itself"),
        ("Bolt,peer,Acme", "already on line 2"),
    ],
)
def test_a_wrong_row_names_line_and_remedy(tmp_path: Path, row: str, says: str) -> None:
    path = tmp_path / "relations.csv"
    path.write_text(f"from,kind,to\nBolt,peer,Acme\n{row}\n", "utf-8")
    with pytest.raises(ConfigError) as error:
        load_relations(path, WATCHED)
    assert str(error.value).startswith(f"{path}:3: ")
    assert says in str(error.value)
