"""The classify stage: articles in, classified articles out; it writes nothing to the record.

What a candidate on trial makes of a share of them is written beside the record; see `monitor.classify.trial`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from models.classifier import Prediction
from models.routing import Router
from models.text import model_input
from monitor.classify.backlog import Backlog
from monitor.classify.passages import shortened
from monitor.classify.trial import Trials, Tried
from monitor.clock import Clock
from monitor.domain import Article, ClassifiedArticle, Mention, RiskMatch
from monitor.entities.resolver import Resolver
from monitor.metrics import Metrics, from_zero
from monitor.pipeline import CLASSIFIEDS, Effects, Input
from monitor.stories.risk import RiskPack
from monitor.stream.codec import CLASSIFIED, Classified, Origin
from monitor.stream.port import Message

TARGET = "target"  # the head that is asked about a company
HEADS = ("topic", "sentiment")  # that are asked about every text
Asked = tuple[int, str, Sequence[str]]  # number of a text, a company, and its names in the text
REPORTED = ("confirmed", "amended")  # stages of what is told as a fact


class ClassifyStage:
    """Names the companies, the topic, the sentiment and the risk events of every article.

    Parameters
    ----------
    models
        Returns the bundles to classify with, which may be others from one batch to the next.
    watchlist
        Number of the watchlist that the resolver knows.
    backlog
        Stored articles whose companies are of an earlier watchlist; read again when nothing else waits.
    trials
        Candidates that are tried on live news.
    hearsay
        Sources whose word alone is not to be believed: what they report as a fact is a rumour.
    """

    def __init__(
        self,
        models: Callable[[], Router],
        resolver: Resolver,
        watchlist: int,
        risks: RiskPack,
        wall: Clock,
        metrics: Metrics,
        backlog: Backlog | None = None,
        trials: Trials | None = None,
        hearsay: frozenset[str] = frozenset(),
    ) -> None:
        self.models = models
        self.router = models()
        self.resolver = resolver
        self.risks = risks
        self.wall = wall
        self.metrics = metrics
        self.watchlist = watchlist
        self.backlog = backlog
        self.trials = trials
        self.hearsay = hearsay
        from_zero(metrics.predictions, ("read", "not_read"))
        from_zero(metrics.unsure, HEADS)
        from_zero(metrics.probability, HEADS)
        self._collect_span = metrics.spans.labels("collect")
        self._classify_span = metrics.spans.labels("classify")

    def watch(self, resolver: Resolver, watchlist: int) -> None:
        """Look for the companies of another watchlist from now on."""
        self.resolver, self.watchlist = resolver, watchlist

    def process(self, batch: Sequence[Input]) -> Effects:
        self.router = self.models()
        if self.trials is not None:
            self.trials.look(self.router)
        if not batch:
            return self._read_again()
        tried = self._tried(self.classify([entry.body for entry in batch]))
        items = tried.items
        self._measure(batch, self.wall.now())
        messages = [
            Message(
                item.article.id,
                CLASSIFIED.encode(
                    Classified(item, Origin(entry.record.partition, entry.record.offset))
                ),
            )
            for entry, item in zip(batch, items, strict=True)
        ]
        self._count(items)
        write = tried.write if tried.found else None
        return Effects(write=write, outputs={CLASSIFIEDS: messages})

    def classify(self, articles: Sequence[Article]) -> list[ClassifiedArticle]:
        """Return what is read of some articles, by the bundles and the watchlist in use."""
        return self._by(self.router, shortened(articles, partial(self._by, self.router)))

    def _tried(self, items: list[ClassifiedArticle]) -> Tried:
        """Let a candidate that is on trial read its share."""
        if self.trials is None:
            return Tried(items)
        return self.trials.of(self.router, items, self._by)

    def _by(self, router: Router, articles: Sequence[Article]) -> list[ClassifiedArticle]:
        texts = [model_input(article.title, article.lead) for article in articles]
        found = [self.resolver.resolve(article.title, article.lead) for article in articles]
        with self.metrics.inference.time():
            languages = [_language(article) for article in articles]
            asked = _asked(found)
            predictions, answers = router.predict_with_targets(
                texts, languages, [(number, names) for number, _, names in asked]
            )
            named, doubts = _told(found, asked, answers)
        now = self.wall.now()
        return [
            self._classified(router, article, prediction, mentions, doubt, now)
            for article, prediction, mentions, doubt in zip(
                articles, predictions, named, doubts, strict=True
            )
        ]

    def _read_again(self) -> Effects:
        """Look for the companies in some stored articles; what else was read of them stays."""
        items = [] if self.backlog is None else self.backlog.take(self.watchlist)
        if not items:
            return Effects()
        found = [self.resolver.resolve(i.article.title, i.article.lead) for i in items]
        asked = [each for each in _asked(found) if _is_read(items[each[0]])]
        answers = self.router.predict_targets(
            [model_input(items[n].article.title, items[n].article.lead) for n, _, _ in asked],
            [names for _, _, names in asked],
            [_language(items[n].article) for n, _, _ in asked],
        )
        named, doubts = _told(found, asked, answers)
        messages = []
        for item, mentions, doubt in zip(items, named, doubts, strict=True):
            unsure = {head for head in item.unsure if head != TARGET} | doubt
            again = replace(
                item,
                mentions=mentions,
                unsure=tuple(sorted(unsure)),
                watchlist=self.watchlist,
            )
            messages.append(Message(item.article.id, CLASSIFIED.encode(Classified(again, None))))
        return Effects(outputs={CLASSIFIEDS: messages})

    def _classified(
        self,
        router: Router,
        article: Article,
        prediction: Prediction,
        mentions: tuple[Mention, ...],
        doubt: frozenset[str],
        now: datetime,
    ) -> ClassifiedArticle:
        unread_by = router.main.bundle
        sentiments = prediction.sentiment_probabilities
        return ClassifiedArticle(
            article=article,
            topic=prediction.topic,
            topic_probability=prediction.topic_probability,
            sentiment=prediction.sentiment,
            sentiment_probability=None if sentiments is None else max(sentiments),
            score=prediction.score,
            mentions=mentions,
            risks=self._believed(article, self._risks(article, prediction)),
            model_version=prediction.model_version or unread_by.model_version,
            bundle_hash=prediction.bundle_hash or unread_by.hash,
            classified_at=now,
            unsure=tuple(sorted(prediction.unsure | doubt)),
            watchlist=self.watchlist,
        )

    def _risks(self, article: Article, prediction: Prediction) -> tuple[RiskMatch, ...]:
        """What the rules read, then what only the model did."""
        matches = self.risks.match(article.title, article.lead, article.published_at)
        told = {match.event for match in matches}
        further = {event: p for event, p in prediction.events.items() if event not in told}
        if not further:
            return matches
        return matches + self.risks.read_by_model(further, article.title, article.published_at)

    def _believed(self, article: Article, matches: tuple[RiskMatch, ...]) -> tuple[RiskMatch, ...]:
        """What was read, as far as its source is to be believed."""
        if article.source not in self.hearsay:
            return matches
        return tuple(
            replace(match, stage="rumour") if match.stage in REPORTED else match
            for match in matches
        )

    def _count(self, items: Sequence[ClassifiedArticle]) -> None:
        read = [item for item in items if _is_read(item)]
        self.metrics.predictions.labels("read").inc(len(read))
        self.metrics.predictions.labels("not_read").inc(len(items) - len(read))
        topics = sum(item.topic_probability or 0.0 for item in read)
        tones = sum(item.sentiment_probability or 0.0 for item in read)
        self.metrics.probability.labels("topic").inc(topics)
        self.metrics.probability.labels("sentiment").inc(tones)
        for head in HEADS:
            self.metrics.unsure.labels(head).inc(sum(head in item.unsure for item in read))

    def _measure(self, batch: Sequence[Input], now: datetime) -> None:
        for entry in batch:
            article: Article = entry.body
            published_s = (article.ingested_at - article.published_at).total_seconds()
            self._collect_span.observe(max(0.0, published_s))
            waited_s = now.timestamp() - entry.record.appended_at_ms / 1000
            self._classify_span.observe(max(0.0, waited_s))


def _language(article: Article) -> str | None:
    return None if article.language == "und" else article.language


def _is_read(item: ClassifiedArticle) -> bool:
    """Say whether the model reads the article's language."""
    return item.topic is not None or item.sentiment is not None


def _asked(found: Sequence[tuple[Mention, ...]]) -> list[Asked]:
    """Return each company named in each text, and the names it has there."""
    return [
        (number, company, [m.alias for m in mentions if m.company_id == company])
        for number, mentions in enumerate(found)
        for company in {m.company_id: None for m in mentions}
    ]


def _told(
    found: Sequence[tuple[Mention, ...]], asked: Sequence[Asked], answers: Sequence[Prediction]
) -> tuple[Sequence[tuple[Mention, ...]], Sequence[frozenset[str]]]:
    """Return the mentions of each text with what the model says of them, and the heads that are unsure."""
    unsure: list[frozenset[str]] = [frozenset()] * len(found)
    towards: dict[tuple[int, str], Prediction] = {}
    for (number, company, _), answer in zip(asked, answers, strict=True):
        unsure[number] |= answer.unsure
        towards[number, company] = answer
    named = [
        tuple(
            replace(mention, sentiment=said.sentiment, score=said.score)
            if (said := towards.get((number, mention.company_id)))
            else mention
            for mention in mentions
        )
        for number, mentions in enumerate(found)
    ]
    return named, unsure
