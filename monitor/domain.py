"""What Foreshock talks about: frozen values, no behaviour that touches the outside.

Imports the standard library and `models.labels` only. All times are aware UTC. ``None`` means *no data*;
0.0 is a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class DateStatus(StrEnum):
    """How far an item's published time can be believed.

    An item with a date that cannot be believed is kept and marked; it adds to no bucket and fires nothing.
    """

    OK = "ok"
    MISSING = "missing"  # no date given: ingest time stands in
    FUTURE = "future"  # later than ingest time by more than the tolerance: capped at ingest time
    STALE = "stale"  # new to us, but published (or first published) long before it reached us

    @property
    def believable(self) -> bool:
        return self in (DateStatus.OK, DateStatus.MISSING)


class DeadReason(StrEnum):
    """Why an item went to ``news.dead``. A closed set: it labels a metric."""

    TORN_ROW = "torn_row"
    NOT_UTF8 = "not_utf8"
    EMPTY_TITLE = "empty_title"
    BAD_DATE = "bad_date"
    TOO_LARGE = "too_large"
    BAD_FEED = "bad_feed"
    BAD_FILE = "bad_file"  # a document that cannot be read: damaged, encrypted, a scan
    SCHEMA = "schema"  # not a record of ours, or of an unknown schema version
    FAILED = "failed"  # a stage raised on this one record, each time it was tried


@dataclass(frozen=True, slots=True)
class Article:
    """One revision of one news item, as collected: normalised, masked, dated.

    ``id`` is derived from the canonical URL (or feed guid, or source, title and minute); ``revision`` from
    the normalised text. The pair is the key: see `article_id` and `revision_of`.

    ``body`` is the text of a long document on its way to the classifier, else empty: what is kept of it is
    the passage that decided, as ``lead``.
    """

    id: str
    revision: str
    source: str  # the configured source that brought it
    publisher: str  # who wrote it, as far as known (the domain of the URL, or the source)
    url: str | None
    title: str
    lead: str
    language: str  # ISO 639-1, "und" when not known
    published_at: datetime
    ingested_at: datetime
    date_status: DateStatus = DateStatus.OK
    body: str = ""
    author: str = ""  # names, joined by commas; empty where nobody is named


@dataclass(frozen=True, slots=True)
class DeadItem:
    """An item that could not be used: what it was, where it came from, why it stopped."""

    reason: DeadReason
    detail: str
    origin: str  # "FILE:LINE", "stream[partition]@offset" or a feed's URL
    payload: str  # the raw item, cut to a bounded length
    stage: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Company:
    """A watched company or sovereign."""

    id: str  # stable slug of the name
    name: str
    aliases: tuple[str, ...] = ()
    ticker: str | None = None
    isin: str | None = None
    rics: tuple[str, ...] = ()  # instrument codes with their place: "T.N", "600519.SS"
    lei: str | None = None  # ISO 17442
    credit_code: str | None = None  # the unified social credit code of China, GB 32100
    parent: str | None = None  # id of the watched company that owns it
    sector: str | None = None
    country: str | None = None
    groups: tuple[str, ...] = ()  # portfolios and lists of the desk


class Relevance(StrEnum):
    """How much an item is about a company that it names, the most first."""

    SUBJECT = "subject"  # the title begins with it
    TITLE = "title"
    LEAD = "lead"  # the first sentence of the lead
    PASSING = "passing"  # a source that is quoted, or further down


@dataclass(frozen=True, slots=True)
class Mention:
    """A watched company named in an item; ``start`` and ``end`` index the title (or lead) characters.

    ``sentiment`` and ``score`` are towards this company; ``None`` when the model does not read the language
    or has no head for it. ``relevance`` is ``None`` in records from before it was read.
    """

    company_id: str
    alias: str
    field: str  # "title" or "lead"
    start: int
    end: int
    sentiment: str | None = None
    score: float | None = None  # P(positive) - P(negative), in [-1, 1]
    relevance: Relevance | None = None


#: In place of a rule's id: the event was read by the model's risk head alone.
MODEL = "model"


@dataclass(frozen=True, slots=True)
class RiskMatch:
    """A risk event that a rule of the pack or the model read, with the words that made it."""

    rule: str  # of the pack, or `MODEL`: only the model read it
    event: str
    severity: int  # 1 (notable) .. 5 (existential)
    # "confirmed", "amended" (so, in a corrected report), "rumour", "denied", "revoked" (the report is
    # withdrawn), "stale" (an old event, told again), "resolved" (it is over)
    stage: str
    evidence: str
    # How often the rule was right where it was measured, or the model's probability, in [0, 1].
    confidence: float = 0.8
    words: str = ""  # of the evidence, those that decided; empty when no rule names them


@dataclass(frozen=True, slots=True)
class ClassifiedArticle:
    """An article with what the classifier and the rules said about it.

    ``topic``, ``sentiment`` and ``score`` are ``None`` when the model does not read the language.
    """

    article: Article
    topic: str | None
    topic_probability: float | None
    sentiment: str | None
    sentiment_probability: float | None
    score: float | None  # P(positive) - P(negative), in [-1, 1]
    mentions: tuple[Mention, ...]
    risks: tuple[RiskMatch, ...]
    model_version: str
    bundle_hash: str
    classified_at: datetime  # wall clock, also in a replay
    # Heads whose answer is less sure than the bundle's threshold: a person should look.
    unsure: tuple[str, ...] = ()
    # Number of the watchlist whose companies were looked for (`monitor.store.companies`).
    watchlist: int = 0

    @property
    def company_ids(self) -> tuple[str, ...]:
        """Each named company once, in order of first mention."""
        if not self.mentions:
            return ()
        return tuple(dict.fromkeys(mention.company_id for mention in self.mentions))

    def towards(self, company_id: str) -> tuple[str | None, float | None]:
        """Return sentiment and score towards a company; the item's own where there is none."""
        for mention in self.mentions:
            if mention.company_id == company_id and mention.score is not None:
                return mention.sentiment, mention.score
        return self.sentiment, self.score


