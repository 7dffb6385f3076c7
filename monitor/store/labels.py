"""What people say of articles: added to and never changed; taking back is an event of its own.

Every label is written twice over: here, from where the `labels` stream carries it, and in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, select, update

from monitor.domain import Label, LabelRole, from_micros, to_micros
from monitor.errors import ForeshockError
from monitor.store.article_rows import parts
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import labels

WITHDRAWN = "withdrawn"  # in place of a sampler: nobody asked for it


class LabelRefused(ForeshockError):
    """A label that cannot be taken; the message says why."""


def add(connection: Connection, label: Label) -> Label:
    """Write a label; return it with its id.

    Raises
    ------
    LabelRefused
        It has no value: `withdraw` takes a label back.
    """
    if label.value is None or label.withdraws is not None:
        raise LabelRefused("a label needs a value; to take one back, withdraw it")
    stored = _insert(connection, label)
    act = {LabelRole.ADJUDICATION: "adjudicated"}.get(label.role, "labelled")
    _audit(connection, stored, act, {}, {"value": label.value, "label": stored.id})
    return stored


def withdraw(connection: Connection, label_id: int, who: str, now: datetime) -> Label:
    """Take back a label of one's own; what the same person said before counts again.

    Raises
    ------
    LabelRefused
        There is no such label, it is somebody else's, or it was taken back already.
    """
    query = select(labels).where(labels.c.id == label_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None or row["value"] is None:
        raise LabelRefused(f"label {label_id}: there is none")
    if row["who"] != who:
        raise LabelRefused(f"label {label_id}: it is {row['who']}'s, who alone can take it back")
    taken = select(labels.c.id).where(labels.c.withdraws == label_id)
    if connection.execute(taken).first() is not None:
        raise LabelRefused(f"label {label_id}: it was taken back already")
    before = _label(row)
    event = replace(before, id=None, value=None, at=now, sampler=WITHDRAWN, withdraws=label_id)
    stored = _insert(connection, event)
    was = {"value": before.value, "label": label_id}
    _audit(connection, stored, "withdrawn", was, {"label": stored.id})
    return stored


def events(
    connection: Connection,
    *,
    head: str | None = None,
    articles: Sequence[str] | None = None,
) -> list[Label]:
    """Return labels and withdrawals in the order they were written: all, or of a head or some articles."""
    query = select(labels).order_by(labels.c.id)
    if head is not None:
        query = query.where(labels.c.head == head)
    if articles is None:
        return [_label(row) for row in connection.execute(query).mappings()]
    found: list[Label] = []
    for part in parts(articles):
        rows = connection.execute(query.where(labels.c.article_id.in_(part))).mappings()
        found += map(_label, rows)
    return sorted(found, key=lambda label: label.id or 0)


def page(
    connection: Connection,
    limit: int,
    *,
    before: int | None = None,
    head: str | None = None,
    who: str | None = None,
    article: str | None = None,
) -> list[Label]:
    """Return labels and withdrawals that pass every filter given, by id downwards, below an id."""
    query = select(labels).order_by(labels.c.id.desc()).limit(limit)
    same = {"head": head, "who": who, "article_id": article}
    query = query.where(*(labels.c[name] == v for name, v in same.items() if v is not None))
    if before is not None:
        query = query.where(labels.c.id < before)
    return [_label(row) for row in connection.execute(query).mappings()]


def last_id(connection: Connection) -> int:
    """Return the id of the newest label or withdrawal; 0 before there is one."""
    return int(connection.execute(select(func.max(labels.c.id))).scalar_one() or 0)


def unrelayed(connection: Connection, limit: int) -> list[Label]:
    """Return labels and withdrawals that the `labels` stream does not have yet, oldest first."""
    query = select(labels).where(labels.c.relayed.is_(False)).order_by(labels.c.id).limit(limit)
    return [_label(row) for row in connection.execute(query).mappings()]


def mark_relayed(connection: Connection, relayed: Sequence[Label]) -> None:
    """Say that these are durable in the `labels` stream."""
    ids = [label.id for label in relayed]
    connection.execute(update(labels).where(labels.c.id.in_(ids)).values(relayed=True))


def _insert(connection: Connection, label: Label) -> Label:
    row = {
        "article_id": label.article_id,
        "revision": label.revision,
        "head": label.head,
        "company_id": label.company_id,
        "value": label.value,
        "who": label.who,
        "at_us": to_micros(label.at),
        "role": label.role.value,
        "model_version": label.model_version,
        "predicted": label.predicted,
        "probability": label.probability,
        "guess_shown": label.guess_shown,
        "sampler": label.sampler,
        "withdraws": label.withdraws,
    }
    key = connection.execute(labels.insert().values(row)).inserted_primary_key
    assert key is not None
    return replace(label, id=int(key[0]))


def _audit(
    connection: Connection,
    label: Label,
    act: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    about = label.head if label.company_id is None else f"{label.head} {label.company_id}"
    entry = AuditEntry(label.at, label.who, act, label.article_id, before, after, about)
    audited(connection, entry)


def _label(row: RowMapping) -> Label:
    return Label(
        article_id=row["article_id"],
        revision=row["revision"],
        head=row["head"],
        company_id=row["company_id"],
        value=row["value"],
        who=row["who"],
        at=from_micros(row["at_us"]),
        role=LabelRole(row["role"]),
        model_version=row["model_version"],
        predicted=row["predicted"],
        probability=row["probability"],
        guess_shown=row["guess_shown"],
        sampler=row["sampler"],
        withdraws=row["withdraws"],
        id=row["id"],
    )
