"""Articles, mentions and weights by time, so that what is new is written where the last was.

On SQLite articles and weights are copied: the file needs room for both copies, which it keeps for later rows.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

from alembic import op

from monitor.store.migrations.copying import change_key, copy, is_sqlite, patiently

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
    patiently()
    key = ("published_us", "id", "revision")
    if is_sqlite():
        _copy_articles(key, _BY_TIME)
    else:
        change_key("articles", key)
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
    patiently()
    key = ("id", "revision")
    if is_sqlite():
        _copy_articles(key, _BY_ID)
    else:
        change_key("articles", key)
        op.drop_index(_BY_ID, table_name="articles")
    op.create_index(_BY_TIME, "articles", ["published_us"])

    op.drop_index("ix_mentions_published_us_article_id", table_name="mentions")
    op.create_index("ix_mentions_published_us", "mentions", ["published_us"])
    op.create_index("ix_mentions_article_id", "mentions", ["article_id"])

    op.drop_index("ix_weights_report", table_name="weights")
    _rekey_weights("substr(report, 9) || substr(report, 1, 8)", ("article_id",))
    op.create_index("ix_weights_report_published_us", "weights", ["report", "published_us"])


def _rekey_weights(report: str, key: tuple[str, ...]) -> None:
    """Give weights another key, and turn their reports around."""
    if is_sqlite():
        _copy_weights(key, report)
    else:
        op.execute(f"UPDATE weights SET report = {report}")
        change_key("weights", key)


def _copy_articles(key: tuple[str, ...], index: str) -> None:
    rows = f"articles_before INDEXED BY {index} ORDER BY {', '.join(key)}"
    copy("articles", key, [rows])
    for name, columns in _OTHERS.items():
        op.create_index(name, "articles", columns)


def _copy_weights(key: tuple[str, ...], report: str) -> None:
    """Copy weights as their articles lie; every one is of a current article."""
    same = "article_id = id AND weights_before.published_us = articles.published_us"
    rows = f"articles CROSS JOIN weights_before ON {same} WHERE current"
    copy("weights", key, [rows], report=report)
