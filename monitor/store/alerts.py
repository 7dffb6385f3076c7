"""Alerts with their evidence, and the signals they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select, tuple_, update

from monitor.domain import (
    MAX_EVIDENCE,
    OPEN_STATES,
    Alert,
    AlertKind,
    AlertState,
    Dimension,
    Evidence,
    from_micros,
    to_micros,
)
from monitor.store.article_rows import parts
from monitor.store.database import Store
from monitor.store.schema import alert_events, alerts, articles, evidence, signals
from monitor.store.upsert import insert


def add_signals(connection: Connection, keys: Iterable[tuple[str, str, datetime]]) -> None:
    """Queue articles (id, revision, ingested_at) for the story rules."""
    rows = [
        {"article_id": id_, "revision": revision, "ingested_us": to_micros(ingested_at)}
        for id_, revision, ingested_at in keys
    ]
    if rows:
        connection.execute(signals.insert(), rows)


@dataclass(frozen=True, slots=True)
class Signal:
    """A stored article that waits for the story rules."""

    seq: int
    article_id: str
    revision: str
    ingested_at: datetime


def waiting_signals(connection: Connection, until: datetime | None, limit: int) -> list[Signal]:
    """Return what waits, oldest ingest first, then oldest publication; ``until`` bounds the ingest time."""
    same = (articles.c.id == signals.c.article_id) & (articles.c.revision == signals.c.revision)
    query = select(signals).outerjoin(articles, same)
    if until is not None:
        query = query.where(signals.c.ingested_us <= to_micros(until))
    order = (signals.c.ingested_us, articles.c.published_us, signals.c.article_id)
    return [
        Signal(row.seq, row.article_id, row.revision, from_micros(row.ingested_us))
        for row in connection.execute(query.order_by(*order).limit(limit))
    ]


def remove_signals(connection: Connection, seqs: Sequence[int]) -> None:
    """Take signals off the queue, in the transaction that acted on them."""
    if seqs:
        connection.execute(delete(signals).where(signals.c.seq.in_(seqs)))


def save(connection: Connection, alert: Alert, before: Alert | None = None) -> None:
    """Insert or replace an alert; its evidence is added to what is stored, up to `MAX_EVIDENCE`.

    Where it is known how the alert is stored, ``before``, only evidence that differs from it is written.
    """
    known = set() if before is None else {(e.article_id, e.revision) for e in before.evidence}
    row = {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "kind": alert.kind.value,
        "state": alert.state.value,
        "dimension": alert.dimension.value,
        "key": alert.key,
        "event": alert.event,
        "severity": alert.severity,
        "title": alert.title,
        "started_us": to_micros(alert.started_at),
        "updated_us": to_micros(alert.updated_at),
        "decided_us": to_micros(alert.decided_at),
        "items": alert.items,
        "publishers": alert.publishers,
        "details": dict(alert.details),
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_us": _micros(alert.acknowledged_at),
        "resolved_us": _micros(alert.resolved_at),
        "assigned_to": alert.assigned_to,
        "snoozed_until_us": _micros(alert.snoozed_until),
        "closed_by": alert.closed_by,
    }
    statement = insert(connection, alerts)
    values = {name: statement.excluded[name] for name in row}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[alerts.c.id], set_=values), row
    )
    rows = [
        {
            "alert_id": alert.id,
            "article_id": item.article_id,
            "revision": item.revision,
            "published_us": to_micros(item.published_at),
            "publisher": item.publisher,
            "title": item.title,
            "url": item.url,
            "quote": item.quote,
            "score": item.score,
            "mark": item.mark,
        }
        for item in alert.evidence
        if (item.article_id, item.revision) not in known
    ]
    if rows:
        connection.execute(insert(connection, evidence).on_conflict_do_nothing(), rows)
    if len(alert.evidence) == MAX_EVIDENCE and (rows or before is None):
        # Full: earlier items have taken the place of later ones.
        kept = [(item.article_id, item.revision) for item in alert.evidence]
        of_it = tuple_(evidence.c.article_id, evidence.c.revision)
        where = (evidence.c.alert_id == alert.id, of_it.not_in(kept))
        connection.execute(delete(evidence).where(*where))


def by_fingerprint(connection: Connection, fingerprint: str) -> Alert | None:
    """Return a fingerprint's alert that is not over, else its newest, with all evidence, or ``None``.

    It is locked until the transaction ends, so that nobody acknowledges it meanwhile: for writers only.
    """
    query = select(alerts).where(alerts.c.fingerprint == fingerprint)
    order = (alerts.c.resolved_us.is_not(None), alerts.c.updated_us.desc(), alerts.c.id)
    query = query.order_by(*order).limit(1).with_for_update()
    row = connection.execute(query).mappings().first()
    return None if row is None else _alert(row, _evidence(connection, row["id"]))


def get(connection: Connection, alert_id: str) -> Alert | None:
    """Return one alert with its evidence, or ``None``."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).mappings().first()
    return None if row is None else _alert(row, _evidence(connection, row["id"]))


