"""Weights: what an article counts for in the sentiment index, copies of a report once.

Articles counted before have no weight: the index of those days is "no data".

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SUMS = ("weight", "weighted_sum", "weighted_squares")


def upgrade() -> None:
    # Not by a batch: that would copy the whole table on SQLite.
    for name in _SUMS:
        op.add_column(
            "buckets",
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        )
    op.create_table(
        "weights",
        sa.Column("article_id", sa.String(length=32), nullable=False),
        sa.Column("report", sa.String(length=24), nullable=False),
        sa.Column("published_us", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("lists", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("article_id", name=op.f("pk_weights")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_weights_report_published_us", "weights", ["report", "published_us"])


def downgrade() -> None:
    op.drop_table("weights")
    for name in _SUMS:
        op.drop_column("buckets", name)
