"""What both databases can do and SQLAlchemy spells in two modules, or does a row at a time."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> Any:
    """Return an insert of this connection's dialect, with ``on_conflict_do_nothing`` and ``_do_update``."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def execute_many(connection: Connection, statement: Any, frame: pd.DataFrame) -> None:
    """Run a statement for every row of a frame of plain integers and strings.

    The statement is compiled once and the rows go to the driver as they are: five times as fast as
    ``connection.execute`` with a dictionary a row, which prepares every value by its column's type.
    """
    names = [str(name) for name in frame.columns]
    compiled = statement.compile(dialect=connection.dialect, column_keys=names)
    columns = {name: frame[name].tolist() for name in names}
    if compiled.positional:
        rows: list[Any] = list(zip(*(columns[name] for name in compiled.positiontup), strict=True))
    else:
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    connection.exec_driver_sql(str(compiled), rows)
