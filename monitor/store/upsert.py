"""What both databases can do and SQLAlchemy spells in two modules, or does a row at a time.

A statement for a thousand rows costs SQLAlchemy far more than the database: it prepares every value by its
column's type, and every member of an ``IN`` list as a parameter of its own. So rows go to SQLite's driver
as they are, and to PostgreSQL as one array a column; so do lists of keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Table,
    any_,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

Columns = Mapping[str, Sequence[Any]]
"""Rows by column: plain values as the drivers take them, JSON as text; all of one length."""


def insert(connection: Connection, table: Table) -> Any:
    """Return an insert of this connection's dialect, with ``on_conflict_do_nothing`` and ``_do_update``."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_rows(
    connection: Connection,
    table: Table,
    rows: Columns,
    *,
    adding: Sequence[str] = (),
    ignoring: bool = False,
) -> None:
    """Insert rows with one statement.

    Parameters
    ----------
    adding
        Of a row whose primary key is there already, these columns are added to what is stored. No two of
        the rows may have one key then.
    ignoring
        A row whose primary key is there already is left out.
    """
    if not next(iter(rows.values())):
        return
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(map(quote, rows))
    statement = f"INSERT INTO {table.name} ({names}) "
    on_server = connection.dialect.name == "postgresql"
    if on_server:
        types = (table.c[name].type.compile(connection.dialect) for name in rows)
        # In the order given: two writers that sort alike wait for each other and never in a circle.
        statement += f"SELECT * FROM unnest({', '.join(f'%s::{type_}[]' for type_ in types)})"
    else:
        statement += f"VALUES ({', '.join('?' * len(rows))})"
    if adding:
        keys = ", ".join(quote(column.name) for column in table.primary_key.columns)
        sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in adding)
        statement += f" ON CONFLICT ({keys}) DO UPDATE SET {sums}"
    elif ignoring:
        statement += " ON CONFLICT DO NOTHING"
    if on_server:
        connection.exec_driver_sql(statement, tuple(map(array_literal, rows.values())))
    else:
        connection.exec_driver_sql(statement, list(zip(*rows.values(), strict=True)))


def array_literal(values: Sequence[Any]) -> str:
    r"""Return an array as PostgreSQL reads it from text (its manual, 8.15.2).

    The driver writes arrays an element at a time in Python, which took a third of the time of a batch.

    Examples
    --------
    >>> print(array_literal(["a", 'b "c"', None]), array_literal([1, 2]), array_literal([True, 0.5]))
    {"a","b \"c\"",NULL} {1,2} {true,0.5}
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        joined = _UNIT.join(values)
        if joined.count(_UNIT) == len(values) - 1:
            return f'{{"{_escaped(joined).replace(_UNIT, chr(34) + "," + chr(34))}"}}'
    each = str if kinds == {int} else _element
    return f"{{{','.join(map(each, values))}}}"


_UNIT = "\x1f"  # ASCII's unit separator, which no text has that is worth reading


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def by_column(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Turn rows that all have the same columns, at least one, to columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def among(
    connection: Connection, column: Column[Any], values: Sequence[str] | Sequence[int]
) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values: one parameter, however many."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    each = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(each.c.value))


def among_rows(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]]
) -> ColumnElement[bool]:
    """Return the condition that columns have, together, the values of one of these rows.

    A subquery, because SQLite follows no index for a list of rows.
    """
    if connection.dialect.name == "postgresql":
        # PostgreSQL takes the elements of several arrays in step (its manual, 38.5.9).
        each = (
            func.unnest(literal([row[at] for row in rows], ARRAY(column.type)))
            for at, column in enumerate(columns)
        )
        return tuple_(*columns).in_(select(*each))
    listed = func.json_each(json.dumps(rows)).table_valued("value")
    values = (func.json_extract(listed.c.value, f"$[{at}]") for at in range(len(columns)))
    return tuple_(*columns).in_(select(*values))