def beginning_with(connection: Connection, beginning: str, limit: int = 3) -> list[str]:
    """Return the ids of told alerts that begin with some digits."""
    query = select(alerts.c.id).where(
        alerts.c.id.startswith(beginning, autoescape=True),
        alerts.c.state != AlertState.PENDING.value,
    )
    return list(connection.execute(query.order_by(alerts.c.id).limit(limit)).scalars())


def of_key(connection: Connection, key: str) -> list[Alert]:
    """Return all alerts on a company or topic without their evidence, oldest first."""
    query = select(alerts).where(alerts.c.key == key).order_by(alerts.c.started_us, alerts.c.id)
    return [_alert(row, ()) for row in connection.execute(query).mappings()]


def unresolved(connection: Connection, states: Sequence[AlertState]) -> list[Alert]:
    """Return alerts in these states that are not over, without their evidence, oldest update first.

    They are locked until the transaction ends: for writers only.
    """
    query = select(alerts).where(
        alerts.c.state.in_([state.value for state in states]), alerts.c.resolved_us.is_(None)
    )
    query = query.order_by(alerts.c.updated_us, alerts.c.id).with_for_update()
    rows = connection.execute(query).mappings()
    return [_alert(row, ()) for row in rows]


def updated_since(connection: Connection, since: datetime) -> list[Alert]:
    """Return alerts with evidence whose newest evidence is not older than a time, oldest first."""
    query = select(alerts).where(alerts.c.updated_us >= to_micros(since))
    rows = connection.execute(query.order_by(alerts.c.started_us, alerts.c.id)).mappings().all()
    proof = evidence_of(connection, [row["id"] for row in rows])
    return [_alert(row, tuple(proof.get(row["id"], ()))) for row in rows]


def latest(
    store: Store,
    limit: int = 200,
    states: Sequence[AlertState] = (*OPEN_STATES, AlertState.RESOLVED),
    key: str | None = None,
) -> list[Alert]:
    """Return alerts with evidence, open ones first, then by severity and newest update."""
    query = select(alerts).where(alerts.c.state.in_([state.value for state in states]))
    if key is not None:
        query = query.where(alerts.c.key == key)
    closed = alerts.c.state == AlertState.RESOLVED.value
    order = (closed, alerts.c.severity.desc(), alerts.c.updated_us.desc(), alerts.c.id)
    with store.read() as connection:
        rows = connection.execute(query.order_by(*order).limit(limit)).mappings().all()
        proof = evidence_of(connection, [row["id"] for row in rows])
    return [_alert(row, tuple(proof.get(row["id"], ()))) for row in rows]


def count(store: Store) -> int:
    """Return how many alerts ever fired."""
    query = select(func.count()).where(alerts.c.state != AlertState.PENDING.value)
    with store.read() as connection:
        return int(connection.execute(query).scalar_one())


