"""Which event and article made a change of an alert.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMNS = {"event": sa.Text(), "article_id": sa.String(32)}


def upgrade() -> None:
    for name, kind in _COLUMNS.items():
        op.add_column("alert_events", sa.Column(name, kind))


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("alert_events", name)
