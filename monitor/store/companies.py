"""The watched companies, as the pages show them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from monitor.domain import Company
from monitor.store.database import Store
from monitor.store.schema import companies


def replace(connection: Connection, watched: Iterable[Company]) -> None:
    """Make the stored watchlist this one."""
    connection.execute(delete(companies))
    rows = [
        {
            "id": company.id,
            "name": company.name,
            "aliases": list(company.aliases),
            "ticker": company.ticker,
            "isin": company.isin,
            "rics": list(company.rics),
            "lei": company.lei,
            "credit_code": company.credit_code,
            "parent": company.parent,
            "sector": company.sector,
            "country": company.country,
            "groups": list(company.groups),
        }
        for company in watched
    ]
    if rows:
        connection.execute(companies.insert(), rows)


def load(store: Store) -> tuple[Company, ...]:
    """Return the watchlist, by name."""
    with store.read() as connection:
        rows = connection.execute(select(companies).order_by(companies.c.name)).all()
    return tuple(
        Company(
            *(row.id, row.name, tuple(row.aliases), row.ticker, row.isin),
            rics=tuple(row.rics or ()),
            lei=row.lei,
            credit_code=row.credit_code,
            parent=row.parent,
            sector=row.sector,
            country=row.country,
            groups=tuple(row.groups or ()),
        )
        for row in rows
    )
