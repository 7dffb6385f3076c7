"""The record and what is derived from it, in SQLite (WAL) or PostgreSQL, through SQLAlchemy Core.

One module per subject (articles, buckets, alerts, outbox, progress, ...), each with its writes and its
queries. Writes take the `Connection` of the caller's transaction, so that one transaction can hold them all;
queries that serve pages take the `Store` and return pandas frames or domain values.

To change the schema: edit ``schema.py``, then ``python -m monitor.store.revise "what changed"`` writes the
migration; a test compares the migrated database with ``schema.py``.
"""

from sqlalchemy import Connection

from monitor.store.database import Store

__all__ = ["Connection", "Store"]