class Grain(StrEnum):
    """Width of a bucket."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def seconds(self) -> int:
        return {"minute": 60, "hour": 3600, "day": 86400}[self.value]


class Dimension(StrEnum):
    """What a bucket counts by. A company-topic key is ``company_id|topic``."""

    MARKET = "market"
    COMPANY = "company"
    TOPIC = "topic"
    COMPANY_TOPIC = "company_topic"
    SECTOR = "sector"  # of the watchlist
    PORTFOLIO = "portfolio"  # a group of the watchlist


class AlertKind(StrEnum):
    """The families of alerts."""

    STORY = "story"
    SURGE = "surge"
    ABSENCE = "absence"  # a source, a publisher or everything is silent
    COMPOUND = "compound"  # several alerts on one key, as a rule puts them together


class AlertState(StrEnum):
    """Life of an alert. A pending alert is seen by rules and not yet by people."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


ERASED = "[erased]"  # in place of a title (`monitor.store.erasure`)
MAX_EVIDENCE = 50  # of an alert; items are counted beyond
OPEN_STATES = (AlertState.FIRING, AlertState.ACKNOWLEDGED)


#: What people may say of an alert, and what it means.
VERDICTS: Mapping[str, str] = {
    "true": "a desk would want to know",
    "false": "not worth telling: routine, trivial, or no risk to that company",
    "wrong_company": "the news is about somebody else",
    "duplicate": "told before",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One item that speaks for an alert, with the words that count."""

    article_id: str
    revision: str
    published_at: datetime
    publisher: str
    title: str
    url: str | None
    quote: str
    score: float | None
    # "" and "amended" (a corrected report) are reports of a fact; "rumour" is a report of none; "denied",
    # "revoked", "stale" and "resolved" are answers to reports.
    mark: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One event that people should know of, growing as more is known.

    ``fingerprint`` names the event: one open alert per fingerprint. ``details`` explains the decision in
    numbers (rule, baseline, observed, z, publishers) and is shown as it is.
    """

    id: str
    fingerprint: str
    kind: AlertKind
    state: AlertState
    dimension: Dimension
    key: str
    event: str
    severity: int
    title: str
    started_at: datetime  # event time of the first evidence
    updated_at: datetime  # event time of the newest evidence
    decided_at: datetime  # clock of the decision to fire
    items: int
    publishers: int
    details: Mapping[str, object]
    evidence: tuple[Evidence, ...] = ()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    assigned_to: str | None = None
    snoozed_until: datetime | None = None  # wall clock; people are not told of it before
    closed_by: str | None = None  # who resolved it; ``None`` where it went quiet by itself


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to people about one alert on one channel, as kept in the outbox.

    ``route``, ``group`` and ``change`` say by which route it goes, with which others, and why it is told.
    """

    id: int
    idempotency_key: str  # the same for every try
    channel: str
    alert_id: str
    subject: str
    body: str
    payload: Mapping[str, object] = field(default_factory=dict)
    attempts: int = 0
    route: str = ""
    group: str = ""
    change: str = ""


class LabelRole(StrEnum):
    """In what capacity somebody labels."""

    ANNOTATION = "annotation"
    ADJUDICATION = "adjudication"  # decides, where annotators differ
    KNOWN = "known"  # a reference answer, against which annotators are checked


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody says of one revision of an article, under one head: an event, which nothing changes.

    ``value`` is a label of the head, or several joined by ``|`` where the head may give several;
    ``None`` takes back the same person's earlier label with the id ``withdraws``. ``model_version``,
    ``predicted`` and ``probability`` are what the article was stored with when it was labelled.
    """

    article_id: str
    revision: str
    head: str
    company_id: str | None  # about whom, for a head that is asked about a company
    value: str | None
    who: str
    at: datetime
    role: LabelRole
    model_version: str
    predicted: str | None
    probability: float | None
    guess_shown: bool  # whether the annotator had seen what the model said
    sampler: str  # why the item was asked; see `monitor.relabel.samplers`
    withdraws: int | None = None
    id: int | None = None  # given by the store

    @property
    def question(self) -> tuple[str, str, str, str | None]:
        """What was asked: article, revision, head, company."""
        return self.article_id, self.revision, self.head, self.company_id


def article_id(
    url: str | None, guid: str | None, source: str, title: str, published_at: datetime
) -> str:
    """Return the deterministic id of an item, 32 hex digits.

    From its canonical URL, else its guid within the source, else source, title and minute.

    Examples
    --------
    >>> when = datetime(2026, 1, 5, 9, 30, 12, tzinfo=UTC)
    >>> article_id("https://a.example/x", None, "wire", "T", when) == article_id(
    ...     "https://a.example/x", "other", "blog", "U", when)
    True
    """
    if url:
        name = "url\0" + url
    elif guid:
        name = f"guid\0{source}\0{guid}"
    else:
        name = f"title\0{source}\0{title.casefold()}\0{published_at:%Y-%m-%dT%H:%M}"
    return digest(name)


def revision_of(title: str, lead: str) -> str:
    """Return the revision of a normalised text, 16 hex digits: same text, same revision.

    Examples
    --------
    >>> revision_of("Profit falls", "") == revision_of("Profit falls", "")
    True
    """
    return digest(f"{title}\0{lead}")[:16]


def storable(text: str) -> str:
    """Return a text that every database and JSON take: no NUL, no lone surrogates.

    Examples
    --------
    >>> storable("a\\0b")
    'a\\\\x00b'
    """
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def digest(text: str) -> str:
    """Return 32 hex digits of BLAKE2b over UTF-8 (lone surrogates are escaped).

    Examples
    --------
    >>> len(digest("abc"))
    32
    """
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def to_micros(moment: datetime) -> int:
    """Return Unix microseconds of an aware datetime; exact, unlike ``timestamp()``.

    Examples
    --------
    >>> to_micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    delta = moment - EPOCH
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(micros: int) -> datetime:
    """Return the aware UTC datetime of Unix microseconds.

    Examples
    --------
    >>> from_micros(1000005).isoformat()
    '1970-01-01T00:00:01.000005+00:00'
    """
    return EPOCH + timedelta(microseconds=micros)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
