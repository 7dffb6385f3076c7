"""Trainings on the desk's labels: where each is, what it was trained on, and what the gate said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from monitor.domain import from_micros, to_micros
from monitor.errors import ForeshockError
from monitor.store.audit import AuditEntry, audited
from monitor.store.schema import retrains

GONE_AFTER = timedelta(minutes=5)  # a training that has said nothing for so long is no more


class State(StrEnum):
    """How far a training is."""

    RUNNING = "running"
    FAILED = "failed"
    NOTHING = "nothing"  # there was too little to learn from
    REFUSED = "refused"  # by the gate
    PASSED = "passed"


class Trial(StrEnum):
    """How a candidate is tried on live news."""

    NONE = ""
    SHADOW = "shadow"  # it reads a sample beside the champion, and nothing of it counts
    CANARY = "canary"  # what it says of a share counts
    ENDED = "ended"
    RETREATED = "retreated"  # a canary that did not do


class RetrainRefused(ForeshockError):
    """Something that cannot be done with a training as it is; the message says why."""


@dataclass(frozen=True, slots=True)
class Retrain:
    """One training. ``rows`` is what it was trained on, ``report`` what the gate said, as JSON."""

    number: int
    state: State
    who: str
    why: str
    holder: str
    started_at: datetime
    beat_at: datetime
    ended_at: datetime | None
    phase: str
    done: int
    total: int
    champion_hash: str
    champion_version: str
    labels_through: int
    rows: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    hash: str = ""
    model_version: str = ""
    report: Mapping[str, Any] | None = None
    detail: str = ""
    trial: Trial = Trial.NONE
    share: float = 0.0
    trial_at: datetime | None = None

    def is_alive(self, now: datetime) -> bool:
        """Whether it runs, and has said so lately."""
        return self.state is State.RUNNING and now - self.beat_at < GONE_AFTER


def begin(
    connection: Connection,
    who: str,
    why: str,
    holder: str,
    champion: tuple[str, str],
    labels_through: int,
    now: datetime,
) -> int:
    """Write that a training begins; return its number. ``champion`` is hash and version.

    Whoever calls this has the lease: what is said to run yet has ended without a word.
    """
    dead = {"state": State.FAILED.value, "detail": "its process ended without a word", "phase": ""}
    running = retrains.c.state == State.RUNNING.value
    connection.execute(update(retrains).where(running).values(dead))
    row = {
        "state": State.RUNNING.value,
        "who": who,
        "why": why,
        "holder": holder,
        "started_us": to_micros(now),
        "beat_us": to_micros(now),
        "phase": "starting",
        "done": 0,
        "total": 0,
        "champion_hash": champion[0],
        "champion_version": champion[1],
        "labels_through": labels_through,
        "rows": {},
        "folder": "",
        "hash": "",
        "model_version": "",
        "detail": "",
    }
    key = connection.execute(retrains.insert().values(row)).inserted_primary_key
    assert key is not None
    number = int(key[0])
    after = {"champion": champion[1], "champion_hash": champion[0], "labels": labels_through}
    audited(connection, AuditEntry(now, who, "retrain", subject(number), {}, after, why))
    return number


def say(
    connection: Connection, number: int, now: datetime, phase: str, done: int = 0, total: int = 0
) -> None:
    """Write how far a training is."""
    values = {"beat_us": to_micros(now), "phase": phase, "done": done, "total": total}
    connection.execute(update(retrains).where(retrains.c.number == number).values(values))


def candidate(
    connection: Connection,
    number: int,
    folder: str,
    hash_: str,
    model_version: str,
    rows: Mapping[str, Any],
) -> None:
    """Write which bundle a training made, and of what."""
    values = {"folder": folder, "hash": hash_, "model_version": model_version, "rows": dict(rows)}
    connection.execute(update(retrains).where(retrains.c.number == number).values(values))


def end(
    connection: Connection,
    number: int,
    state: State,
    who: str,
    now: datetime,
    detail: str,
    report: Mapping[str, Any] | None = None,
) -> None:
    """Write how a training ended, and what the gate said; it goes into the audit."""
    values: dict[str, Any] = {
        "state": state.value,
        "ended_us": to_micros(now),
        "beat_us": to_micros(now),
        "detail": detail,
        "phase": "",
    }
    if report is not None:
        values["report"] = dict(report)
    connection.execute(update(retrains).where(retrains.c.number == number).values(values))
    act = "gated" if report is not None else "retrained"
    entry = AuditEntry(now, who, act, subject(number), {}, {"state": state.value}, detail)
    audited(connection, entry)


def gated(
    connection: Connection,
    number: int,
    who: str,
    now: datetime,
    passed: bool,
    report: Mapping[str, Any],
    detail: str,
) -> None:
    """Write what the gate says of a candidate that is asked again."""
    state = State.PASSED if passed else State.REFUSED
    end(connection, number, state, who, now, detail, report)


def put_on_trial(
    connection: Connection,
    number: int,
    trial: Trial,
    share: float,
    who: str,
    now: datetime,
    detail: str = "",
) -> None:
    """Try a candidate on live news, or end that; of all candidates one is tried at a time.

    Raises
    ------
    RetrainRefused
        It made no candidate, or the gate did not let it pass and it would be a canary.
    """
    found = get(connection, number)
    if not found.hash:
        raise RetrainRefused(f"training {number}: it made no candidate")
    if trial is Trial.CANARY and found.state is not State.PASSED:
        raise RetrainRefused(f"training {number}: the gate did not let it pass; try a shadow")
    on = (Trial.SHADOW.value, Trial.CANARY.value)
    if trial.value in on:
        others = retrains.c.trial.in_(on) & (retrains.c.number != number)
        connection.execute(update(retrains).where(others).values(trial=Trial.ENDED.value))
    values = {"trial": trial.value, "share": share, "trial_us": to_micros(now)}
    connection.execute(update(retrains).where(retrains.c.number == number).values(values))
    before = {"trial": found.trial.value, "share": found.share}
    after = {"trial": trial.value, "share": share}
    audited(connection, AuditEntry(now, who, "trial", subject(number), before, after, detail))


def on_trial(connection: Connection) -> Retrain | None:
    """Return the training whose candidate is tried on live news."""
    on = (Trial.SHADOW.value, Trial.CANARY.value)
    query = select(retrains).where(retrains.c.trial.in_(on)).order_by(retrains.c.number.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _retrain(row)


def get(connection: Connection, number: int) -> Retrain:
    """Return a training.

    Raises
    ------
    RetrainRefused
        There is none of that number.
    """
    query = select(retrains).where(retrains.c.number == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise RetrainRefused(f"training {number}: there is none")
    return _retrain(row)


def latest(connection: Connection, limit: int = 20) -> list[Retrain]:
    """Return the last trainings, the newest first."""
    query = select(retrains).order_by(retrains.c.number.desc()).limit(limit)
    return [_retrain(row) for row in connection.execute(query).mappings()]


def of_hash(connection: Connection, hash_: str) -> Retrain | None:
    """Return the training that made a bundle; ``None`` for a bundle from elsewhere."""
    query = select(retrains).where(retrains.c.hash == hash_).order_by(retrains.c.number)
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _retrain(row)


def subject(number: int) -> str:
    """Return what a training is called in the audit.

    Examples
    --------
    >>> subject(3)
    'training 3'
    """
    return f"training {number}"


def _retrain(row: RowMapping) -> Retrain:
    def moment(name: str) -> datetime | None:
        return None if row[name] is None else from_micros(row[name])

    return Retrain(
        number=row["number"],
        state=State(row["state"]),
        who=row["who"],
        why=row["why"],
        holder=row["holder"],
        started_at=from_micros(row["started_us"]),
        beat_at=from_micros(row["beat_us"]),
        ended_at=moment("ended_us"),
        phase=row["phase"],
        done=row["done"],
        total=row["total"],
        champion_hash=row["champion_hash"],
        champion_version=row["champion_version"],
        labels_through=row["labels_through"],
        rows=row["rows"],
        folder=row["folder"],
        hash=row["hash"],
        model_version=row["model_version"],
        report=row["report"],
        detail=row["detail"],
        trial=Trial(row["trial"]),
        share=row["share"],
        trial_at=moment("trial_us"),
    )
