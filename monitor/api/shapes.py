"""What the API takes and gives, with examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from models.labels import Head
from monitor.changes import Change, Part
from monitor.domain import Alert, Article, ClassifiedArticle, Label
from monitor.relabel.candidates import Asked
from monitor.store.audit import Written
from monitor.store.dead import DeadLetter
from monitor.store.listing import Happened

T = TypeVar("T")

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Comment = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]
Moment = AwareDatetime
ARTICLE: dict[str, JsonValue] = {
    "id": "3f1c0c7be4a1d2f09a1b2c3d4e5f6071",
    "revision": "9a1b2c3d4e5f6071",
    "title": "Acme Corp files for Chapter 11",
    "lead": "",
    "publisher": "wire.example",
    "author": "Jane Roe",
    "source": "wire",
    "url": "https://wire.example/1",
    "language": "en",
    "published_at": "2026-01-05T09:30:00Z",
    "ingested_at": "2026-01-05T09:31:00Z",
    "date_status": "ok",
    "topic": "Earnings",
    "topic_probability": 0.91,
    "sentiment": "negative",
    "sentiment_probability": 0.97,
    "score": -0.95,
    "companies": ["acme"],
    "mentions": [],
    "risks": [],
    "unsure": [],
    "model_version": "foreshock-en-1",
    "bundle_hash": "0" * 64,
}


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[T]):
    """Some items, the newest first; ``next_cursor`` goes on after the last, ``null`` at the end."""

    items: list[T]
    next_cursor: str | None = Field(examples=["WzE3Njc2MDU0MDAwMDAwMDAsIjNmMWMiXQ"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    errors: list[dict[str, Any]] | None = None


class ArticleOut(BaseModel):
    """A news item with what was read of it; ``null`` is "not read" or "no data", never neutral."""

    model_config = ConfigDict(json_schema_extra={"example": ARTICLE})

    id: str
    revision: str
    title: str
    lead: str
    publisher: str
    author: str
    source: str
    url: str | None
    language: str
    published_at: datetime
    ingested_at: datetime
    date_status: str
    topic: str | None
    topic_probability: float | None
    sentiment: str | None
    sentiment_probability: float | None
    score: float | None
    companies: list[str]
    mentions: list[dict[str, Any]]
    risks: list[dict[str, Any]]
    unsure: list[str]
    model_version: str
    bundle_hash: str

    @classmethod
    def of(cls, item: ClassifiedArticle) -> ArticleOut:
        article = item.article
        return cls(
            **{name: getattr(article, name) for name in _OF_ARTICLE},
            **{name: getattr(item, name) for name in _OF_READING},
            date_status=article.date_status.value,
            companies=list(item.company_ids),
            mentions=[asdict(each) for each in item.mentions],
            risks=[asdict(each) for each in item.risks],
            unsure=list(item.unsure),
        )


class ChangeOut(BaseModel):
    """A part of an article that an update changed; of a lead, the sentences that went and those that came."""

    part: Part = Field(examples=["title"])
    before: str = Field(examples=["Acme recalls 3,000 heaters"])
    after: str = Field(examples=["Acme recalls 5,000 heaters"])


class RevisionOut(BaseModel):
    """A revision of an article, and what it changed of the one before; the first changed nothing."""

    revision: str = Field(examples=["9a1b2c3d4e5f6071"])
    title: str = Field(examples=["Acme recalls 5,000 heaters"])
    lead: str
    published_at: datetime
    ingested_at: datetime
    changes: list[ChangeOut]

    @classmethod
    def of(cls, article: Article, changed: Iterable[Change]) -> RevisionOut:
        kept = ("revision", "title", "lead", "published_at", "ingested_at")
        return cls(
            **{name: getattr(article, name) for name in kept},
            changes=[ChangeOut(**asdict(each)) for each in changed],
        )


class AlertOut(BaseModel):
    """An alert with its evidence."""

    id: str = Field(examples=["5b0c1d2e3f405162738495a6b7c8d9e0"])
    fingerprint: str
    kind: str = Field(examples=["story"])
    state: str = Field(examples=["firing"])
    dimension: str = Field(examples=["company"])
    key: str = Field(examples=["acme"])
    event: str = Field(examples=["bankruptcy"])
    severity: int = Field(ge=1, le=5, examples=[5])
    title: str = Field(examples=["Acme Corp: bankruptcy"])
    started_at: datetime
    updated_at: datetime
    items: int
    publishers: int
    details: dict[str, Any]
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    assigned_to: str | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    closed_by: str | None
    evidence: list[dict[str, Any]]

    @classmethod
    def of(cls, alert: Alert) -> AlertOut:
        return cls(
            **{name: getattr(alert, name) for name in _OF_ALERT},
            kind=alert.kind.value,
            state=alert.state.value,
            dimension=alert.dimension.value,
            details=dict(alert.details),
            evidence=[asdict(each) for each in alert.evidence],
        )


class AlertWhole(AlertOut):
    """An alert with everything that happened to it and was said of it."""

    history: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]


class HappenedOut(BaseModel):
    """Something that happened to an alert, as the stream of events tells it."""

    change: str
    actor: str
    at: datetime
    alert: AlertOut

    @classmethod
    def of(cls, each: Happened) -> HappenedOut:
        return cls(change=each.change, actor=each.actor, at=each.at, alert=AlertOut.of(each.alert))


class Remark(Shape):
    """Why, for others."""

    comment: Comment = Field("", examples=["on it"])


class Said(Shape):
    comment: Annotated[Comment, StringConstraints(min_length=1)] = Field(examples=["called them"])


class Assignment(Remark):
    to: Word | None = Field(None, description="To whom; null: to nobody.", examples=["ann"])
    over: bool = Field(False, description="Also what somebody else has.")


class Snooze(Remark):
    hours: float = Field(gt=0, le=24 * 90, examples=[4], description="From now on.")


class Verdict(Shape):
    verdict: Literal["true", "false", "wrong_company", "duplicate"] = Field(examples=["true"])
    note: Comment = Field("", examples=["confirmed by the filing"])


class LabelIn(Shape):
    """What somebody says of an article, its current revision."""

    article_id: Word = Field(examples=["3f1c0c7be4a1d2f09a1b2c3d4e5f6071"])
    head: Word = Field(examples=["sentiment"])
    value: Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")] = Field(
        examples=["negative"], description="Of a head with several: joined by |, empty for none."
    )
    company_id: Word | None = Field(
        None, examples=[None], description="For a head that is asked about a company."
    )
    role: Literal["annotation", "adjudication", "known"] = Field(
        "annotation", examples=["annotation"]
    )
    guess_shown: bool = Field(
        True, description="Whether whoever labels has seen what the model said of it."
    )


class LabelOut(BaseModel):
    """A label, or, with ``withdraws``, that it was taken back; and what the model had said."""

    id: int = Field(examples=[17])
    article_id: str
    revision: str
    head: str = Field(examples=["sentiment"])
    company_id: str | None
    value: str | None = Field(examples=["negative"])
    who: str = Field(examples=["ann"])
    at: datetime
    role: str = Field(examples=["annotation"])
    model_version: str | None
    predicted: str | None
    probability: float | None
    guess_shown: bool
    sampler: str = Field(examples=["api"])
    withdraws: int | None

    @classmethod
    def of(cls, label: Label) -> LabelOut:
        return cls(**{**asdict(label), "role": label.role.value})


class Asks(BaseModel):
    """A question about an item: a head, for some a company, and the labels it has."""

    head: str = Field(examples=["sentiment"])
    company_id: str | None
    labels: list[str] = Field(examples=[["negative", "neutral", "positive"]])


class ToLabel(BaseModel):
    """An item to label, without what the model says of it."""

    article_id: str
    revision: str
    title: str = Field(examples=["Acme Corp files for Chapter 11"])
    lead: str
    publisher: str
    published_at: datetime
    evidence: str = Field(description="What an alert quoted of it.")
    why: str = Field(examples=["the model is unsure of its sentiment"])
    questions: list[Asks]

    @classmethod
    def of(cls, asked: Asked, heads: Mapping[str, Head]) -> ToLabel:
        article = asked.item.article
        return cls(
            article_id=article.id,
            revision=article.revision,
            title=article.title,
            lead=article.lead,
            publisher=article.publisher,
            published_at=article.published_at,
            evidence=asked.evidence,
            why=asked.choice.why,
            questions=[
                Asks(head=q.head, company_id=q.company_id, labels=list(heads[q.head].labels))
                for q in asked.questions
            ],
        )


class Text(Shape):
    """A news item as its source publishes it; it is cleaned and masked as in the stream."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=8_000)] = Field(
        examples=["Acme Corp files for Chapter 11"]
    )
    summary: Annotated[str, StringConstraints(max_length=20_000)] = Field("", examples=[""])
    language: Annotated[str, StringConstraints(pattern=r"^([a-z]{2}|auto)$")] = Field(
        "en", examples=["en"]
    )
    published_at: Moment | None = Field(None, examples=["2026-01-05T09:30:00Z"])


