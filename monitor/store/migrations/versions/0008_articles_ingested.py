"""Articles by ingest time: who sent something when, and the record in the order it came.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEX = "ix_articles_ingested_us"


def upgrade() -> None:
    op.create_index(_INDEX, "articles", ["ingested_us"])


def downgrade() -> None:
    op.drop_index(_INDEX, "articles")
