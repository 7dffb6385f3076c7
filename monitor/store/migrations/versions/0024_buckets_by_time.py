"""Buckets and publishers by time, so that what is new is written where the last was.

On SQLite both are copied: the file needs room for both copies, which it keeps for later rows. PostgreSQL
keeps rows in no order, and has an index of buckets by time beside their key: they stay as they are there.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from alembic import op

from monitor.store.migrations.copying import change_key, copy, is_sqlite, patiently

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_INDEX, _INDEXED = "ix_buckets_grain_dimension_start_us", ["grain", "dimension", "start_us"]
_SORTED_AT_ONCE = 1_000_000  # rows: SQLite sorts in memory here


def upgrade() -> None:
    patiently()
    if is_sqlite():
        # The old table's index is in the order of the new key.
        key = ("grain", "dimension", "start_us", "key")
        order = f'INDEXED BY {_INDEX} ORDER BY grain, dimension, start_us, "key"'
        copy("buckets", key, [f"buckets_before {order}"])
        key = ("hour_us", "dimension", "key", "publisher")
        counted = "SELECT hour_us, count(*) FROM publishers GROUP BY hour_us ORDER BY hour_us"
        hours = [(row[0], row[1]) for row in op.get_bind().execute(sa.text(counted))]
        copy("publishers", key, parts_of(hours, _SORTED_AT_ONCE))
        return
    change_key("publishers", ["hour_us", "dimension", "key", "publisher"])


def downgrade() -> None:
    patiently()
    if is_sqlite():
        key = ("grain", "dimension", "key", "start_us")
        order = 'ORDER BY grain, dimension, "key", start_us'
        copy("buckets", key, [f"buckets_before {order}"])
        key = ("dimension", "key", "hour_us", "publisher")
        order = 'ORDER BY dimension, "key", hour_us, publisher'
        copy("publishers", key, [f"publishers_before {order}"])
        op.create_index(_INDEX, "buckets", _INDEXED)
        return
    change_key("publishers", ["dimension", "key", "hour_us", "publisher"])


def parts_of(hours: Iterable[tuple[int, int]], most: int) -> Iterator[str]:
    """Yield parts of the old publishers, by time, of at most so many rows, from each hour and its rows."""
    rows, order = "publishers_before WHERE", 'ORDER BY hour_us, dimension, "key", publisher'
    begin, held = "", 0
    for hour_us, number in hours:
        if held and held + number > most:
            yield f"{rows} hour_us < {hour_us}{begin} {order}"
            begin, held = f" AND hour_us >= {hour_us}", 0
        held += number
    yield f"{rows} true{begin} {order}"
