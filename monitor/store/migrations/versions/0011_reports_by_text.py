"""Weights: the text of a report before its day, so that a text is found whatever its day.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE weights SET report = substr(report, 9) || substr(report, 1, 8)")


def downgrade() -> None:
    op.execute("UPDATE weights SET report = substr(report, 17) || substr(report, 1, 16)")
