"""What is known of a source survives a restart: how its visits go, when the next is due, where it was.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ADDED: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("kind", sa.String(20)),
    ("took_s", sa.Float()),
    ("items", sa.Integer()),
    ("unusable", sa.Integer()),
    ("due_us", sa.BigInteger()),
    ("cadence_s", sa.Float()),
    ("memory", sa.Text()),
)


def upgrade() -> None:
    with op.batch_alter_table("visits") as table:
        for name, kind in _ADDED:
            table.add_column(sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("visits") as table:
        for name, _ in reversed(_ADDED):
            table.drop_column(name)
