"""Buckets and publishers by time, so that what is new is written where the last was.

On SQLite both are copied: the file needs room for both copies, which it keeps for later rows. PostgreSQL
keeps rows in no order, and has an index of buckets by time beside their key: they stay as they are there.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_INDEX, _INDEXED = "ix_buckets_grain_dimension_start_us", ["grain", "dimension", "start_us"]
_SORTED_AT_ONCE = 1_000_000  # rows: SQLite sorts in memory here


def upgrade() -> None:
    if _is_sqlite():
        # The old table's index is in the order of the new key.
        key = ("grain", "dimension", "start_us", "key")
        order = f'INDEXED BY {_INDEX} ORDER BY grain, dimension, start_us, "key"'
        _copy("buckets", _buckets(), key, [order])
        key = ("hour_us", "dimension", "key", "publisher")
        counted = "SELECT hour_us, count(*) FROM publishers GROUP BY hour_us ORDER BY hour_us"
        hours = [(row[0], row[1]) for row in op.get_bind().execute(sa.text(counted))]
        _copy("publishers", _publishers(), key, list(parts_of(hours, _SORTED_AT_ONCE)))
        return
    _change_publishers_key(["hour_us", "dimension", "key", "publisher"])


def downgrade() -> None:
    if _is_sqlite():
        key = ("grain", "dimension", "key", "start_us")
        _copy("buckets", _buckets(), key, ['ORDER BY grain, dimension, "key", start_us'])
        key = ("dimension", "key", "hour_us", "publisher")
        _copy("publishers", _publishers(), key, ['ORDER BY dimension, "key", hour_us, publisher'])
        op.create_index(_INDEX, "buckets", _INDEXED)
        return
    _change_publishers_key(["dimension", "key", "hour_us", "publisher"])


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _change_publishers_key(key: list[str]) -> None:
    op.execute("SET LOCAL statement_timeout = 0")
    op.drop_constraint("pk_publishers", "publishers", type_="primary")
    op.create_primary_key("pk_publishers", "publishers", key)


def _copy(
    table: str, columns: list[sa.Column[Any]], key: tuple[str, ...], parts: list[str]
) -> None:
    """Make a table anew, without its indices, from the rows of the old one, a part at a time."""
    names = ", ".join(f'"{column.name}"' for column in columns)
    op.rename_table(table, f"{table}_before")
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
    for part in parts:
        op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {table}_before {part}")
    # To drop a full table SQLite keeps its pages in memory, to be able to take that back.
    op.execute(f"DELETE FROM {table}_before")
    op.drop_table(f"{table}_before")


def parts_of(hours: Iterable[tuple[int, int]], most: int) -> Iterator[str]:
    """Yield parts of publishers, by time, of at most so many rows, from each hour and its rows."""
    begin, held, order = "", 0, 'ORDER BY hour_us, dimension, "key", publisher'
    for hour_us, number in hours:
        if held and held + number > most:
            yield f"WHERE hour_us < {hour_us}{begin} {order}"
            begin, held = f" AND hour_us >= {hour_us}", 0
        held += number
    yield f"WHERE true{begin} {order}"


def _buckets() -> list[sa.Column[Any]]:
    sums = ("items", "positive", "neutral", "negative", "score_sum", "score_squares")
    weighted = ("weight", "weighted_sum", "weighted_squares")
    zero = sa.text("0")
    return [
        sa.Column("grain", sa.String(length=8), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in sums),
        *(
            sa.Column(name, sa.BigInteger(), server_default=zero, nullable=False)
            for name in weighted
        ),
    ]


def _publishers() -> list[sa.Column[Any]]:
    return [
        sa.Column("hour_us", sa.BigInteger(), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
    ]