class Texts(Shape):
    items: list[Text] = Field(min_length=1, max_length=64)


class Question(Shape):
    text: Annotated[str, StringConstraints(min_length=1, max_length=4_000)] = Field(
        examples=["Acme Corp files for Chapter 11"]
    )
    head: Word = Field(examples=["sentiment"])
    label: Word | None = Field(None, examples=["negative"])


class Me(BaseModel):
    """Who asks. A browser sends ``csrf`` back as ``X-CSRF-Token`` with whatever changes something."""

    name: str = Field(examples=["ann"])
    role: str = Field(examples=["analyst"])
    scopes: list[str] = Field(examples=[["read", "act"]])
    csrf: str | None


class DeadOut(BaseModel):
    """What could not be processed."""

    id: str
    stage: str
    reason: str
    detail: str
    origin: str
    payload: str
    failed_at: datetime
    state: str

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadOut:
        item = letter.item
        fields = {name: getattr(item, name) for name in _OF_DEAD}
        return cls(id=letter.id, reason=item.reason.value, state=letter.state, **fields)


class AuditOut(BaseModel):
    """What somebody did."""

    id: int
    at: datetime
    who: str
    act: str
    subject: str
    before: dict[str, Any]
    after: dict[str, Any]
    comment: str
    hash: str

    @classmethod
    def of(cls, each: Written) -> AuditOut:
        entry = each.entry
        return cls(
            id=each.id,
            **{name: getattr(entry, name) for name in ("at", "who", "act", "subject", "comment")},
            before=dict(entry.before),
            after=dict(entry.after),
            hash=each.hash,
        )


_OF_ARTICLE = (
    *("id", "revision", "title", "lead", "publisher", "author", "source", "url", "language"),
    *("published_at", "ingested_at"),
)
_OF_READING = (
    *("topic", "topic_probability", "sentiment", "sentiment_probability", "score"),
    *("model_version", "bundle_hash"),
)
_OF_ALERT = (
    *("id", "fingerprint", "key", "event", "severity", "title", "started_at", "updated_at"),
    *("items", "publishers", "acknowledged_by", "acknowledged_at", "assigned_to"),
    *("snoozed_until", "resolved_at", "closed_by"),
)
_OF_DEAD = ("stage", "detail", "origin", "payload", "failed_at")
