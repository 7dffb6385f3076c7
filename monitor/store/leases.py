"""Leases: one holder at a time does a singleton's work."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_

from monitor.domain import to_micros
from monitor.store.schema import leases
from monitor.store.upsert import insert


def this_process() -> str:
    """Return the name under which this process holds leases and reports: its machine and number."""
    return f"{socket.gethostname()}:{os.getpid()}"


def hold(connection: Connection, name: str, holder: str, now: datetime, ttl_s: float) -> bool:
    """Take or renew a lease; say whether ``holder`` has it now.

    ``now`` is the wall clock: a lease guards processes, not events.
    """
    statement = insert(connection, leases)
    statement = statement.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": statement.excluded.holder, "expires_us": statement.excluded.expires_us},
        where=or_(leases.c.holder == holder, leases.c.expires_us < to_micros(now)),
    ).returning(leases.c.holder)
    row = {
        "name": name,
        "holder": holder,
        "expires_us": to_micros(now + timedelta(seconds=ttl_s)),
    }
    return connection.execute(statement, row).first() is not None


def release(connection: Connection, name: str, holder: str) -> None:
    """Give a lease back, if ``holder`` has it."""
    connection.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))
