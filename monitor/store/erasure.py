"""Erasing the text of articles, for good: what somebody may ask for who is named in one, or who owns it.

The row stays, without text, author, address and quotes: ids, labels, counts and trends are as they were, so
that the figures of the past do not change, and the article is known, so that it never comes in again,
corrected versions of it neither. What alerts and messages quoted of it is erased with it. It stays in the
streams until they forget it (``[stream] retention_days``), in backups, and in what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from monitor.domain import ERASED
from monitor.store import articles as article_store
from monitor.store import words
from monitor.store.article_rows import parts
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import alert_events, alerts, articles, evidence, notifications, seen
from monitor.store.upsert import insert

NEVER_AGAIN = 2**31 - 1  # in place of a watchlist: there is nothing to read again
QUOTES = ("evidence", "words")  # of a risk event
DETAILS = ("quote", "words")  # of an alert


def containing(connection: Connection, text: str, limit: int) -> list[str]:
    """Return the ids of articles whose title, lead or author has a text in it, in any case, newest first."""
    pattern = "%" + text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
    columns = (articles.c.title, articles.c.lead, articles.c.author)
    has = or_(*(column.ilike(pattern, escape="\\") for column in columns))
    newest = select(articles.c.id).where(has).order_by(articles.c.published_us.desc())
    return list(dict.fromkeys(connection.execute(newest.limit(limit)).scalars()))


def erase(
    connection: Connection, ids: Sequence[str], who: str, now: datetime, reason: str
) -> list[str]:
    """Erase the text of every revision of some articles; return the ids of those that were there.

    Each is an entry of the audit. A second time changes nothing.
    """
    article_store.lock(connection)
    rows = [
        row
        for part in parts(ids)
        for row in connection.execute(
            select(
                articles.c.id, articles.c.revision, articles.c.published_us, articles.c.risks
            ).where(articles.c.id.in_(part), articles.c.title != ERASED)
        )
    ]
    for row in rows:
        connection.execute(
            update(articles)
            .where(articles.c.id == row.id, articles.c.revision == row.revision)
            .values(
                title=ERASED,
                lead="",
                author="",
                url=None,
                risks=[_without(risk, QUOTES) for risk in row.risks],
                watchlist=NEVER_AGAIN,
            )
        )
    words.remove(connection, [(row.id, row.published_us) for row in rows])
    found = list(dict.fromkeys(row.id for row in rows))
    if found:
        connection.execute(
            insert(connection, seen).on_conflict_do_nothing(), [{"id": id_} for id_ in found]
        )
    for part in parts(found):
        _forget_quotes(connection, part)
    for id_ in found:
        audited(connection, AuditEntry(now, who, "erased", id_, {}, {}, reason))
    return found


def _forget_quotes(connection: Connection, ids: Sequence[str]) -> None:
    """Erase what alerts that rest on these articles quote of them, and the messages about such alerts."""
    proof, told = evidence.c.article_id.in_(ids), alert_events.c.article_id.in_(ids)
    quoting = set(connection.execute(select(evidence.c.alert_id).where(proof)).scalars())
    quoting |= set(connection.execute(select(alert_events.c.alert_id).where(told)).scalars())
    connection.execute(update(evidence).where(proof).values(title=ERASED, url=None, quote=""))
    for part in parts(sorted(quoting)):
        some = alerts.c.id.in_(part)
        for id_, details in connection.execute(select(alerts.c.id, alerts.c.details).where(some)):
            kept = _without(details, DETAILS)
            connection.execute(update(alerts).where(alerts.c.id == id_).values(details=kept))
        # Which of the articles a message quotes is not known: all of its text goes.
        connection.execute(
            update(notifications)
            .where(notifications.c.alert_id.in_(part))
            .values(subject=ERASED, body=ERASED, payload={})
        )


def _without(found: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: "" if name in names else value for name, value in found.items()}
