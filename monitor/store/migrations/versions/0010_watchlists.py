"""Watchlists: which one an article's companies were looked for with.

Articles stored before are of number 0: earlier than any, so they are read again where they are not too old.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watchlists",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("companies", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_watchlists")),
    )
    # Not by a batch: that would copy the whole table on SQLite.
    op.add_column(
        "articles",
        sa.Column("watchlist", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_index(
        op.f("ix_articles_watchlist_ingested_us"), "articles", ["watchlist", "ingested_us"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_articles_watchlist_ingested_us"), table_name="articles")
    op.drop_column("articles", "watchlist")
    op.drop_table("watchlists")
