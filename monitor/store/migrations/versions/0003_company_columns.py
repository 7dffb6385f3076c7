"""What a watchlist says of a company, and how much an item is about one that it names.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LISTS = ("rics", "groups")
_TEXTS = {
    "lei": sa.String(20),
    "credit_code": sa.String(18),
    "parent": sa.Text(),
    "sector": sa.Text(),
    "country": sa.Text(),
}


def upgrade() -> None:
    # One by one, not by a batch: that would copy the whole table on SQLite.
    op.add_column("companies", sa.Column("rics", sa.JSON()))
    for name, kind in _TEXTS.items():
        op.add_column("companies", sa.Column(name, kind))
    op.add_column("companies", sa.Column("groups", sa.JSON()))
    op.add_column("mentions", sa.Column("relevance", sa.String(8)))


def downgrade() -> None:
    op.drop_column("mentions", "relevance")
    for name in (*_LISTS, *_TEXTS):
        op.drop_column("companies", name)
