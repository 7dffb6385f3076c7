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

_COLUMNS = {"assigned_to": sa.Text(), "snoozed_until_us": sa.BigInteger()}


def upgrade() -> None:
    for name, kind in _COLUMNS.items():
        op.add_column("alerts", sa.Column(name, kind))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("alerts", name)
