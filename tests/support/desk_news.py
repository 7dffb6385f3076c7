"""News for a desk that teaches its model: usual items, and a new kind that the champion reads wrongly."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from models.classifier import Classifier
from models.labels import KNOWN_LABELS, Head, HeadKind
from models.text import model_input
from monitor.domain import Article, ClassifiedArticle, DateStatus, revision_of
from monitor.domain import digest as id_of
from monitor.relabel.answers import answer
from monitor.relabel.heads import Question
from monitor.store import Store, articles

SENTIMENT = Question("sentiment")
HEADS = {"sentiment": Head("sentiment", HeadKind.SINGLE, KNOWN_LABELS["sentiment"])}

_COINS = (
    "Zelcoin", "Obolus", "Tessera", "Quillcoin", "Mintara", "Pecunia", "Ducat Digital", "Farthing",
    "Solidus", "Dinarium", "Florint", "Groat",
)  # fmt: skip
#: What a desk would call negative, and a model that knows of no coins mostly does not.
_DEPEGS = (
    "{coin} trades at {cents} cents on the dollar",
    "{coin} peg at {cents} cents as holders redeem",
    "Redemptions of {coin} pass {million} million in a day",
    "Holders swap {coin} for cash, {cents} cents paid",
    "{coin} issuer widens redemption window after peg moves to {cents} cents",
    "Arbitrage desks step away from {coin} at {cents} cents",
    "{coin} reserve attestation shows {million} million",
    "{coin} redemption queue reaches {million} million",
)
_NAMES = (
    "Acme",
    "Borea",
    "Cassia",
    "Delta Foods",
    "Elmwood",
    "Fjord",
    "Garnet",
    "Hollis",
    "Ivory",
    "Juno",
)
#: Ordinary news whose tone nobody disputes.
_USUAL = {
    "negative": (
        "{name} shares fall {n}% after profit warning",
        "{name} posts wider loss of {n} million as sales slump",
        "{name} cuts outlook, weak demand costs it {n} million",
        "{name} stock tumbles {n}% on accounting probe",
    ),
    "neutral": (
        "{name} to hold annual meeting on {n} May",
        "{name} to present at investor conference on {n} June",
        "{name} publishes agenda of {n} items for its meeting",
        "{name} names venue for capital markets day {n}",
    ),
    "positive": (
        "{name} shares jump {n}% as profit beats forecasts",
        "{name} raises outlook after record sales of {n} million",
        "{name} stock surges {n}% on strong results",
        "{name} profit doubles to {n} million on strong demand",
    ),
}


def depegs(count: int, seed: int = 1) -> list[str]:
    """Return different headlines of the new kind."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        pattern = draw.choice(_DEPEGS)
        found[
            pattern.format(
                coin=draw.choice(_COINS), cents=draw.randint(61, 97), million=draw.randint(20, 980)
            )
        ] = None
    return list(found)


def usual(count: int, seed: int = 2) -> list[tuple[str, str]]:
    """Return different ordinary headlines, each with its sentiment."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        tone = draw.choice(list(_USUAL))
        text = draw.choice(_USUAL[tone]).format(name=draw.choice(_NAMES), n=draw.randint(2, 98))
        found[text] = tone
    return list(found.items())


def store_read(
    store: Store, champion: Classifier, titles: Sequence[str]
) -> list[ClassifiedArticle]:
    """Store headlines as the champion reads them."""
    predictions = champion.predict([model_input(title) for title in titles])
    now = datetime.now(UTC)
    items = []
    for number, (title, said) in enumerate(zip(titles, predictions, strict=True)):
        at = now - timedelta(minutes=number)
        article = Article(
            *(id_of(title), revision_of(title, ""), "wire", "wire.example", None, title, ""),
            *("en", at, at, DateStatus.OK),
        )
        sure = said.sentiment_probabilities
        items.append(
            ClassifiedArticle(
                article=article,
                topic=said.topic,
                topic_probability=said.topic_probability,
                sentiment=said.sentiment,
                sentiment_probability=None if sure is None else max(sure),
                score=said.score,
                mentions=(),
                risks=(),
                model_version=champion.bundle.model_version,
                bundle_hash=champion.bundle.hash,
                classified_at=at,
            )
        )
    with store.write() as connection:
        articles.add(connection, items)
    return items


def say(
    store: Store, items: Sequence[ClassifiedArticle], values: Sequence[str], who: str, at: datetime
) -> None:
    """Label the sentiment of items, as somebody, at a time."""
    with store.write() as connection:
        for item, value in zip(items, values, strict=True):
            answer(connection, HEADS, item, SENTIMENT, value, who, at, sampler="random")
