"""Who an alert is assigned to, and until when it is snoozed.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("assigned_to", sa.Text()))
    op.add_column("alerts", sa.Column("snoozed_until_us", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("alerts", "snoozed_until_us")
    op.drop_column("alerts", "assigned_to")
