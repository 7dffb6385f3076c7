"""What had to be seen: a file of known events, and which families of alerts answer each kind of them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import yaml

from monitor.collect.dates import parse_date
from monitor.domain import Company
from monitor.entities.fold import fold
from monitor.errors import ConfigError

COLUMNS = ("entity", "kind", "first_headline_at")
BEFORE = timedelta(hours=2)
AFTER = timedelta(hours=24)
_KINDS = Path(__file__).with_name("kinds.yaml")


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """One event that had to be seen.

    ``families`` are those of the risk pack that answer its kind; empty when the kind has no word of
    ``kinds.yaml``: then no alert answers it.
    """

    company_id: str
    entity: str
    kind: str
    families: frozenset[str]
    first_headline_at: datetime
    first_headline: str

    def holds(self, moment: datetime) -> bool:
        """Say whether a decisive item of this time is in time: from 2 h before to 24 h after."""
        return self.first_headline_at - BEFORE <= moment <= self.first_headline_at + AFTER


def load_events(path: Path, companies: Sequence[Company]) -> tuple[ExpectedEvent, ...]:
    """Read known events: csv with the columns entity, kind, first_headline_at, optional first_headline.

    Raises
    ------
    ConfigError
        The file cannot be read, a row lacks something, or its entity is not watched; names file and line.
    """
    by_name = {
        fold(name): company.id for company in companies for name in (company.name, *company.aliases)
    }
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the events ({error}); check the path") from None
    reader = csv.DictReader(text.splitlines(keepends=True))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(
            f"{path}:1: no column {', '.join(missing)}; write a header `{','.join(COLUMNS)}`"
        )
    return tuple(_event(f"{path}:{reader.line_num}", row, by_name) for row in reader)


def families_of(kind: str) -> frozenset[str]:
    """Return the families of the risk pack that answer a kind of event, by its words.

    Examples
    --------
    >>> sorted(families_of("product recall"))
    ['operations', 'product', 'safety']
    >>> families_of("comet")
    frozenset()
    """
    plain = fold(kind)
    return frozenset(
        family
        for pattern, families in _kinds().items()
        if pattern.search(plain)
        for family in families
    )


def _event(where: str, row: Mapping[str, str], by_name: Mapping[str, str]) -> ExpectedEvent:
    entity, kind, at = ((row[name] or "").strip() for name in COLUMNS)
    if not entity or not kind or not at:
        raise ConfigError(f"{where}: write entity, kind and first_headline_at, or remove the row")
    company_id = by_name.get(fold(entity))
    if company_id is None:
        raise ConfigError(f"{where}: {entity!r} is not on the watchlist; add it, or an alias")
    try:
        moment = parse_date(at)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{where}: first_headline_at {at!r} is no time: {error}") from None
    return ExpectedEvent(
        company_id,
        entity,
        kind,
        families_of(kind),
        moment,
        (row.get("first_headline") or "").strip(),
    )


@cache
def _kinds() -> Mapping[re.Pattern[str], tuple[str, ...]]:
    table = yaml.safe_load(_KINDS.read_text(encoding="utf-8"))
    return {
        re.compile(rf"\b(?:{words})"): tuple(families.split()) for words, families in table.items()
    }