def open_by_key(store: Store) -> dict[str, int]:
    """Return the number of open alerts per key."""
    query = select(alerts.c.key, func.count()).group_by(alerts.c.key)
    query = query.where(alerts.c.state.in_([state.value for state in OPEN_STATES]))
    with store.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something that happened to an alert; ``event`` and ``article_id`` where an article made it happen."""

    at: datetime
    change: str
    actor: str
    event: str | None = None
    article_id: str | None = None


def record_event(connection: Connection, alert_id: str, happened: AlertEvent) -> None:
    """Write what happened to an alert: its history, and what the `alerts` stream will carry."""
    row = {
        "alert_id": alert_id,
        "change": happened.change,
        "actor": happened.actor,
        "at_us": to_micros(happened.at),
        "event": happened.event,
        "article_id": happened.article_id,
        "relayed": False,
    }
    connection.execute(alert_events.insert(), row)


def fired_at(connection: Connection, alert_id: str) -> datetime | None:
    """Return when an alert last began to fire: fired, got worse or came back; ``None`` when it never did."""
    query = select(func.max(alert_events.c.at_us)).where(
        alert_events.c.alert_id == alert_id,
        alert_events.c.change.in_(["fired", "escalated", "reopened"]),
    )
    micros = connection.execute(query).scalar_one()
    return None if micros is None else from_micros(micros)


def history(store: Store, alert_id: str) -> list[AlertEvent]:
    """Return everything that happened to an alert, oldest first."""
    query = select(alert_events).where(alert_events.c.alert_id == alert_id)
    with store.read() as connection:
        rows = connection.execute(query.order_by(alert_events.c.seq)).all()
    return [
        AlertEvent(from_micros(row.at_us), row.change, row.actor, row.event, row.article_id)
        for row in rows
    ]


def fired_with(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the id of the article with which each of these alerts fired, where one did."""
    query = select(alert_events.c.alert_id, alert_events.c.article_id).where(
        alert_events.c.alert_id.in_(ids),
        alert_events.c.change == "fired",
        alert_events.c.article_id.is_not(None),
    )
    return {row.alert_id: row.article_id for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class Unrelayed:
    """Something that happened to an alert and that the `alerts` stream does not have yet."""

    seq: int
    alert_id: str
    change: str
    at_us: int
    article_id: str | None  # which made it happen


def unrelayed(connection: Connection, limit: int) -> list[Unrelayed]:
    """Return what is to be relayed, oldest first."""
    query = select(alert_events).where(alert_events.c.relayed.is_(False))
    rows = connection.execute(query.order_by(alert_events.c.seq).limit(limit))
    return [Unrelayed(row.seq, row.alert_id, row.change, row.at_us, row.article_id) for row in rows]


def mark_relayed(connection: Connection, seqs: Sequence[int]) -> None:
    """Say that these events are durable in the `alerts` stream."""
    connection.execute(
        update(alert_events).where(alert_events.c.seq.in_(seqs)).values(relayed=True)
    )


def _evidence(connection: Connection, alert_id: str) -> tuple[Evidence, ...]:
    return tuple(evidence_of(connection, [alert_id]).get(alert_id, ()))


def evidence_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[Evidence]]:
    """Return the evidence of these alerts that have some, each oldest first."""
    query = select(evidence).where(evidence.c.alert_id.in_(ids))
    query = query.order_by(evidence.c.published_us, evidence.c.article_id)
    found: dict[str, list[Evidence]] = {}
    for row in connection.execute(query):
        item = Evidence(
            article_id=row.article_id,
            revision=row.revision,
            published_at=from_micros(row.published_us),
            publisher=row.publisher,
            title=row.title,
            url=row.url,
            quote=row.quote,
            score=row.score,
            mark=row.mark,
        )
        found.setdefault(row.alert_id, []).append(item)
    return found


def with_evidence(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return by article id, of those given, the alerts that people saw and that it is evidence of."""
    found: dict[str, list[str]] = {}
    for part in parts(ids):
        query = (
            select(evidence.c.article_id, evidence.c.alert_id)
            .join(alerts, alerts.c.id == evidence.c.alert_id)
            .where(evidence.c.article_id.in_(part), alerts.c.state != AlertState.PENDING.value)
            .distinct()
            .order_by(evidence.c.alert_id)
        )
        for row in connection.execute(query):
            found.setdefault(row.article_id, []).append(row.alert_id)
    return found


def of_ids(connection: Connection, ids: Sequence[str]) -> list[Alert]:
    """Return these alerts without their evidence, the gravest first."""
    query = select(alerts).where(alerts.c.id.in_(ids))
    order = (alerts.c.severity.desc(), alerts.c.updated_us.desc(), alerts.c.id)
    return [_alert(row, ()) for row in connection.execute(query.order_by(*order)).mappings()]


def _alert(row: RowMapping, proof: tuple[Evidence, ...]) -> Alert:
    fields: dict[str, Any] = {
        name: row[name]
        for name in (
            "id",
            "fingerprint",
            "key",
            "event",
            "severity",
            "title",
            "items",
            "publishers",
        )
    }
    return Alert(
        **fields,
        kind=AlertKind(row["kind"]),
        state=AlertState(row["state"]),
        dimension=Dimension(row["dimension"]),
        started_at=from_micros(row["started_us"]),
        updated_at=from_micros(row["updated_us"]),
        decided_at=from_micros(row["decided_us"]),
        details=row["details"],
        evidence=proof,
        acknowledged_by=row["acknowledged_by"],
        acknowledged_at=_moment(row["acknowledged_us"]),
        resolved_at=_moment(row["resolved_us"]),
        assigned_to=row["assigned_to"],
        snoozed_until=_moment(row["snoozed_until_us"]),
        closed_by=row["closed_by"],
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
