"""The watched companies, and the number of the watchlist that they are from.

Every watchlist that differs from the one before has a number, higher than those before it. An article says
under which number its companies were looked for, so that those of an earlier one can be read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, text

from monitor.domain import Company, from_micros, to_micros
from monitor.store.database import Store
from monitor.store.schema import companies, watchlists


@dataclass(frozen=True, slots=True)
class Watched:
    """A watchlist in use; ``number`` is 0 before there was any."""

    number: int
    companies: tuple[Company, ...]


def hash_of(watched: Iterable[Company], others: Iterable[Company] = ()) -> str:
    """Return the SHA-256, in hex, of a watchlist and its reference lists, whatever their order."""
    lines = hashlib.sha256()
    for kind, several in (("watched", watched), ("other", others)):
        rows = (json.dumps([kind, asdict(each)], ensure_ascii=False) for each in several)
        for row in sorted(rows):
            lines.update(f"{row}\n".encode())
    return lines.hexdigest()


def replace(
    connection: Connection,
    watched: Iterable[Company],
    now: datetime,
    others: Iterable[Company] = (),
) -> Watched:
    """Make the stored watchlist this one; where it is already, nothing changes.

    Parameters
    ----------
    now
        Wall clock, for the record.
    others
        Companies of reference lists: not stored, but part of what makes a watchlist another one.
    """
    known = tuple(watched)
    digest = hash_of(known, others)
    if connection.dialect.name == "postgresql":
        # Several processes start at once, each with the same file.
        connection.execute(text("LOCK TABLE watchlists IN SHARE ROW EXCLUSIVE MODE"))
    query = select(watchlists).order_by(watchlists.c.number.desc()).limit(1)
    last = connection.execute(query).first()
    if last is not None and last.hash == digest:
        return Watched(last.number, known)
    connection.execute(delete(companies))
    if known:
        connection.execute(companies.insert(), [_row(company) for company in known])
    row = {"hash": digest, "companies": len(known), "at_us": to_micros(now)}
    number = connection.execute(watchlists.insert().values(row)).inserted_primary_key
    assert number is not None
    return Watched(int(number[0]), known)


def number(connection: Connection) -> int:
    """Return the number of the watchlist in use; 0 where there was none."""
    return connection.execute(select(func.max(watchlists.c.number))).scalar() or 0


def since(connection: Connection) -> datetime | None:
    """Return when the watchlist in use came, wall clock; ``None`` where there was none."""
    query = select(watchlists.c.at_us).order_by(watchlists.c.number.desc()).limit(1)
    micros = connection.execute(query).scalar()
    return None if micros is None else from_micros(micros)


def watched(connection: Connection) -> Watched:
    """Return the watchlist in use, its companies by name."""
    rows = connection.execute(select(companies).order_by(companies.c.name)).all()
    return Watched(
        number(connection),
        tuple(
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
        ),
    )


def load(store: Store) -> tuple[Company, ...]:
    """Return the watched companies, by name."""
    with store.read() as connection:
        return watched(connection).companies


def _row(company: Company) -> dict[str, object]:
    return {
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
