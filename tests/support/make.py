"""Makes the values that tests speak of, with defaults for all that a test does not care about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.domain import (
    Alert,
    AlertKind,
    AlertState,
    Article,
    ClassifiedArticle,
    DateStatus,
    Dimension,
    Label,
    LabelRole,
    Mention,
    Relevance,
    RiskMatch,
    digest,
    revision_of,
)

T0 = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)  # a Monday


def classified(
    name: str = "a",
    title: str = "Profit falls",
    *,
    published_at: datetime = T0,
    ingested_at: datetime | None = None,
    publisher: str = "wire.example",
    date_status: DateStatus = DateStatus.OK,
    topic: str | None = "Earnings",
    sentiment: str | None = "negative",
    score: float | None = -0.5,
    companies: Sequence[str] = ("acme",),
    risks: Sequence[RiskMatch] = (),
    field: str = "title",
) -> ClassifiedArticle:
    """Return an article; ``name`` stands for its id, ``title`` for its revision."""
    article = Article(
        id=digest(name),
        revision=revision_of(title, ""),
        source="wire",
        publisher=publisher,
        url=f"https://{publisher}/{name}",
        title=title,
        lead="",
        language="en",
        published_at=published_at,
        ingested_at=ingested_at or published_at + timedelta(seconds=30),
        date_status=date_status,
    )
    return ClassifiedArticle(
        article=article,
        topic=topic,
        topic_probability=None if topic is None else 0.9,
        sentiment=sentiment,
        sentiment_probability=None if sentiment is None else 0.8,
        score=score,
        mentions=tuple(
            Mention(
                *(company, company.title(), field, place * 10, place * 10 + 4),
                relevance=Relevance.TITLE if field == "title" else Relevance.LEAD,
            )
            for place, company in enumerate(companies)
        ),
        risks=tuple(risks),
        model_version="test 1",
        bundle_hash="0" * 64,
        classified_at=(ingested_at or published_at) + timedelta(seconds=31),
    )


def risk(event: str = "bankruptcy", severity: int = 4, stage: str = "confirmed") -> RiskMatch:
    return RiskMatch(f"{event}-rule", event, severity, stage, f"words of {event}")


def alert(
    key: str = "acme",
    event: str = "recall",
    severity: int = 4,
    *,
    at: datetime = T0,
    kind: AlertKind = AlertKind.STORY,
    state: AlertState = AlertState.FIRING,
    name: str = "Acme",
    **fields: Any,
) -> Alert:
    """Return an alert on a company that fires since ``at``; ``fields`` are others of it."""
    found = Alert(
        id=digest(f"{kind}{key}{event}{at}"),
        fingerprint=f"{kind.value}|{key}|{event}",
        kind=kind,
        state=state,
        dimension=Dimension.COMPANY,
        key=key,
        event=event,
        severity=severity,
        title=f"{name}: {event}",
        started_at=at,
        updated_at=at,
        decided_at=at,
        items=1,
        publishers=1,
        details={},
    )
    return replace(found, **fields)


def label(
    name: str = "a",
    value: str | None = "negative",
    who: str = "ann",
    *,
    at: datetime = T0,
    head: str = "sentiment",
    title: str = "Profit falls",
    **fields: Any,
) -> Label:
    """Return what somebody says of `classified` ``name`` and ``title``; ``fields`` are others of it."""
    found = Label(
        article_id=digest(name),
        revision=revision_of(title, ""),
        head=head,
        company_id=None,
        value=value,
        who=who,
        at=at,
        role=LabelRole.ANNOTATION,
        model_version="test 1",
        predicted="negative",
        probability=0.8,
        guess_shown=False,
        sampler="random",
    )
    return replace(found, **fields)
