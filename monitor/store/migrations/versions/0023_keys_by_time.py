"""Articles, mentions and weights by time, so that what is new is written where the last was.

On SQLite articles and weights are copied: the file needs room for both copies, which it keeps for later rows.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BY_TIME, _BY_ID = "ix_articles_published_us", "ix_articles_id_revision"
_OTHERS = {
    "ix_articles_ingested_us": ["ingested_us"],
    "ix_articles_watchlist_ingested_us": ["watchlist", "ingested_us"],
    "ix_articles_topic_published_us": ["topic", "published_us"],
}


def upgrade() -> None:
    _patiently()
    key = ("published_us", "id", "revision")
    if _is_sqlite():
        _copy_articles(key, _BY_TIME)
    else:
        _change_key("articles", key)
        op.drop_index(_BY_TIME, table_name="articles")
    op.create_index(_BY_ID, "articles", ["id", "revision"], unique=True)

    op.drop_index("ix_mentions_article_id", table_name="mentions")
    op.drop_index("ix_mentions_published_us", table_name="mentions")
    op.create_index(
        "ix_mentions_published_us_article_id", "mentions", ["published_us", "article_id"]
    )

    op.drop_index("ix_weights_report_published_us", table_name="weights")
    _rekey_weights("substr(report, 17) || substr(report, 1, 16)", ("published_us", "article_id"))
    op.create_index("ix_weights_report", "weights", ["report"])


def downgrade() -> None:
    _patiently()
    key = ("id", "revision")
    if _is_sqlite():
        _copy_articles(key, _BY_ID)
    else:
        _change_key("articles", key)
        op.drop_index(_BY_ID, table_name="articles")
    op.create_index(_BY_TIME, "articles", ["published_us"])

    op.drop_index("ix_mentions_published_us_article_id", table_name="mentions")
    op.create_index("ix_mentions_published_us", "mentions", ["published_us"])
    op.create_index("ix_mentions_article_id", "mentions", ["article_id"])

    op.drop_index("ix_weights_report", table_name="weights")
    _rekey_weights("substr(report, 9) || substr(report, 1, 8)", ("article_id",))
    op.create_index("ix_weights_report_published_us", "weights", ["report", "published_us"])


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _patiently() -> None:
    if not _is_sqlite():
        op.execute("SET LOCAL statement_timeout = 0")


def _rekey_weights(report: str, key: tuple[str, ...]) -> None:
    """Give weights another key, and turn their reports around."""
    if _is_sqlite():
        _copy_weights(key, report)
    else:
        op.execute(f"UPDATE weights SET report = {report}")
        _change_key("weights", key)


def _change_key(table: str, key: tuple[str, ...]) -> None:
    op.drop_constraint(f"pk_{table}", table, type_="primary")
    op.create_primary_key(f"pk_{table}", table, list(key))


def _copy(
    table: str, columns: list[sa.Column[Any]], key: tuple[str, ...], rows: str, **changed: str
) -> None:
    """Make a table anew, without its indices, from rows of the old one in the order of another key.

    SQLite sorts in memory here, so they have to come in that order by themselves.
    """
    names = [column.name for column in columns]
    op.rename_table(table, f"{table}_before")
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
    values = ", ".join(changed.get(name, f"{table}_before.{name}") for name in names)
    op.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {rows}")
    # To drop a full table SQLite keeps its pages in memory, to be able to take that back.
    op.execute(f"DELETE FROM {table}_before")
    op.drop_table(f"{table}_before")


def _copy_articles(key: tuple[str, ...], index: str) -> None:
    rows = f"articles_before INDEXED BY {index} ORDER BY {', '.join(key)}"
    _copy("articles", _articles(), key, rows)
    for name, columns in _OTHERS.items():
        op.create_index(name, "articles", columns)


def _copy_weights(key: tuple[str, ...], report: str) -> None:
    """Copy weights as their articles lie; every one is of a current article."""
    same = "article_id = id AND weights_before.published_us = articles.published_us"
    rows = f"articles CROSS JOIN weights_before ON {same} WHERE current"
    _copy("weights", _weights(), key, rows, report=report)


def _articles() -> list[sa.Column[Any]]:
    return [
        sa.Column("published_us", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.String(length=16), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("ingested_us", sa.BigInteger(), nullable=False),
        sa.Column("classified_us", sa.BigInteger(), nullable=False),
        sa.Column("date_status", sa.String(length=8), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("topic_probability", sa.Float(), nullable=True),
        sa.Column("sentiment", sa.String(length=8), nullable=True),
        sa.Column("sentiment_probability", sa.Float(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("risks", sa.JSON(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("bundle_hash", sa.Text(), nullable=False),
        sa.Column("unsure", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("watchlist", sa.Integer(), server_default=sa.text("0"), nullable=False),
    ]


def _weights() -> list[sa.Column[Any]]:
    return [
        sa.Column("published_us", sa.BigInteger(), nullable=False),
        sa.Column("article_id", sa.String(length=32), nullable=False),
        sa.Column("report", sa.String(length=24), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("lists", sa.JSON(none_as_null=True), nullable=True),
    ]
