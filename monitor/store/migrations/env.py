"""Alembic's entry: runs the migrations on the connection that `monitor.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from monitor.store import words
from monitor.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    include_name=words.is_schema,
)
with context.begin_transaction():
    context.run_migrations()
