"""Who supplies, lends to or competes with whom: indirect exposure, for rules that ask for it.

A relation makes no mention and no alert by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from monitor.entities.fold import fold
from monitor.entities.table import Table
from monitor.entities.watchlist import Watchlist
from monitor.errors import ConfigError


class RelationKind(StrEnum):
    """What the first company of a relation is to the second."""

    SUPPLIER = "supplier"
    LENDER = "lender"
    PEER = "peer"  # holds both ways


@dataclass(frozen=True, slots=True)
class Relation:
    """``source`` is a supplier of, lender to or peer of ``target``; both are company ids."""

    source: str
    kind: RelationKind
    target: str


@dataclass(frozen=True, slots=True)
class Relations:
    """The relations of one file."""

    relations: tuple[Relation, ...] = ()

    def exposed_to(self, company_id: str) -> tuple[tuple[str, RelationKind], ...]:
        """Return the companies that an event at this one reaches, and by which kind of relation.

        Examples
        --------
        >>> relations = Relations((Relation("chips", RelationKind.SUPPLIER, "cars"),))
        >>> relations.exposed_to("chips"), relations.exposed_to("cars")
        ((('cars', <RelationKind.SUPPLIER: 'supplier'>),), ())
        """
        return tuple(dict.fromkeys(self._reached(company_id)))

    def _reached(self, company_id: str) -> Iterator[tuple[str, RelationKind]]:
        for relation in self.relations:
            if relation.source == company_id:
                yield relation.target, relation.kind
            elif relation.target == company_id and relation.kind is RelationKind.PEER:
                yield relation.source, relation.kind


def load_relations(path: Path, watchlist: Watchlist) -> Relations:
    """Read relations between companies of a watchlist.

    Parameters
    ----------
    path
        A UTF-8 CSV file with the columns ``from``, ``kind`` (supplier, lender, peer) and ``to``;
        companies by a name or alias of the watchlist.

    Raises
    ------
    ConfigError
        The file cannot be read, or a row is wrong; the message names file and line.
    """
    ids = {
        fold(name): company.id
        for company in watchlist.companies
        for name in (company.name, *company.aliases)
    }
    found: dict[Relation, int] = {}
    for line, cells in Table(path, "from", "kind", "to").rows():
        where = f"{path}:{line}"
        for column in ("from", "to"):
            if fold(cells[column]) not in ids:
                raise ConfigError(
                    f"{where}: {cells[column]!r} is not in the watchlist; add a row for it there, "
                    "or write a name or alias that it has"
                )
        kinds = [kind.value for kind in RelationKind]
        if cells["kind"].lower() not in kinds:
            raise ConfigError(
                f"{where}: unknown kind {cells['kind']!r}; write one of {', '.join(kinds)}"
            )
        source, target = ids[fold(cells["from"])], ids[fold(cells["to"])]
        if source == target:
            raise ConfigError(f"{where}: {cells['from']!r} relates to itself; remove the row")
        relation = Relation(source, RelationKind(cells["kind"].lower()), target)
        if (first := found.setdefault(relation, line)) != line:
            raise ConfigError(f"{where}: the relation is already on line {first}; remove one")
    return Relations(tuple(found))
