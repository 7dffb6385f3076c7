"""What migrations share that give tables other keys: SQLite changes none, so that a table is copied."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def patiently() -> None:
    """Let the statements of this migration take as long as a large database of PostgreSQL needs."""
    if not is_sqlite():
        op.execute("SET LOCAL statement_timeout = 0")


def copy(table: str, key: Iterable[str], sources: Iterable[str], **changed: str) -> None:
    """Make a table anew under another key, without its indices, from the rows of the old one.

    Parameters
    ----------
    sources
        What stands behind ``FROM``, of one part of the rows each, where the old table is ``TABLE_before``.
        SQLite sorts in memory here: rows had better come in the order of the key, or few at a time.
    changed
        By column, the SQL of its value, where that is not the old one.
    """
    before = f"{table}_before"
    columns = sa.inspect(op.get_bind()).get_columns(table)
    op.rename_table(table, before)
    op.create_table(
        table,
        *(
            sa.Column(
                column["name"],
                column["type"],
                nullable=column["nullable"],
                server_default=None if column["default"] is None else sa.text(column["default"]),
            )
            for column in columns
        ),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
    names = [column["name"] for column in columns]
    values = ", ".join(changed.get(name, f'{before}."{name}"') for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    for source in sources:
        op.execute(f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {source}")
    # To drop a full table SQLite keeps its pages in memory, to be able to take that back.
    op.execute(f"DELETE FROM {before}")
    op.drop_table(before)


def change_key(table: str, key: Iterable[str]) -> None:
    """Give a table of PostgreSQL another key."""
    op.drop_constraint(f"pk_{table}", table, type_="primary")
    op.create_primary_key(f"pk_{table}", table, list(key))
