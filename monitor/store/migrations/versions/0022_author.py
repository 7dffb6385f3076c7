"""Who wrote an article, as its page or feed names them.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not by a batch: that would copy the whole table on SQLite.
    op.add_column(
        "articles", sa.Column("author", sa.Text(), server_default=sa.text("''"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("articles", "author")
