"""When a notification was to be told, which tries after failures do not move.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("due_us", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    op.add_column("notifications", column)
    op.execute("UPDATE notifications SET due_us = next_try_us")


def downgrade() -> None:
    op.drop_column("notifications", "due_us")
