"""What the pages ask for: full text, items by topic, alerts by item, visits of sources, who follows what.

Stored articles are indexed here: about a minute for a million.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from monitor.store import words

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_articles_topic_published_us", "articles", ["topic", "published_us"])
    op.create_index("ix_evidence_article_id", "evidence", ["article_id"])
    op.create_table(
        "visits",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("tried_us", sa.BigInteger(), nullable=False),
        sa.Column("succeeded_us", sa.BigInteger(), nullable=True),
        sa.Column("new_us", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_visits"),
    )
    op.create_table(
        "interests",
        sa.Column("person", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", "kind", "key", name="pk_interests"),
    )
    connection = op.get_bind()
    words.create(connection)
    words.fill(connection)


def downgrade() -> None:
    words.drop(op.get_bind())
    op.drop_table("interests")
    op.drop_table("visits")
    op.drop_index("ix_evidence_article_id", table_name="evidence")
    op.drop_index("ix_articles_topic_published_us", table_name="articles")
