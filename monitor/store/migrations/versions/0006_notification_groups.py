"""Which group and route a notification belongs to, the receipts by time, and silences.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("route", "group_key", "change")
_INDEX = ("channel", "group_key", "state")


def upgrade() -> None:
    for name in _COLUMNS:
        column = sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
        op.add_column("notifications", column)
    op.create_index("ix_notifications_channel_group_key_state", "notifications", _INDEX)
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "silences",
        sa.Column("id", serial, primary_key=True),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
    )
    op.create_index("ix_silences_ends_us", "silences", ["ends_us"])


def downgrade() -> None:
    op.drop_table("silences")
    op.drop_index("ix_notifications_channel_group_key_state", "notifications")
    for name in _COLUMNS:
        op.drop_column("notifications", name)
